"""One run of Arm's prebuilt runner from its beginning: what it takes, what comes of it, and who does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.corstone.applications import Range
from deploy.errors import TargetError
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.target_text import last_lines, simulator_lines

NOTHING: Mapping[int, bytes] = {}


@dataclass(frozen=True)
class Boot:
    """What came of one run.

    Attributes:
        sent: everything on UART0.
        log: the last lines of that, and below them the simulator's own.
        dumped: memory that was asked for, as the run left it; None for what the simulator did not write out.
    """

    sent: bytes = field(repr=False)
    log: tuple[str, ...]
    dumped: tuple[bytes | None, ...] = field(repr=False, default=())


class Boots(Protocol):
    """Runs the runner, from any number of threads, until it is cancelled."""

    def boot(
        self, model: Path, inputs: bytes, *, data: Mapping[int, bytes] = ..., dumps: Sequence[Range] = ...
    ) -> Boot:
        """Run once, in a machine that remembers nothing.

        Args:
            model: the Vela-compiled ``.tflite``.
            inputs: one after another.
            data: address -> what else is loaded into memory.
            dumps: memory to read at the end.

        Raises:
            TargetError: the runner did not come to its end.
        """

    def get_ready(self) -> None:
        """Start what the first run needs beside its inputs, while the caller does something else."""

    def cancel(self) -> None:
        """End all that runs, and start no more."""


@dataclass(frozen=True)
class RunnerSettings:
    """What boots the runner.

    Attributes:
        simulator: what boots the firmware.
        firmware: the runner's ELF.
        macs: of the NPU to simulate.
        timing: whether the NPU's cycles matter.
        timeout_s: seconds that one run may take.
    """

    simulator: Simulator
    firmware: Path
    macs: int
    timing: bool
    timeout_s: float


def too_late(settings: RunnerSettings, log: tuple[str, ...]) -> TargetError:
    """The error for a runner that never came to its end."""
    return TargetError(
        f"no answer within {settings.timeout_s:g} s: the firmware never sent its end of transmission (EOT)",
        log=log,
        hints=["`--timeout SECONDS` allows more"],
    )


def log_of(sent: bytes, said: str) -> tuple[str, ...]:
    """The last lines of what the runner sent, and of what the simulator said."""
    uart = last_lines(sent.decode("utf-8", "replace").replace("\r", ""))
    return (*uart, *simulator_lines(said))
