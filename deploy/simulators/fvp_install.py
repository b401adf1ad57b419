"""Installs an FVP from an archive that the user downloaded from Arm, after the user accepted Arm's licence.

Arm ships a ``.tgz`` that holds one installer script, ``FVP_Corstone_SSE-300.sh``; the script carries the model and
the licence. It is Arm's installer that runs here, told that the licence was accepted: this tool never accepts it.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import BadInputError, DeployError, TargetError
from deploy.files import private_folder, replacing_folder
from deploy.hardware.fvps import Fvp, common, fvps
from deploy.processes import supervisor
from deploy.simulators.fvp_locate import identified

ACCEPT_OPTION = "--accept-arm-licence"
LICENCE_PLACE = "https://developer.arm.com/Tools%20and%20Software/Fixed%20Virtual%20Platforms"
_INSTALLER = re.compile(r"FVP_Corstone_SSE-[\w.-]{1,80}\.sh")
_MAX_MEMBERS = 1000
_MAX_BYTES = 8 << 30
_COPY_BYTES = 1 << 20
_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Installed:
    """What an installation brought.

    Attributes:
        version: its version line; or why it does not start on this computer.
        starts: whether it answered.
    """

    executable: Path
    fvp: Fvp
    version: str
    starts: bool


def default_folder(installer: str) -> Path:
    """Where a simulator is looked for later: a folder in the user's home, named as the installer is."""
    return Path.home() / installer.removesuffix(".sh")


def check_archive(archive: Path) -> str:
    """The installer's name in a file that looks like Arm's download; checked before the user is asked anything.

    Raises:
        BadInputError: it cannot be read, is damaged, or holds no installer of a Corstone FVP.
    """
    if _is_script(archive):
        return archive.name
    with _opened(archive) as tar:
        return Path(_installer_in(tar, archive).name).name


def install(archive: Path, folder: Path, *, accepted: bool) -> list[Installed]:
    """Install an archive into a folder; the folder appears whole or not at all.

    Args:
        archive: ``.tgz`` or ``.sh``, as downloaded.
        folder: where to; must not exist, or be empty.
        accepted: whether the user said that they accept Arm's licence.

    Raises:
        BadInputError: the licence was not accepted, the archive is not what it should be, or the folder
            is not free.
        TargetError: Arm's installer failed.
    """
    if not accepted:
        raise BadInputError(
            "Arm's licence for the FVP was not accepted, so nothing was installed",
            hints=[f"read it ({LICENCE_PLACE}, and in the download), then add {ACCEPT_OPTION}"],
        )
    name, folder = check_archive(archive), folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError(f"{folder} exists already", hints=["name another folder with --into, or remove it"])
    with private_folder("install") as work:
        installer = work / name
        _unpack(archive, installer)
        installer.chmod(0o700)
        if folder.is_dir():
            folder.rmdir()
        with replacing_folder(folder) as fresh:
            fresh.rmdir()  # Arm's installer asks before it writes into a folder that is there.
            _run(installer, work, fresh)
            if not _executables(fresh):
                raise TargetError(
                    f"{name} ended well but installed no simulator",
                    log=[str(path.relative_to(fresh)) for path in sorted(fresh.rglob("*"))[:12]],
                )
    return [_proven(path, fvp) for path, fvp in _executables(folder)]


def _is_script(archive: Path) -> bool:
    try:
        with archive.open("rb") as stream:
            head = stream.read(2)
    except OSError as error:
        raise BadInputError(f"{archive}: cannot be read: {error.strerror}") from error
    if head != b"#!":
        return False
    if not _INSTALLER.fullmatch(archive.name):
        raise BadInputError(
            f"{archive}: a script, but not named as Arm's installers are (FVP_Corstone_SSE-300.sh)",
            hints=["it would be run: name the file as it was downloaded"],
        )
    return True


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, "r:*") as tar:
            yield tar
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BadInputError(
            f"{archive}: not a whole .tgz or installer script: {error}", hints=["download it again"]
        ) from error
    except OSError as error:
        raise BadInputError(f"{archive}: cannot be read: {error.strerror or error}") from error


def _installer_in(tar: tarfile.TarFile, archive: Path) -> tarfile.TarInfo:
    """The installer, by its own name only: nothing of the archive decides where a file goes."""
    for count, member in enumerate(tar):
        if count >= _MAX_MEMBERS:
            break
        if member.isfile() and _INSTALLER.fullmatch(Path(member.name).name):
            if member.size > _MAX_BYTES:
                raise BadInputError(f"{archive}: {member.name} is {member.size} bytes, more than any FVP has")
            return member
    raise BadInputError(
        f"{archive}: holds no installer of a Corstone FVP",
        hints=["Arm's download is called like FVP_Corstone_SSE-300_11.27_42_Linux64.tgz"],
    )


def _unpack(archive: Path, target: Path) -> None:
    if _is_script(archive):
        shutil.copyfile(archive, target)
        return
    with _opened(archive) as tar:
        member = _installer_in(tar, archive)
        with tar.extractfile(member) or contextlib.nullcontext() as source, target.open("xb") as copy:
            while source is not None and (chunk := source.read(_COPY_BYTES)):
                copy.write(chunk)
        if target.stat().st_size != member.size:
            raise BadInputError(f"{archive}: {member.name} is cut short", hints=["download it again"])


def _run(installer: Path, work: Path, folder: Path) -> None:
    command = [str(installer), "--i-agree-to-the-contained-eula", "--no-interactive", "-q", "-d", str(folder)]
    end = supervisor.run(command, work, timeout_s=_TIMEOUT_S)
    if end.timed_out or end.status != 0:
        raise TargetError(
            f"Arm's installer {installer.name} {end.describe()}", log=[line[:200] for line in end.last_lines(12)]
        )


def _executables(folder: Path) -> list[tuple[Path, Fvp]]:
    return [
        (path, fvp)
        for fvp in fvps()
        for place in common().model_folders
        for name in fvp.executables
        if (path := folder / place / name).is_file()
    ]


def _proven(path: Path, fvp: Fvp) -> Installed:
    try:
        return Installed(path, fvp, identified((str(path),), fvp).version, True)
    except DeployError as error:
        return Installed(path, fvp, error.message, False)
