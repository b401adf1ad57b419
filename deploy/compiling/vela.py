"""Runs Arm's compiler Vela through its command line, the interface it documents."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.compiling import vela_command
from deploy.compiling.vela_command import MODEL_FILE, OUTPUT_FOLDER, command_line
from deploy.compiling.vela_program import LIMITS
from deploy.compiling.vela_reports import Cell, parse_summary
from deploy.errors import BadInputError, NotInstalledError
from deploy.files import private_folder
from deploy.processes.supervisor import Ended, RunCommand, Supervisor

if TYPE_CHECKING:
    from deploy.compiling.compile_options import CompileOptions

LOG_FILE = "vela.log"

_MISSING = re.compile(r"Could not find a valid OFM microblock for (\w+)|Non-passthrough operation \((\w+)\)")
"""What Vela says of an operator that it chose for the NPU and then cannot compile."""


def run(command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
    """Run Vela's command in a process of its own; see :meth:`deploy.processes.supervisor.Supervisor.run`."""
    return Supervisor(limits=LIMITS).run(command, folder, timeout_s=timeout_s)


@dataclass(frozen=True)
class VelaOutput:
    """What Vela wrote.

    Attributes:
        summary: the summary CSV's row.
        per_layer: text of the per-layer CSV.
        debug: text of the debug database.
        files: name -> content of its reports and its log, to keep beside the model.
    """

    model: bytes
    summary: dict[str, Cell]
    per_layer: str
    debug: str
    log: str
    files: dict[str, bytes]


def version() -> str:
    """The installed version.

    Raises:
        NotInstalledError: Vela is missing.
    """
    try:
        return importlib.metadata.version("ethos-u-vela")
    except importlib.metadata.PackageNotFoundError as error:
        raise NotInstalledError(
            "the compiler Vela is not installed", hints=["pip install ethos-u-vela==5.2.0"]
        ) from error


def compile_bytes(
    content: bytes,
    options: CompileOptions,
    *,
    source: str,
    run: RunCommand = run,
    allocator: str | None = None,
) -> VelaOutput:
    """Compile a model.

    Args:
        content: a quantized TFLite file.
        options: what to compile for.
        source: names the model in errors.
        run: what runs Vela's command.
        allocator: as in :func:`command_line`.

    Raises:
        BadInputError: Vela refuses the model, crashes, does not end in time, or writes no result.
        NotInstalledError: Vela is missing.
    """
    version()
    with private_folder("vela") as folder:
        (folder / MODEL_FILE).write_bytes(content)
        command = command_line(options, MODEL_FILE, OUTPUT_FOLDER, allocator=allocator)
        ended = run(command, folder, timeout_s=vela_command.TIMEOUT_S)
        if ended.timed_out or ended.status != 0:
            raise _failed(source, f"Vela {ended.describe()}", ended.last_lines(3))
        output = folder / OUTPUT_FOLDER
        files = {
            path.name: path.read_bytes()
            for path in sorted(output.glob("*"))
            if path.suffix in (".csv", ".xml") and path.is_file()
        }
        try:
            return VelaOutput(
                (output / "model_vela.tflite").read_bytes(),
                parse_summary(_only(files, r"_summary_.*\.csv$")),
                _only(files, r"_per-layer\.csv$"),
                _only(files, r"_debug\.xml$"),
                ended.output,
                {**files, LOG_FILE: ended.output.encode()},
            )
        except (OSError, ValueError) as error:
            raise _failed(source, f"Vela left no usable result ({error})", ended.last_lines(3)) from error


def _only(files: dict[str, bytes], pattern: str) -> str:
    for name, content in files.items():
        if re.search(pattern, name):
            return content.decode("utf-8", "replace")
    raise ValueError(f"no file matching {pattern}")


def _failed(source: str, what: str, lines: tuple[str, ...]) -> BadInputError:
    # Of a Python traceback only the last line says something.
    telling = [line for line in lines if re.match(r"\S*(Error|Exception)\b", line)] or list(lines)
    said = " / ".join(dict.fromkeys(line.strip()[:300] for line in telling))
    hint = "the model may be damaged or use operators that Vela does not know: convert it again"
    if missing := _MISSING.search(said):
        hint = (
            f"Vela finds out too late that it has no {missing[1] or missing[2]} of these numbers on this NPU, and "
            "does not leave it to the CPU either: keep them in 8 or 16 bits, or the operator out of the model"
        )
    return BadInputError(f"{source}: {what}{f': {said}' if said else ''}", hints=[hint])
