"""Makes a folder that looks like an installed FVP, so that whoever asks for Arm's names finds this machine."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from deploy.errors import BadInputError
from deploy.files import replacing
from deploy.hardware.fvps import Fvp, check_release, common, fvps

MODELS_FOLDER, *_OTHER_FOLDERS = (Path(folder) for folder in common().model_folders if folder)
_MARK = "# Written by `deploy fvp link`: starts the open Corstone"


def linked_fvps() -> tuple[Fvp, ...]:
    """The FVPs that the open machine stands in for; each of their names is a launcher's."""
    return tuple(fvp for fvp in fvps() if fvp.board.open_machine)


def launcher_text(fvp: Fvp, python: str, release: str | None = None) -> str:
    """A launcher: a shell script, so that it works wherever it is copied to."""
    # -P: a folder `deploy` in the working directory must not be taken for this package.
    module = f"{shlex.quote(python)} -P -m deploy.corstone"
    which = f"--board {fvp.board.id} --npu-family {fvp.npu_family}"
    if release is not None:
        which += f" --release {release}"
    # Clients point PYTHONHOME into the folder: Arm's FVPs from release 11.27 on bring a Python of their own.
    text = f"#!/bin/sh\n{_MARK} under the name of Arm's FVP.\nunset PYTHONHOME\n"
    return f'{text}exec {module} {which} "$@"\n'


def create_links(folder: Path, *, python: str | None = None, release: str | None = None) -> list[Path]:
    """Write and return a launcher for each name of an FVP under ``folder/models/Linux64_GCC-9.3``.

    The folders of other compilers and hosts that Arm's installers make are links to that one.

    Args:
        folder: what the user calls the FVP's installation folder.
        python: interpreter to run; this one if None.
        release: the release of Arm's FVPs that ``--version`` names, for scripts that know certain ones; the newest
            if None.

    Raises:
        BadInputError: ``release`` is none, a file of that name is there and is not ours, the folder is on PATH
            (there Arm's own binaries would be shadowed), or it cannot be written.
    """
    if release is not None:
        check_release(release)
    place = folder / MODELS_FOLDER
    on_path = [Path(entry).resolve() for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    if place.resolve() in on_path:
        raise BadInputError(
            f"{place} is on PATH: launchers there would shadow Arm's FVP", hints=["name another folder"]
        )
    launchers = {place / name: fvp for fvp in linked_fvps() for name in (*fvp.executables, *fvp.bare_executables)}
    for path in launchers:
        if (path.exists() or path.is_symlink()) and not _is_ours(path):
            raise BadInputError(
                f"{path} exists and was not written by `deploy fvp link`; it is left alone",
                hints=["name another folder"],
            )
    for path, fvp in launchers.items():
        with replacing(path) as temporary:
            temporary.write_text(launcher_text(fvp, python or sys.executable, release), encoding="utf-8")
        path.chmod(0o755)
    for other in _OTHER_FOLDERS:
        if not os.path.lexists(folder / other):
            (folder / other).symlink_to(MODELS_FOLDER.name)
    _make_libraries(folder / common().libraries)
    return list(launchers)


def _make_libraries(place: Path) -> None:
    """The folder of libraries, empty: MLIA takes no folder without one for Corstone-320."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{place}: cannot be made: {error.strerror}") from error


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(512)
    except OSError:
        return False
