"""Files on the command line, checked: raw data to load, memory to dump, with their places."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

from deploy.corstone.memory_map import MemoryMap
from deploy.corstone.parameters import short_name
from deploy.corstone.stand_in import StandIn
from deploy.errors import BadInputError

_NUMBER = r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})"
# The FVP's names for what Secure and Non-secure accesses see; an address is the same bytes in each of them.
_SPACE = r"(?:(?:[SN]|Secure|NonSecure|[SN]?[Mm]emory|[0-9]+):)?"
_PLACE = re.compile(rf"(.+)@{_SPACE}{_NUMBER}", re.DOTALL)
_DUMP_PLACE = re.compile(rf"{_PLACE.pattern},{_NUMBER}", re.DOTALL)
_INSTANCE = re.compile(r"[\w.*]+")


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


def cpu_instances(model: StandIn) -> tuple[str, ...]:
    """The names that the processor goes by."""
    cpu = model.instances["cpu"]
    return (cpu, "cpu0", f"{model.fvp}.{cpu}", f"cpu_core.{cpu}")


def without_instance(text: str, model: StandIn) -> str:
    """An argument without the core that it is for (there is one only)."""
    instance, equals, rest = text.partition("=")
    if not equals or not _INSTANCE.fullmatch(instance):
        return text
    return rest if any(fnmatch.fnmatchcase(name, instance) for name in cpu_instances(model)) else text


def parse_data(text: str, model: StandIn) -> DataLoad:
    """Read the argument of ``--data``.

    Raises:
        BadInputError: malformed, no such file, or it does not fit where it is to go.
    """
    base, rest = _memory_instance(text, model)
    match = _PLACE.fullmatch(rest)
    if match is None:
        raise BadInputError(f"--data {text}: not of the form [INSTANCE=]FILE@[SPACE:]ADDRESS")
    path, address = Path(match.group(1)), base + _number(match.group(2))
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInputError(f"--data {text}: {path}: {error.strerror}") from error
    if not path.is_file():
        raise BadInputError(f"--data {text}: {path} is not a file")
    _check_place(f"--data {text}", address, max(size, 1), model.memories)
    return DataLoad(path, address)


def parse_dump(text: str, model: StandIn) -> Dump:
    """Read the argument of ``--dump``.

    Raises:
        BadInputError: malformed, no memory there, or no folder to write to.
    """
    base, rest = _memory_instance(text, model)
    match = _DUMP_PLACE.fullmatch(rest)
    if match is None:
        raise BadInputError(f"--dump {text}: not of the form [INSTANCE=]FILE@[SPACE:]ADDRESS,SIZE")
    dump = Dump(Path(match.group(1)), base + _number(match.group(2)), _number(match.group(3)))
    if dump.size == 0:
        raise BadInputError(f"--dump {text}: nothing to write (size 0)")
    _check_place(f"--dump {text}", dump.address, dump.size, model.memories)
    folder = dump.path.absolute().parent
    if not is_folder(folder):
        raise BadInputError(f"--dump {text}: there is no folder {folder}")
    return dump


def parse_start(text: str, model: StandIn) -> int:
    """Read the argument of ``--start``: the address of the first instruction.

    Raises:
        BadInputError: no number, or no memory there.
    """
    match = re.fullmatch(_NUMBER, without_instance(text, model))
    if match is None:
        raise BadInputError(f"--start {text}: not of the form [cpu0=]ADDRESS")
    address = _number(match.group(1)) & ~1
    _check_place(f"--start {text}", address, 2, model.memories)
    return address


def _memory_instance(text: str, model: StandIn) -> tuple[int, str]:
    """Address that offsets count from, and the rest of an argument; 0 where it is for the processor."""
    instance, equals, rest = text.partition("=")
    base = model.memories.instances.get(short_name(instance, model)) if equals else None
    return (0, without_instance(text, model)) if base is None else (base, rest)


def _number(text: str) -> int:
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def _check_place(what: str, address: int, size: int, memories: MemoryMap) -> None:
    if memories.locate(address, size) is None:
        raise BadInputError(
            f"{what}: {size} bytes at 0x{address:08x} do not lie in one of {memories.owner}'s memories",
            hints=[f"memories: {memories.describe()}"],
        )
