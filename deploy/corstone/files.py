"""Files on the command line: applications, raw data to load, memory to dump, with their places checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.corstone import memory_map
from deploy.errors import BadInputError

_INSTANCE = re.compile(r"(?:cpu0|cpu\*|\*|FVP_MPS3_Corstone_SSE_300\.cpu0)=(.*)", re.DOTALL)
_NUMBER = r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})"
_PLACE = re.compile(rf"(.+)@(?:Memory:|memory:)?{_NUMBER}", re.DOTALL)
_DUMP_PLACE = re.compile(rf"{_PLACE.pattern},{_NUMBER}", re.DOTALL)


@dataclass(frozen=True)
class DataLoad:
    """A raw file to load: ``--data FILE@ADDRESS``."""

    path: Path
    address: int


@dataclass(frozen=True)
class Dump:
    """Memory to write to a file at the end: ``--dump FILE@Memory:ADDRESS,SIZE`` (size in bytes)."""

    path: Path
    address: int
    size: int


def is_folder(path: Path) -> bool:
    """Whether there is a folder of that name; False for names that no file system takes."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def without_instance(text: str) -> str:
    """A file argument without the core that it is for (there is one only)."""
    match = _INSTANCE.fullmatch(text)
    return match.group(1) if match else text


def parse_data(text: str) -> DataLoad:
    """Read the argument of ``--data``.

    Raises:
        BadInputError: malformed, no such file, or it does not fit where it is to go.
    """
    match = _PLACE.fullmatch(without_instance(text))
    if match is None:
        raise BadInputError(f"--data {text}: not of the form [cpu0=]FILE@[Memory:]ADDRESS")
    path, address = Path(match.group(1)), _number(match.group(2))
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInputError(f"--data {text}: {path}: {error.strerror}") from error
    if not path.is_file():
        raise BadInputError(f"--data {text}: {path} is not a file")
    _check_place(f"--data {text}", address, max(size, 1))
    return DataLoad(path, address)


def parse_dump(text: str) -> Dump:
    """Read the argument of ``--dump``.

    Raises:
        BadInputError: malformed, no memory there, or no folder to write to.
    """
    match = _DUMP_PLACE.fullmatch(without_instance(text))
    if match is None:
        raise BadInputError(f"--dump {text}: not of the form [cpu0=]FILE@[Memory:]ADDRESS,SIZE")
    dump = Dump(Path(match.group(1)), _number(match.group(2)), _number(match.group(3)))
    if dump.size == 0:
        raise BadInputError(f"--dump {text}: nothing to write (size 0)")
    _check_place(f"--dump {text}", dump.address, dump.size)
    folder = dump.path.absolute().parent
    if not is_folder(folder):
        raise BadInputError(f"--dump {text}: there is no folder {folder}")
    return dump


def _number(text: str) -> int:
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def _check_place(what: str, address: int, size: int) -> None:
    if memory_map.locate(address, size) is None:
        raise BadInputError(
            f"{what}: {size} bytes at 0x{address:08x} do not lie in one of {memory_map.BOARD.name}'s memories",
            hints=[f"memories: {memory_map.describe()}"],
        )
