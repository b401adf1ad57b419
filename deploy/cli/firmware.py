"""``deploy firmware``: render a firmware project from a build, and build it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FIRMWARE_EPILOG = """Examples:

    deploy firmware build/demo --build                       the NPU alone; then run-fvp --firmware npu

    deploy firmware build/demo --runtime tflm --tflm ~/tflite-micro --build

    deploy firmware build/demo -o project                    only the project, for your own board
"""


def firmware(
    build: Annotated[Path | None, typer.Argument(help="Build folder; default: the one compiled last.")] = None,
    runtime: Annotated[
        str, typer.Option(help="npu: the NPU alone, no third-party source. tflm: TensorFlow Lite Micro.")
    ] = "npu",
    tflm: Annotated[
        Path | None, typer.Option(help="Your TFLM tree, built for Cortex-M55 with the ethos-u kernel.")
    ] = None,
    tflm_library: Annotated[
        Path | None, typer.Option(help="The archive in it, where there is more than one.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help=".json with class names, rendered as C.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Project folder; default: BUILD/firmware-RUNTIME.")
    ] = None,
    compile_it: Annotated[
        bool, typer.Option("--build", help="Build it with CMake and arm-none-eabi-gcc.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Render a self-contained firmware project: C headers of the model, sources, linker script, CMake, README.

    Exit status: 0 done, 2 bad input, 3 something is not installed, 4 it does not build.
    """
    from deploy import settings
    from deploy.build_folder import BuildFolder
    from deploy.errors import BadInputError
    from deploy.firmware_project.firmware_build import build_project, project_folder, write_project
    from deploy.firmware_project.tflm_library import EXPECTED, examine
    from deploy.judging.labels import load_labels
    from deploy.printable import printable
    from deploy.tflite.model import read

    kept = settings.load()
    opened = BuildFolder.open(build or (Path(kept.build) if kept.build else settings.last_build()))
    if runtime == "tflm" and compile_it and tflm is None:
        raise BadInputError("--runtime tflm --build needs --tflm DIR", hints=[EXPECTED])
    if runtime != "tflm" and tflm is not None:
        raise BadInputError("--tflm belongs to --runtime tflm")
    library = examine(tflm, tflm_library) if tflm is not None else None
    labels = labels or (Path(kept.labels) if kept.labels else None)
    named = load_labels(labels, read(opened.source)) if labels else {}
    folder = output or project_folder(opened, runtime)
    network = write_project(
        opened, runtime, folder=folder, labels={name: each.classes for name, each in named.items()}
    )
    elf = build_project(folder, library) if compile_it else None
    if quiet:
        return 0
    print(f"firmware project: {folder}")
    print(f"  network {printable(network.name)} for Ethos-{network.npu}, runtime {runtime}")
    print(f"  tensor arena: {network.arena_bytes(runtime)} bytes in {'SRAM' if network.arena_in_sram else 'DDR'}")
    if library is not None:
        print(f"  TFLM: {library.library}")
        for note in library.notes:
            print(f"  note: {note}")
    if elf is not None:
        print(f"  built: {elf}")
        print(f"next: deploy run-fvp {opened.path} --firmware {elf if output else runtime}")
    else:
        print(f"next: cmake -S {folder} -B {folder}/build && cmake --build {folder}/build")
    return 0
