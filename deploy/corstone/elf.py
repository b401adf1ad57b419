"""Reads an application's ELF header: a wrong file gets a clear message before QEMU sees it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from deploy.corstone import memory_map
from deploy.errors import BadInputError

_MAX_FILE_SIZE = 512 * 1024 * 1024
_MAX_SEGMENTS = 1024
_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SEGMENT = struct.Struct("<IIIIIIII")
_MAX_RANGE = 64 * 1024 * 1024
_EM_ARM = 40
_MACHINES = {3: "x86", 8: "MIPS", 62: "x86-64", 94: "Xtensa", 183: "AArch64 (64-bit Arm)", 243: "RISC-V"}
_PT_LOAD = 1
_WRITABLE = 2


@dataclass(frozen=True)
class Segment:
    """One part of an application that is loaded.

    Attributes:
        load_address: physical address that the bytes are loaded to.
        file_offset: where they stand in the file.
        size: bytes in the file.
    """

    load_address: int
    file_offset: int
    size: int


@dataclass(frozen=True)
class Range:
    """A range of memory."""

    address: int
    size: int


def read_segments(path: Path) -> tuple[Segment, ...]:
    """Read and check what an application loads.

    Raises:
        BadInputError: not a readable 32-bit little-endian Arm executable, or it loads outside of the memories.
    """
    table, size = _program_headers(path)
    return _segments(path, table, size)


def writable_ranges(path: Path) -> tuple[Range, ...]:
    """The memory that an application writes to while it runs, what it never loads included; wherever it lies.

    Raises:
        BadInputError: not a readable 32-bit little-endian Arm executable, or it wants absurdly much memory.
    """
    table, _size = _program_headers(path)
    found = []
    for kind, _offset, virtual, _physical, _stored, in_memory, flags, _align in _SEGMENT.iter_unpack(table):
        if kind == _PT_LOAD and flags & _WRITABLE and in_memory:
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
            header = file.read(_HEADER.size)
            _check_header(path, header)
            fields = _HEADER.unpack(header)
            table_offset, entry_size, count = fields[5], fields[9], fields[10]
            file.seek(table_offset)
            table = file.read(entry_size * min(count, _MAX_SEGMENTS))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    if size > _MAX_FILE_SIZE:
        raise BadInputError(f"{path}: {size} bytes is too large for an application (at most {_MAX_FILE_SIZE})")
    if entry_size != _SEGMENT.size or count > _MAX_SEGMENTS or len(table) < entry_size * count:
        raise BadInputError(f"{path}: broken ELF file: its program headers are cut off or of a wrong size")
    return table[: entry_size * count], size


def _check_header(path: Path, header: bytes) -> None:
    if len(header) < _HEADER.size or header[:4] != b"\x7fELF":
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
        f"{path}: built for {what}, {bits}, {order}; Corstone-300 needs a 32-bit little-endian Arm executable",
        hints=["build it with arm-none-eabi-gcc -mcpu=cortex-m55"],
    )


def _segments(path: Path, table: bytes, file_size: int) -> tuple[Segment, ...]:
    segments = []
    for kind, offset, _virtual, physical, stored, _in_memory, _flags, _align in _SEGMENT.iter_unpack(table):
        if kind != _PT_LOAD or stored == 0:
            continue
        if offset + stored > file_size:
            raise BadInputError(f"{path}: broken ELF file: the segment for 0x{physical:08x} is cut off")
        if memory_map.locate(physical, stored) is None:
            raise BadInputError(
                f"{path}: its segment at 0x{physical:08x} ({stored} bytes) lies outside of all memories",
                hints=[f"memories: {memory_map.describe()}"],
            )
        segments.append(Segment(physical, offset, stored))
    if not segments:
        raise BadInputError(f"{path}: nothing to load in this ELF file")
    return tuple(segments)
