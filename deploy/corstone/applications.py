"""Applications, checked before QEMU sees them, so that a wrong file gets a clear message.

An application is an ELF file. One in Intel HEX is turned into one, so that everything else knows ELF alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from deploy.corstone import intel_hex
from deploy.corstone.elf_layout import FILE_HEADER, PROGRAM_HEADER, PT_LOAD
from deploy.corstone.memory_map import MemoryMap
from deploy.errors import BadInputError

_MAX_RANGE = 64 * 1024 * 1024
_MAX_FILE_SIZE = 512 * 1024 * 1024
_MAX_HEX_SIZE = 64 * 1024 * 1024
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
class Application:
    """What QEMU is given of an application.

    Attributes:
        elf: the ELF file, or the content of one that was made of another format.
        segments: what it loads.
    """

    elf: Path | bytes
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Range:
    """A range of memory."""

    address: int
    size: int


def read_application(path: Path, memories: MemoryMap) -> Application:
    """Read and check an application.

    Raises:
        BadInputError: not a readable 32-bit little-endian Arm executable or Intel HEX file, or it loads outside of
            the memories.
    """
    content, table, size = _program_headers(path)
    return Application(path if content is None else content, _segments(path, table, size, memories))


def loaded_parts(elf: Path | bytes) -> list[tuple[int, bytes]]:
    """Address and bytes of each segment of a checked application."""
    content = elf if isinstance(elf, bytes) else elf.read_bytes()
    fields = FILE_HEADER.unpack_from(content)
    table = content[fields[5] : fields[5] + fields[9] * fields[10]]
    return [
        (physical, content[offset : offset + stored])
        for kind, offset, _virtual, physical, stored, *_ in PROGRAM_HEADER.iter_unpack(table)
        if kind == PT_LOAD and stored
    ]


def writable_ranges(path: Path) -> tuple[Range, ...]:
    """The memory that an application writes to while it runs, what it never loads included; wherever it lies.

    Raises:
        BadInputError: not a readable 32-bit little-endian Arm executable or Intel HEX file, or it wants absurdly
            much memory.
    """
    _content, table, _size = _program_headers(path)
    found = []
    for kind, _offset, virtual, _physical, _stored, in_memory, flags, _align in PROGRAM_HEADER.iter_unpack(table):
        if kind == PT_LOAD and flags & _WRITABLE and in_memory:
            found.append(Range(virtual, in_memory))
    if sum(place.size for place in found) > _MAX_RANGE:
        raise BadInputError(f"{path}: it writes to more than {_MAX_RANGE} bytes of memory")
    return tuple(found)


def _program_headers(path: Path) -> tuple[bytes | None, bytes, int]:
    """The content where it had to be made, the table of program headers, and the size of the whole."""
    content = None
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise BadInputError(f"{path}: not a file")
        if size > _MAX_FILE_SIZE:
            raise BadInputError(f"{path}: {size} bytes is too large for an application (at most {_MAX_FILE_SIZE})")
        with path.open("rb") as file:
            header = file.read(FILE_HEADER.size)
            if intel_hex.is_hex(header):
                if size > _MAX_HEX_SIZE:
                    raise BadInputError(f"{path}: too large for Intel HEX (at most {_MAX_HEX_SIZE} bytes)")
                content = _converted(path, header + file.read(_MAX_HEX_SIZE))
                size, header = len(content), content[: FILE_HEADER.size]
            _check_header(path, header)
            fields = FILE_HEADER.unpack(header)
            table_offset, entry_size, count = fields[5], fields[9], fields[10]
            wanted = entry_size * min(count, _MAX_SEGMENTS)
            if content is None:
                file.seek(table_offset)
                table = file.read(wanted)
            else:
                table = content[table_offset : table_offset + wanted]
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    if entry_size != PROGRAM_HEADER.size or count > _MAX_SEGMENTS or len(table) < entry_size * count:
        raise BadInputError(f"{path}: broken ELF file: its program headers are cut off or of a wrong size")
    return content, table[: entry_size * count], size


def _converted(path: Path, content: bytes) -> bytes:
    try:
        return intel_hex.as_elf(content)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error.message}", hints=error.hints) from error


def _check_header(path: Path, header: bytes) -> None:
    if len(header) < FILE_HEADER.size or header[:4] != b"\x7fELF":
        raise BadInputError(
            f"{path}: not an ELF file, nor Intel HEX",
            hints=["the application is the .axf or .elf file that the linker wrote"],
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
