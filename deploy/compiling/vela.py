"""Runs Arm's compiler Vela through its command line, the interface it documents."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from dataclasses import dataclass

from deploy.compiling.vela_config import CONFIG_FILE
from deploy.compiling.vela_reports import Cell, Fallback, Layer, parse_fallbacks, parse_layers, parse_summary
from deploy.errors import BadInputError, NotInstalledError
from deploy.files import private_folder
from deploy.hardware.npus import Npu
from deploy.processes import supervisor
from deploy.processes.supervisor import Run

TIMEOUT_S = 900.0
"""A bound, not an expectation: MobileNetV4-Hybrid-L takes 20 s (measured)."""

MODULE, IMPORTED = "ethosu.vela", "ethosu.vela.vela"
"""What is run as ``python -m``, and the module that it imports: all of Vela but its ``__main__``."""

OPTIMISE = ("Performance", "Size")
LOG_FILE = "vela.log"


@dataclass(frozen=True)
class VelaOptions:
    """What Vela is asked for.

    Attributes:
        npu: the NPU.
        system_config: section of ``Arm/vela.ini``.
        memory_mode: section of ``Arm/vela.ini``.
        optimise: ``Performance`` or ``Size``.
        arena_cache_size: bytes of SRAM to aim for; Vela may exceed it silently. None for the memory mode's.
        tensor_allocator: ``HillClimb``, ``Greedy`` or ``LinearAlloc``; None for Vela's default.
    """

    npu: Npu
    system_config: str
    memory_mode: str
    optimise: str = "Performance"
    arena_cache_size: int | None = None
    tensor_allocator: str | None = None


@dataclass(frozen=True)
class VelaResult:
    """What Vela produced.

    Attributes:
        compiled: the TFLite file with ``ethos-u`` operators.
        summary: the summary CSV's row.
        layers: the per-layer report.
        fallbacks: operators left on the CPU, or folded away, with Vela's reason.
        files: name -> content of its reports and its log, to keep beside the model.
    """

    compiled: bytes
    summary: dict[str, Cell]
    layers: tuple[Layer, ...]
    fallbacks: tuple[Fallback, ...]
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


def command_line(options: VelaOptions, model: str, output: str) -> list[str]:
    """The command that compiles ``model`` into the folder ``output``.

    ``--show-cpu-operations`` is never passed: it crashes with some operators after the model was written.
    """
    command = [
        sys.executable,
        "-m",
        MODULE,
        model,
        "--output-dir",
        output,
        "--accelerator-config",
        options.npu.accelerator,
        "--config",
        CONFIG_FILE,
        "--system-config",
        options.system_config,
        "--memory-mode",
        options.memory_mode,
        "--optimise",
        options.optimise,
        "--enable-debug-db",
        "--verbose-performance",
    ]
    if options.arena_cache_size is not None:
        command += ["--arena-cache-size", str(options.arena_cache_size)]
    if options.tensor_allocator is not None:
        command += ["--tensor-allocator", options.tensor_allocator]
    return command


def compile_bytes(content: bytes, options: VelaOptions, *, source: str, run: Run = supervisor.run) -> VelaResult:
    """Compile a model.

    Args:
        content: a quantized TFLite file.
        options: what to compile for.
        source: names the model in errors.
        run: what runs Vela's command.

    Raises:
        BadInputError: Vela refuses the model, crashes, does not end in time, or writes no result.
        NotInstalledError: Vela is missing.
    """
    version()
    with private_folder("vela") as folder:
        (folder / "model.tflite").write_bytes(content)
        command = command_line(options, "model.tflite", "out")
        ended = run(command, folder, timeout_s=TIMEOUT_S)
        if ended.timed_out or ended.status != 0:
            raise _failed(source, f"Vela {ended.describe()}", ended.last_lines(3))
        output = folder / "out"
        files = {
            path.name: path.read_bytes()
            for path in sorted(output.glob("*"))
            if path.suffix in (".csv", ".xml") and path.is_file()
        }
        try:
            compiled = (output / "model_vela.tflite").read_bytes()
            summary = parse_summary(_only(files, r"_summary_.*\.csv$"))
            layers = parse_layers(_only(files, r"_per-layer\.csv$"), _only(files, r"_debug\.xml$"))
        except (OSError, ValueError) as error:
            raise _failed(source, f"Vela left no usable result ({error})", ended.last_lines(3)) from error
    files[LOG_FILE] = ended.output.encode()
    return VelaResult(compiled, summary, layers, parse_fallbacks(ended.output), files)


def _only(files: dict[str, bytes], pattern: str) -> str:
    for name, content in files.items():
        if re.search(pattern, name):
            return content.decode("utf-8", "replace")
    raise ValueError(f"no file matching {pattern}")


def _failed(source: str, what: str, lines: tuple[str, ...]) -> BadInputError:
    # Of a Python traceback only the last line says something.
    telling = [line for line in lines if re.match(r"\S*(Error|Exception)\b", line)] or list(lines)
    said = f": {' / '.join(line.strip()[:300] for line in telling)}" if telling else ""
    return BadInputError(
        f"{source}: {what}{said}",
        hints=["the model may be damaged or use operators that Vela does not know: convert it again"],
    )
