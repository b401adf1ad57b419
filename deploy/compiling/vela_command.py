"""The command that runs Vela; who reads its results needs more, see :mod:`deploy.compiling.vela`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.compiling.vela_config import CONFIG_FILE
from deploy.compiling.vela_program import MODULE
from deploy.processes.python import module_command

if TYPE_CHECKING:
    from deploy.compiling.compile_options import CompileOptions

TIMEOUT_S = 900.0
"""A bound, not an expectation: MobileNetV4-Hybrid-L takes 20 s (measured)."""

MODEL_FILE, OUTPUT_FOLDER = "model.tflite", "out"
"""In the folder that Vela runs in."""


def command_line(options: CompileOptions, model: str, output: str, *, allocator: str | None = None) -> list[str]:
    """The command that compiles ``model`` into the folder ``output``.

    ``--show-cpu-operations`` is never passed: it crashes with some operators after the model was written.

    Args:
        options: what to compile for.
        model: a file.
        output: a folder.
        allocator: ``HillClimb``, ``Greedy`` or ``LinearAlloc``; None for Vela's default.
    """
    command = module_command(MODULE, model, "--enable-debug-db", "--verbose-performance")
    command += ["--output-dir", output, "--accelerator-config", options.npu.accelerator, "--config", CONFIG_FILE]
    command += ["--system-config", options.system_config, "--memory-mode", options.memory_mode]
    command += ["--optimise", options.optimise]
    if options.sram_target is not None:
        command += ["--arena-cache-size", str(options.sram_target)]
    if allocator is not None:
        command += ["--tensor-allocator", allocator]
    return command
