"""Builds the FVP's command line from a description of a run. Pure; the same for Arm's FVP and the open one.

Option names: Arm's Fast Models command line. Parameter names: the boards' files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.hardware.fvps import Fvp, Version


@dataclass(frozen=True)
class DataFile:
    """Raw bytes loaded into memory before the start."""

    path: Path
    address: int


@dataclass(frozen=True)
class DumpFile:
    """Memory written to a file when the model shuts down."""

    path: Path
    address: int
    size: int


@dataclass(frozen=True)
class FvpRun:
    """One run of an FVP.

    Attributes:
        timing: whether the NPU's cycles matter; without, the model runs functionally, which is much faster.
        uart_file: where UART0's output goes; None with a terminal.
        terminal_port: first TCP port to try for UART0's terminal (raw bytes, both directions); None for none.
        time_limit_s: wall-clock seconds after which the model stops by itself.
        shutdown_on_eot: stop when the firmware sends EOT (0x04) on UART0.
        files: folder that is served to the firmware by semihosting; None for no semihosting.
    """

    firmware: Path
    macs: int
    timing: bool = False
    uart_file: Path | None = None
    terminal_port: int | None = None
    data: tuple[DataFile, ...] = ()
    dumps: tuple[DumpFile, ...] = ()
    time_limit_s: int = 120
    shutdown_on_eot: bool = True
    files: Path | None = None


def command_line(executable: Sequence[str], run: FvpRun, fvp: Fvp, release: Version | None) -> list[str]:
    """The words to execute.

    Args:
        executable: the simulator with any words of its own that come first.
        run: what to do.
        fvp: what the simulator models, by the names of Arm's FVP.
        release: Arm's release; None for the newest naming.
    """
    naming = fvp.release(release)
    uart = "{board}.uart0"
    parameters = {
        **{name: value.replace("{macs}", str(run.macs)) for name, value in naming.macs.items()},
        **({} if run.timing else naming.functional),
        **fvp.parameters,
        **({f"{uart}.out_file": str(run.uart_file)} if run.uart_file else {}),
        f"{uart}.unbuffered_output": "1",
        f"{uart}.shutdown_on_eot": str(int(run.shutdown_on_eot)),
        **{f"{{board}}.telnetterminal{n}.start_telnet": "0" for n in fvp.terminals},
    }
    if run.terminal_port is not None:
        parameters["{board}.telnetterminal0.start_port"] = str(run.terminal_port)
        parameters["{board}.telnetterminal0.mode"] = "raw"
    if run.files is not None:
        parameters["{cpu}.semihosting-enable"] = "1"
        parameters["{cpu}.semihosting-cwd"] = str(run.files)
    words = [*executable, "-a", str(run.firmware)]
    for data in run.data:
        words += ["--data", f"{data.path}@0x{data.address:08x}"]
    for dump in run.dumps:
        words += ["--dump", f"{fvp.instances['cpu']}={dump.path}@Memory:0x{dump.address:08x},{dump.size}"]
    for name, value in parameters.items():
        words += ["-C", f"{fvp.named(name)}={value}"]
    return [*words, "--timelimit", str(run.time_limit_s), "--stat"]
