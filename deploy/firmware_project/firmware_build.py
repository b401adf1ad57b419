"""Writes a rendered firmware project below a build folder and builds it with CMake and GCC for Arm."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.build_folder import CACHE_FOLDER, FIRMWARE_PREFIX, BuildFolder
from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.firmware_project.firmware_network import FirmwareNetwork, read_network
from deploy.firmware_project.rendered_files import write_rendered
from deploy.firmware_project.rendering import render_project
from deploy.firmware_project.tflm_library import TflmLibrary
from deploy.hardware.boards import Board, default_board
from deploy.hardware.npus import npu_named
from deploy.processes.supervisor import run

TOOLCHAIN = ("cmake", "arm-none-eabi-gcc")
INSTALL_HINT = "sudo apt-get install cmake gcc-arm-none-eabi libnewlib-arm-none-eabi"
_BUILD_TIMEOUT_S = 600
_KEPT_LINES = 30
MODEL_FOLDER = "model/"
"""Below a project: the network's files."""


def project_folder(build: BuildFolder, runtime: str, board: Board | None = None) -> Path:
    """Where a build's firmware project for a board (the NPU's default one for None) lies: its user's, to edit."""
    return build.path / _project_name(build, runtime, board)


def cache_folder(build: BuildFolder, runtime: str, board: Board | None = None) -> Path:
    """Where firmware that ``run-fvp`` boots is rendered and built: nobody's to edit."""
    return build.path / CACHE_FOLDER / _project_name(build, runtime, board)


def _project_name(build: BuildFolder, runtime: str, board: Board | None) -> str:
    usual = default_board(npu_named(build.document.npu).family)
    return f"{FIRMWARE_PREFIX}{runtime}{f'-{board.id}' if board not in (None, usual) else ''}"


def elf_path(folder: Path) -> Path:
    """Where the firmware of a project lies once it is built."""
    return folder / "build" / "firmware.elf"


def write_project(
    build: BuildFolder,
    runtime: str,
    *,
    board: Board | None = None,
    folder: Path | None = None,
    labels: Mapping[str, tuple[str, ...]] | None = None,
    only_model: bool = False,
    force: bool = False,
) -> FirmwareNetwork:
    """Render a build's firmware project into its folder; files that would not change are left alone.

    Args:
        build: an open build folder.
        runtime: ``npu`` or ``tflm``.
        board: that it is to run on; the NPU's default one for None.
        folder: where to; by default :func:`project_folder`.
        labels: class names per output.
        only_model: write the network's files alone.
        force: overwrite files that were edited since they were rendered, or are not deploy's.

    Raises:
        BadInputError: the model cannot run on this runtime, a file there was edited or is not deploy's, or the
            folder cannot be written.
    """
    network = read_network(build, dict(labels or {}), board)
    folder = folder or project_folder(build, runtime, board)
    files = render_project(network, runtime)
    if only_model:
        files = {name: content for name, content in files.items() if name.startswith(MODEL_FOLDER)}
    write_rendered(folder, files, force=force)
    return network


def build_project(folder: Path, tflm: TflmLibrary | None = None) -> Path:
    """Configure and build a firmware project, with a TFLM build or as configured earlier; returns the ELF.

    Raises:
        NotInstalledError: CMake or the compiler are missing.
        TargetError: it does not compile or link; carries the tools' last lines.
    """
    missing = [program for program in TOOLCHAIN if shutil.which(program) is None]
    if missing:
        raise NotInstalledError(
            f"{' and '.join(missing)}: not installed (not found on PATH)", hints=[INSTALL_HINT]
        )
    output = folder / "build"
    configure = ["cmake", "-S", str(folder), "-B", str(output)]
    if tflm is not None:
        configure += [
            f"-DTFLM_LIBRARY={tflm.library}",
            f"-DTFLM_INCLUDES={';'.join(str(path) for path in tflm.includes)}",
            f"-DTFLM_DEFINITIONS={';'.join(tflm.definitions)}",
        ]
    if _moved(output, folder):  # what `cmake --fresh` removes, which older versions do not know
        (output / "CMakeCache.txt").unlink()
        shutil.rmtree(output / "CMakeFiles", ignore_errors=True)
    _run(configure, "configured")
    _run(["cmake", "--build", str(output), "--parallel", str(min(os.cpu_count() or 1, 4))], "built")
    elf = elf_path(folder)
    if not elf.is_file():
        raise TargetError(f"{elf}: the build ended without writing it")
    return elf


def npu_firmware(build: BuildFolder, board: Board | None = None) -> Path:
    """Render and build the ``npu`` firmware of a build, if that has not been done yet, and return its ELF.

    It is built apart from the project that ``deploy firmware`` writes, which its user may have edited.

    Raises:
        BadInputError: the model is more than one ``ethos-u`` operator.
        NotInstalledError: CMake or the compiler are missing.
        TargetError: it does not build.
    """
    folder = cache_folder(build, "npu", board)
    elf = elf_path(folder)
    network = read_network(build, board=board)
    if elf.is_file() and _up_to_date(folder, elf, network):
        return elf
    write_project(build, "npu", board=board, folder=folder, force=True)
    return build_project(folder)


def tflm_firmware(build: BuildFolder, board: Board | None = None) -> Path:
    """The ELF of a build's ``tflm`` firmware for a board, which the user has had built.

    Raises:
        BadInputError: there is none.
    """
    elf = elf_path(project_folder(build, "tflm", board))
    if not elf.is_file():
        raise BadInputError(
            f"{elf}: there is no TFLM firmware yet",
            hints=[f"deploy firmware {build.path} --runtime tflm --tflm DIR --build"],
        )
    return elf


def _up_to_date(folder: Path, elf: Path, network: FirmwareNetwork) -> bool:
    """Whether an ELF is newer than a project that is what would be rendered now."""
    built = elf.stat().st_mtime_ns
    for name, content in render_project(network, "npu").items():
        path = folder / name
        if not path.is_file() or path.stat().st_mtime_ns > built or not _holds(path, content):
            return False
    return True


def _holds(path: Path, content: bytes) -> bool:
    with contextlib.suppress(OSError):
        return path.read_bytes() == content
    return False


def _moved(output: Path, folder: Path) -> bool:
    """Whether a CMake build folder belongs to a project that lay elsewhere."""
    with contextlib.suppress(OSError):
        for line in (output / "CMakeCache.txt").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("CMAKE_HOME_DIRECTORY:"):
                return Path(line.partition("=")[2]) != folder.resolve()
    return False


def _run(command: Sequence[str], what: str) -> None:
    try:
        # By its whole path: CMake takes a file of its name in the working folder for itself.
        done = run([shutil.which(command[0]) or command[0], *command[1:]], timeout_s=_BUILD_TIMEOUT_S)
    except NotInstalledError as error:
        raise NotInstalledError(error.message, hints=[INSTALL_HINT]) from error
    if done.timed_out:
        raise TargetError(f"the firmware was not {what} within {_BUILD_TIMEOUT_S} s")
    if done.status != 0:
        lines = [line for line in done.output.splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower() or "undefined" in line] or lines
        raise TargetError(
            f"the firmware could not be {what} ({command[0]} ended with exit status {done.status})",
            log=telling[-_KEPT_LINES:],
            hints=[" ".join(command)],
        )
