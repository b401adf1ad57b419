"""Which registers are answered here instead of by QEMU, and by what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deploy.corstone.bus import Device, StoredWords, Window
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.core_counters import CoreCounters, Dwt, Pmu
from deploy.corstone.cpu import Cpu
from deploy.corstone.npu_security import NonSecureAlias, secure_access
from deploy.corstone.stand_in import CORE_WINDOWS, TIMING_ADAPTER_WINDOW, StandIn
from deploy.corstone.timing_adapters import TimingAdapter
from deploy.npu.registers import RegisterFile


def register_windows(
    model: StandIn,
    npu: RegisterFile,
    adapters: Sequence[TimingAdapter],
    cpu: Cpu,
    clock: CoreClock,
    report: Callable[[str], None],
) -> list[Window]:
    """All windows with what answers there.

    Args:
        model: the board.
        npu: its registers.
        adapters: timing adapters, where the board has some.
        cpu: whose accesses they are.
        clock: the CPU's.
        report: called with a line about what is refused.
    """
    nonsecure, secure = model.npu_windows
    counters = CoreCounters(clock)
    core: dict[str, Device] = {"the DWT": Dwt(counters), "the PMU": Pmu(counters), "DEMCR": StoredWords({})}
    guarded = NonSecureAlias(npu, lambda: secure_access(cpu), report)
    return [
        Window("the NPU", (secure,), model.npu_window, npu),
        Window("the NPU", (nonsecure,), model.npu_window, guarded),
        *(
            Window(each.name, each.bases, each.size, StoredWords(each.words, kept=each.kept))
            for each in model.answers
        ),
        *(
            Window(f"timing adapter {number}", bases, TIMING_ADAPTER_WINDOW, adapter)
            for number, (bases, adapter) in enumerate(zip(model.timing_adapters, adapters, strict=True))
        ),
        *(
            Window(owner, (base,), size, device)
            for (owner, device), (base, size) in zip(core.items(), CORE_WINDOWS, strict=True)
        ),
    ]
