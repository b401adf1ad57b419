"""What is answered here instead of by QEMU: the NPU and the registers around it, put together for one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deploy.corstone.bus import RegisterBus
from deploy.corstone.code_memory import CodeMemory
from deploy.corstone.command_line import MachineOptions
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.cpu import Cpu
from deploy.corstone.flash_stores import FlashStores
from deploy.corstone.memory import GuestMemory
from deploy.corstone.peripherals import register_windows
from deploy.corstone.qtest import QtestConnection
from deploy.corstone.stand_in import CCR, CCR_TRD
from deploy.corstone.system_timers import Refused, timer_windows
from deploy.corstone.timing_adapters import TimingAdapter, adapted
from deploy.corstone.withheld_bits import WithheldBits
from deploy.npu.architecture import Architecture
from deploy.npu.registers import RegisterFile

if TYPE_CHECKING:
    from deploy.corstone.npu_trace import NpuTrace
    from deploy.npu.execution.workspace import WeightCache


def architecture_of(options: MachineOptions) -> Architecture:
    """The machine's NPU."""
    return Architecture(options.model.family, options.macs)


class Answered:
    """The devices, as they are after a reset.

    Args:
        options: the command line.
        cpu: whose accesses are answered.
        clock: the CPU's.
        memory: what the program and the NPU find there.
        qtest: reaches the devices of QEMU.
        report: called with each line about what is refused.
        alone: whether nobody stops the CPU besides.
        trace: that the NPU's operations are written to; None for nowhere.
        weights: what the NPU has decoded in an earlier run; None for nothing yet.

    Attributes:
        npu: its registers.
        adapters: the timing adapters, where the board has some.
    """

    def __init__(
        self,
        options: MachineOptions,
        cpu: Cpu,
        clock: CoreClock,
        memory: GuestMemory,
        qtest: QtestConnection,
        report: Callable[[str], None],
        *,
        alone: bool,
        trace: NpuTrace | None = None,
        weights: WeightCache | None = None,
    ) -> None:
        self._model = model = options.model
        architecture = architecture_of(options)
        design = architecture.design
        prefix = f"Warning: Ethos-{architecture.name}: "
        self.adapters = tuple(TimingAdapter() for _ in model.timing_adapters)
        self.npu = RegisterFile(
            architecture,
            memory,
            report=lambda line: report(prefix + line),
            memories=lambda config: adapted(self.adapters, design.memories, design.port_bytes, config),
            weights=weights,
            observe=None if trace is None else lambda run: trace.add(run, clock.cycles()),
        )
        windows = register_windows(model, self.npu, self.adapters, cpu, clock, report)
        windows += timer_windows(qtest)
        code = CodeMemory(memory, keeps=alone)
        executors = (
            FlashStores(model.flash, memory, code.at, clock, carries_on=alone),
            WithheldBits(CCR, CCR_TRD, cpu),
            Refused(cpu, clock),
        )
        self._bus = RegisterBus(windows, code.at, executors)

    def execute(self, registers: Sequence[int]) -> dict[int, int]:
        """Carry out an access; see :meth:`deploy.corstone.bus.RegisterBus.execute`."""
        return self._bus.execute(registers)

    def peek(self, address: int, size: int) -> bytes | None:
        """Bytes of the NPU's registers, read without effect; None for all other addresses."""
        for window in self._model.npu_windows:
            offset = address - window
            if 0 <= offset <= self._model.npu_window - size:
                first, last = offset & ~3, offset + size
                words = b"".join(self.npu.read(at).to_bytes(4, "little") for at in range(first, last, 4))
                return words[offset - first : last - first]
        return None
