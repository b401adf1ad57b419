"""Builds the FVP's command line from a description of a run. Pure; the same for Arm's FVP and the open one.

Option and parameter names: Arm's Fast Models command line, release 11.24 and later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataFile:
    """Raw bytes loaded into memory before the start."""

    path: Path
    address: int


@dataclass(frozen=True)
class Dump:
    """Memory written to a file when the model shuts down."""

    path: Path
    address: int
    size: int


@dataclass(frozen=True)
class FvpRun:
    """One run of a Corstone-300 model.

    Attributes:
        firmware: ELF file to boot.
        macs: the NPU's multiply-accumulate units.
        uart_file: where UART0's output goes; None with a terminal.
        terminal_port: first TCP port to try for UART0's terminal (raw bytes, both directions); None for none.
        data: raw files to load.
        dumps: memory to write out at the end.
        time_limit_s: wall-clock seconds after which the model stops by itself.
        shutdown_on_eot: stop when the firmware sends EOT (0x04) on UART0.
    """

    firmware: Path
    macs: int
    uart_file: Path | None = None
    terminal_port: int | None = None
    data: tuple[DataFile, ...] = ()
    dumps: tuple[Dump, ...] = ()
    time_limit_s: int = 120
    shutdown_on_eot: bool = True


def command_line(executable: Sequence[str], run: FvpRun) -> list[str]:
    """The words to execute; ``executable`` is the simulator with any words of its own that come first."""
    parameters = {
        "ethosu.num_macs": str(run.macs),
        "mps3_board.visualisation.disable-visualisation": "1",
        **({"mps3_board.uart0.out_file": str(run.uart_file)} if run.uart_file else {}),
        "mps3_board.uart0.unbuffered_output": "1",
        "mps3_board.uart0.shutdown_on_eot": str(int(run.shutdown_on_eot)),
        **{f"mps3_board.telnetterminal{n}.start_telnet": "0" for n in (0, 1, 2, 5)},
    }
    if run.terminal_port is not None:
        parameters["mps3_board.telnetterminal0.start_port"] = str(run.terminal_port)
        parameters["mps3_board.telnetterminal0.mode"] = "raw"
    words = [*executable, "-a", str(run.firmware)]
    for data in run.data:
        words += ["--data", f"{data.path}@0x{data.address:08x}"]
    for dump in run.dumps:
        words += ["--dump", f"cpu0={dump.path}@Memory:0x{dump.address:08x},{dump.size}"]
    for name, value in parameters.items():
        words += ["-C", f"{name}={value}"]
    return [*words, "--timelimit", str(run.time_limit_s), "--stat"]
