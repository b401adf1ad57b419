"""One boot of Arm's prebuilt runner: files laid out, the simulator run to its end, and whether it came to one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.errors import TargetError
from deploy.processes.supervisor import Ended, Supervisor
from deploy.simulators.fvp_command import DataFile, DumpFile, FvpRun, command_line
from deploy.simulators.fvp_locate import Simulator, environment
from deploy.simulators.fvp_process import simulators
from deploy.targets import runner_firmware as runner
from deploy.targets.target_text import last_lines

_GRACE_S = 15
_MAX_UART_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Boot:
    """What came of one boot.

    Attributes:
        sent: everything on UART0.
        log: the last lines of that, and below them the simulator's own.
    """

    sent: bytes = field(repr=False)
    log: tuple[str, ...]


@dataclass(frozen=True)
class RunnerBoots:
    """Boots the runner on one simulator.

    Attributes:
        simulator: what boots the firmware.
        firmware: the runner's ELF.
        macs: of the NPU to simulate.
        timing: whether the NPU's cycles matter.
        timeout_s: seconds that one boot may take.
        processes: what supervises the simulators.
    """

    simulator: Simulator
    firmware: Path
    macs: int
    timing: bool
    timeout_s: float
    processes: Supervisor = field(default_factory=simulators)

    def boot(
        self,
        folder: Path,
        model: Path,
        inputs: bytes,
        *,
        data: Sequence[DataFile] = (),
        dumps: Sequence[DumpFile] = (),
    ) -> Boot:
        """Boot once.

        Args:
            folder: for the files of this boot; an empty one.
            model: the Vela-compiled ``.tflite``.
            inputs: one after another.
            data: what else is loaded into memory.
            dumps: what is written out at the end.

        Raises:
            TargetError: the simulator did not come to its end.
        """
        # Short plain names: a user's may hold @ or commas, which the FVP splits at.
        links = {folder / "model.tflite": model, folder / "firmware.elf": self.firmware}
        for link, target in links.items():
            link.symlink_to(target.resolve())
        fed, uart = folder / "inputs.bin", folder / "uart0.log"
        fed.write_bytes(inputs)
        run = FvpRun(
            firmware=folder / "firmware.elf",
            macs=self.macs,
            timing=self.timing,
            uart_file=uart,
            data=(
                DataFile(folder / "model.tflite", runner.MODEL_ADDRESS),
                DataFile(fed, runner.INPUT_ADDRESS),
                *data,
            ),
            dumps=tuple(dumps),
            time_limit_s=max(1, round(self.timeout_s)),
        )
        simulator = self.simulator
        end = self.processes.run(
            command_line(simulator.command, run, simulator.fvp, simulator.release),
            timeout_s=self.timeout_s + _GRACE_S,
            environment=environment(simulator.command[0]),
        )
        sent = read_bounded(uart, _MAX_UART_BYTES)
        log = _log(sent, end)
        self._check_end(end, sent, log)
        return Boot(sent, log)

    def _check_end(self, end: Ended, sent: bytes, log: tuple[str, ...]) -> None:
        limit = next((line.strip() for line in end.output.splitlines() if "Reason:" in line), None)
        if end.timed_out or (limit and b"\x04" not in sent):
            raise TargetError(
                f"no answer within {self.timeout_s:g} s: the firmware never sent its end of transmission (EOT)",
                log=log,
                hints=["`--timeout SECONDS` allows more"],
            )
        if end.status < 0:
            raise TargetError(f"the simulator was killed by signal {-end.status}", log=log)
        if end.status != 0:
            raise TargetError(f"the simulator ended with exit status {end.status}", log=log)


def read_bounded(path: Path, limit: int) -> bytes:
    """The first bytes of a file; none of one that cannot be read."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        return stream.read(limit)
    return b""


def _log(sent: bytes, end: Ended) -> tuple[str, ...]:
    uart = last_lines(sent.decode("utf-8", "replace").replace("\r", ""))
    return (*uart, *(f"[simulator] {line}" for line in last_lines(end.output, 4)))
