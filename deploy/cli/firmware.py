"""``deploy firmware``: render a firmware project from a build, and build it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from deploy.settings import options
from deploy.settings.declared import Writes, option

FIRMWARE_EPILOG = """Examples:

    deploy firmware build/demo --build                       the NPU alone; then run-fvp --firmware npu

    deploy firmware build/demo --runtime tflm --tflm ~/tflite-micro --build

    deploy firmware build/demo -o project                    only the project, to carry to your own board
"""


def firmware(
    build: options.Build,
    runtime: Annotated[
        str,
        option(
            help="npu (default): the NPU alone, no third-party source. tflm: TensorFlow Lite Micro.", default="npu"
        ),
    ],
    tflm: Annotated[Path | None, option(help="Your TFLM tree, built for Cortex-M55 with the ethos-u kernel.")],
    tflm_library: Annotated[Path | None, option(help="The archive in it, where there is more than one.")],
    board: options.Board,
    labels: options.Labels,
    output: Annotated[
        Path | None,
        option("--output", "-o", help="Project folder; default: BUILD/firmware-RUNTIME."),
        Writes("folder"),
    ],
    compile_it: Annotated[
        bool, option("--build", help="Build it with CMake and arm-none-eabi-gcc.", default=False)
    ],
    only: Annotated[
        str | None, option(help="model: write the network's files alone, beside a project of your own.")
    ],
    force: Annotated[
        bool,
        option("--force", help="Overwrite files that you edited, or that are not from deploy.", default=False),
    ],
    json: options.Json,
    quiet: Annotated[bool, option("--quiet", "-q", help="Print errors only.", default=False)],
) -> int:
    """Render a self-contained firmware project: C headers of the model, sources, linker script, CMake, README.

    A file that was edited since it was rendered, or that is not from deploy, is named and not overwritten.

    Exit status: 0 done, 2 bad input, 3 something is not installed, 4 it does not build.
    """
    from deploy.cli.progress import working

    bar = working("reading the build", quiet=quiet)
    from deploy.build_folder import COMPILE_DOCUMENT
    from deploy.cli.answer_documents import FirmwareDocument
    from deploy.cli.builds import open_build
    from deploy.cli.call_documents import current
    from deploy.data.labels import load_labels
    from deploy.errors import BadInputError
    from deploy.firmware_project.firmware_build import MODEL_FOLDER, build_project, project_folder, write_project
    from deploy.firmware_project.tflm_library import EXPECTED, examine
    from deploy.hardware.boards import default_board, firmware_board
    from deploy.hardware.fvps import default_fvp, fvps_of
    from deploy.hardware.npus import npu_named
    from deploy.printable import printable
    from deploy.tflite import read

    if only not in (None, "model"):
        raise BadInputError(f"--only {only}: known is model")
    opened = open_build(build)
    if runtime == "tflm" and compile_it and tflm is None:
        raise BadInputError("--runtime tflm --build needs --tflm DIR", hints=[EXPECTED])
    if runtime != "tflm" and tflm is not None:
        raise BadInputError("--tflm belongs to --runtime tflm")
    library = examine(tflm, tflm_library) if tflm is not None else None
    named = load_labels(labels, read(opened.source)) if labels else {}
    chosen = firmware_board(board) if board else default_board(npu_named(opened.document.npu).family)
    folder = output or project_folder(opened, runtime, chosen)
    if (folder / COMPILE_DOCUMENT).is_file():
        raise BadInputError(
            f"--output {folder}: is a build folder, which `deploy compile` replaces as a whole",
            hints=["without --output the project gets a folder of its own in there, which stays"],
        )
    classes = {name: each.classes for name, each in named.items()}
    network = write_project(
        opened,
        runtime,
        board=chosen,
        folder=folder,
        labels=classes,
        only_model=only is not None,
        force=force,
    )
    bar.stage("building the firmware")
    elf = build_project(folder, library) if compile_it else None
    bar.close()
    fvp = next((fvp for fvp in fvps_of(chosen) if network.npu.startswith(fvp.npu_family)), None)
    if elf is None and only is not None:
        following = f"build {folder / MODEL_FOLDER} with a project of your own"
    elif elf is None:
        following = _build_words(opened.path, folder, runtime, board, tflm, tflm_library, other=bool(output))
    elif fvp is None:
        following = f"load it onto your {chosen.name}, then deploy run-board {opened.path} --port PORT"
    else:
        where = "" if fvp == default_fvp(fvp.npu_family) else f" --fvp {fvp.executables[0]}"
        following = f"deploy run-fvp {opened.path}{where} --firmware {elf if output else runtime}"
    said = FirmwareDocument(
        build=str(opened.path),
        folder=str(folder),
        network=network.name,
        npu=network.npu,
        runtime=runtime,
        board=chosen.id,
        arena_bytes=network.arena_bytes(runtime),
        arena_memory=network.arena_region.memory,
        tflm_library=str(library.library) if library is not None else None,
        elf=str(elf) if elf is not None else None,
        next=following,
    )
    documents = current()
    documents.answer(lambda: said, written=[folder])
    for note in library.notes if library is not None else ():
        documents.note(note)
    if quiet:
        return 0
    print(f"firmware project: {folder}")
    print(f"  network {printable(said.network)} for Ethos-{said.npu}, runtime {runtime}")
    print(f"  tensor arena: {said.arena_bytes} bytes in {said.arena_memory}")
    if library is not None:
        print(f"  TFLM: {library.library}")
        for note in library.notes:
            print(f"  note: {note}")
    if elf is not None:
        print(f"  built: {elf}")
    print(f"next: {following}")
    return 0


def _build_words(
    build: Path,
    folder: Path,
    runtime: str,
    board: str | None,
    tflm: Path | None,
    library: Path | None,
    *,
    other: bool,
) -> str:
    """The command that builds a project as it was rendered: TFLM has to be told to CMake, which `deploy` does."""
    import shlex

    if runtime != "tflm":
        where = shlex.quote(str(folder))
        return f"cmake -S {where} -B {where}/build && cmake --build {where}/build"
    named = {"-o": folder if other else None, "--board": board, "--tflm": tflm or "DIR", "--tflm-library": library}
    words = [str(word) for option, value in named.items() if value is not None for word in (option, value)]
    return shlex.join(["deploy", "firmware", str(build), "--runtime", runtime, *words, "--build"])
