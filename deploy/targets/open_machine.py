"""The open machine of this installation, made as its command line would make it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from deploy.corstone.command_line import parse_options
from deploy.corstone.resident import ResidentMachine
from deploy.simulators.fvp_command import FvpRun, command_line
from deploy.simulators.fvp_locate import Simulator


def open_machine(
    simulator: Simulator, firmware: Path, macs: int, *, timing: bool, shutdown_on_eot: bool
) -> ResidentMachine:
    """A machine within this process, for what a simulator's command line says.

    Args:
        simulator: this installation's.
        firmware: ELF that it boots.
        macs: of its NPU.
        timing: whether the NPU's cycles matter.
        shutdown_on_eot: whether a run ends when the firmware sends EOT (0x04) on UART0.
    """
    run = FvpRun(Path("firmware.elf"), macs, timing, shutdown_on_eot=shutdown_on_eot)
    words = command_line((), run, simulator.fvp, simulator.release)
    options = parse_options(words, board=simulator.fvp.board.id, family=simulator.fvp.npu_family)
    # Whatever the firmware is called; and nobody reads the statistics, for which time would be looked at.
    return ResidentMachine(dataclasses.replace(options, applications=(firmware,), stat=False))
