"""Files on the command line, checked: applications, raw data to load, memory to dump, with their places.

An application's ELF header is checked before QEMU sees it, so that a wrong file gets a clear message.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from deploy.corstone.elf_layout import FILE_HEADER, PROGRAM_HEADER, PT_LOAD
from deploy.corstone.memory_map import MemoryMap
from deploy.corstone.stand_in import StandIn
from deploy.errors import BadInputError

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


def without_instance(text: str, model: StandIn) -> str:
    """A file argument without the core that it is for (there is one only)."""
    cpu = model.instances["cpu"]
    instance, equals, rest = text.partition("=")
    return rest if equals and instance in ("cpu0", "cpu*", "*", cpu, f"{model.fvp}.{cpu}") else text


def parse_data(text: str, model: StandIn) -> DataLoad:
    """Read the argument of ``--data``.

    Raises:
        BadInputError: malformed, no such file, or it does not fit where it is to go.
    """
    match = _PLACE.fullmatch(without_instance(text, model))
    if match is None:
        raise BadInputError(f"--data {text}: not of the form [cpu0=]FILE@[Memory:]ADDRESS")
    path, address = Path(match.group(1)), _number(match.group(2))
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
    match = _DUMP_PLACE.fullmatch(without_instance(text, model))
    if match is None:
        raise BadInputError(f"--dump {text}: not of the form [cpu0=]FILE@[Memory:]ADDRESS,SIZE")
    dump = Dump(Path(match.group(1)), _number(match.group(2)), _number(match.group(3)))
    if dump.size == 0:
        raise BadInputError(f"--dump {text}: nothing to write (size 0)")
    _check_place(f"--dump {text}", dump.address, dump.size, model.memories)
    folder = dump.path.absolute().parent
    if not is_folder(folder):
        raise BadInputError(f"--dump {text}: there is no folder {folder}")
    return dump


def _number(text: str) -> int:
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def _check_place(what: str, address: int, size: int, memories: MemoryMap) -> None:
    if memories.locate(address, size) is None:
        raise BadInputError(
            f"{what}: {size} bytes at 0x{address:08x} do not lie in one of {memories.owner}'s memories",
            hints=[f"memories: {memories.describe()}"],
        )


_MAX_RANGE = 64 * 1024 * 1024
_MAX_FILE_SIZE = 512 * 1024 * 1024
_MAX_SEGMENTS = 1024
_EM_ARM = 40
_MACHINES = {3: "x86", 8: "MIPS", 62: "x86-64", 94: "Xtensa", 183: "AArch64 (64-bit Arm)", 243: "RISC-V"}
_WRITABLE = 2


@dataclass(frozen=True)
class Segment:
    """One part of an application that is loaded.

    Attributes:
        load_address: physical address that the bytes are loaded to.
        size: bytes in the file.
        file_offset: of the first one.
    """

    load_address: int
    size: int
    file_offset: int


@dataclass(frozen=True)
class Range:
    """A range of memory."""

    address: int
    size: int


def read_segments(path: Path, memories: MemoryMap) -> tuple[Segment, ...]:
    """Read and check what an application loads.

    Raises:
        BadInputError: not a readable 32-bit little-endian Arm executable, or it loads outside of the memories.
    """
    table, size = _program_headers(path)
    return _segments(path, table, size, memories)


def writable_ranges(path: Path) -> tuple[Range, ...]:
    """The memory that an application writes to while it runs, what it never loads included; wherever it lies.

    Raises:
        BadInputError: not a readable 32-bit little-endian Arm executable, or it wants absurdly much memory.
    """
    table, _size = _program_headers(path)
    found = []
    for kind, _offset, virtual, _physical, _stored, in_memory, flags, _align in PROGRAM_HEADER.iter_unpack(table):
        if kind == PT_LOAD and flags & _WRITABLE and in_memory:
            found.append(Range(virtual, in_memory))
    if sum(place.size for place in found) > _MAX_RANGE:
        raise BadInputError(f"{path}: it writes to more than {_MAX_RANGE} bytes of memory")
    return tuple(found)


def _program_headers(path: Path) -> tuple[bytes, int]:
    """The table of program headers, and the size of the file."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise BadInputError(f"{path}: not a file")
        with path.open("rb") as file:
            header = file.read(FILE_HEADER.size)
            _check_header(path, header)
            fields = FILE_HEADER.unpack(header)
            table_offset, entry_size, count = fields[5], fields[9], fields[10]
            file.seek(table_offset)
            table = file.read(entry_size * min(count, _MAX_SEGMENTS))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    if size > _MAX_FILE_SIZE:
        raise BadInputError(f"{path}: {size} bytes is too large for an application (at most {_MAX_FILE_SIZE})")
    if entry_size != PROGRAM_HEADER.size or count > _MAX_SEGMENTS or len(table) < entry_size * count:
        raise BadInputError(f"{path}: broken ELF file: its program headers are cut off or of a wrong size")
    return table[: entry_size * count], size


def _check_header(path: Path, header: bytes) -> None:
    if len(header) < FILE_HEADER.size or header[:4] != b"\x7fELF":
        raise BadInputError(
            f"{path}: not an ELF file", hints=["the application is the .axf or .elf file that the linker wrote"]
        )
    kind, machine = struct.unpack_from("<HH", header, 16)
    if header[4] == 1 and header[5] == 1 and machine == _EM_ARM:
        if kind != 2:
            raise BadInputError(f"{path}: not an executable (an object file or a library?)")
        return
    what = _MACHINES.get(machine, f"machine {machine}")
    bits = {1: "32-bit", 2: "64-bit"}.get(header[4], "unknown class")
    order = {1: "little-endian", 2: "big-endian"}.get(header[5], "unknown byte order")
    raise BadInputError(
        f"{path}: built for {what}, {bits}, {order}; a Cortex-M needs a 32-bit little-endian Arm executable",
        hints=["build it with arm-none-eabi-gcc -mcpu=cortex-m55"],
    )


def _segments(path: Path, table: bytes, file_size: int, memories: MemoryMap) -> tuple[Segment, ...]:
    segments = []
    for kind, offset, _virtual, physical, stored, _in_memory, _flags, _align in PROGRAM_HEADER.iter_unpack(table):
        if kind != PT_LOAD or stored == 0:
            continue
        if offset + stored > file_size:
            raise BadInputError(f"{path}: broken ELF file: the segment for 0x{physical:08x} is cut off")
        if memories.locate(physical, stored) is None:
            raise BadInputError(
                f"{path}: its segment at 0x{physical:08x} ({stored} bytes) lies outside of all memories",
                hints=[f"memories: {memories.describe()}"],
            )
        segments.append(Segment(physical, stored, offset))
    if not segments:
        raise BadInputError(f"{path}: nothing to load in this ELF file")
    return tuple(segments)
