"""Tells apart why a simulator does not start: architecture, shared library, licence, Docker, or no simulator."""

from __future__ import annotations

import platform
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.errors import NotInstalledError

_MACHINES = {3: "i686", 8: "mips", 20: "ppc", 21: "ppc64", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
"""ELF's e_machine -> what ``platform.machine()`` calls it."""
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64", "armv8l": "aarch64", "i386": "i686"}
_LIBRARY = re.compile(
    r"(?:error while loading shared libraries|Library not loaded|cannot load library):?\s*([^\s:]+)"
)
_LIBRARY_VERSION = re.compile(r"version [`']([\w.]+)' not found")
_LICENCE = re.compile(r"\blicen[sc]e\b|\bFlexNet\b|\barmlm\b|\bLM_LICENSE_FILE\b", re.IGNORECASE)
_DOCKER = re.compile(
    r"Cannot connect to the Docker daemon|permission denied.*docker|Unable to find image|No such image"
)
_REPLACE = ["`--fvp open` runs the open machine", "`deploy doctor` lists what is installed"]


def executable_format(path: Path) -> str | None:
    """What kind of machine code a file holds: ``x86_64``, ``aarch64`` ... for ELF, ``macOS``, ``Windows``.

    None for anything else (scripts) and for files that cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(20)
    except OSError:
        return None
    if head[:2] == b"MZ":
        return "Windows"
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe"):
        return "macOS"
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return None
    order = ">" if head[5] == 2 else "<"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    return _MACHINES.get(machine, f"ELF machine {machine}")


def foreign_format(path: Path) -> str | None:
    """The machine that a file is built for, where this computer cannot run it; else None."""
    found = executable_format(path)
    if found is None:
        return None
    here = _ALIASES.get(platform.machine().lower(), platform.machine().lower())
    if sys.platform == "darwin":
        return None if found == "macOS" else f"Linux on {found}"
    return None if found == here else found


def cannot_start(path: Path, error: BaseException) -> NotInstalledError:
    """The error for a simulator that the system does not start, or that hangs when asked for its version."""
    foreign = foreign_format(path)
    if foreign is not None:
        hints = ["Arm has downloads for Linux on x86_64 and on aarch64", *_REPLACE]
        if sys.platform == "darwin":
            hints.insert(0, "on macOS Arm's FVP runs in a container: `--fvp docker:IMAGE`, see fvp/README.md")
        return NotInstalledError(
            f"{path}: wrong architecture: built for {foreign}, this computer is {platform.machine()}", hints=hints
        )
    if isinstance(error, FileNotFoundError) and path.is_file():
        return NotInstalledError(
            f"{path}: does not start: its loader or interpreter is missing",
            hints=["on musl systems install a C library that is compatible with glibc", *_REPLACE],
        )
    detail = getattr(error, "strerror", None) or error
    return NotInstalledError(f"{path}: does not start: {detail}", hints=_REPLACE)


def starts_but_fails(command: str, status: int, lines: Sequence[str]) -> NotInstalledError:
    """The error for a program that does not answer ``--version`` as a simulator does."""
    text = "\n".join(lines)
    if found := _LIBRARY.search(text):
        hints = [f"install the package that holds {found[1]} (apt-file search {found[1]})", *_REPLACE]
        if "python" in found[1]:
            hints.insert(0, "it lies in the installation's python/lib: name the executable where it was installed")
        return NotInstalledError(f"{command}: a shared library is missing: {found[1]}", hints=hints)
    if found := _LIBRARY_VERSION.search(text):
        return NotInstalledError(
            f"{command}: a shared library is too old: it has no version {found[1]}",
            hints=["a newer system, or the container of fvp/Dockerfile", *_REPLACE],
        )
    if status != 0 and _DOCKER.search(text):
        return NotInstalledError(
            f"{command}: Docker cannot run it: {lines[-1][:200]}",
            hints=["is Docker running, and the image built? see fvp/README.md", *_REPLACE],
        )
    if status != 0 and _LICENCE.search(text):
        line = next(line for line in lines if _LICENCE.search(line))
        return NotInstalledError(
            f"{command}: needs a licence: {line[:200]}",
            hints=["Arm's release 11.32 for macOS needs one; releases for Linux up to 11.27 do not", *_REPLACE],
        )
    said = f"it says: {lines[-1][:200]}" if lines else "it says nothing"
    return NotInstalledError(f"{command}: not a Corstone simulator (--version: {said})", hints=_REPLACE)
