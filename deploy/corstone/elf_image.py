"""An application's ELF file as what changes it needs it: segments, and which bytes are code and which are data.

Which is which, the mapping symbols tell that every toolchain for Arm leaves in an image: ``$t`` and ``$a`` begin
code, ``$d`` data (ELF for the Arm Architecture, 5.5.5). pyelftools reads the same, in 0.3 s for the symbols of
Arm's runner: half a boot more.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from deploy.corstone.elf_layout import (
    FILE_HEADER,
    PROGRAM_HEADER,
    PT_LOAD,
    SECTION_HEADER,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHT_NOBITS,
    SHT_SYMTAB,
    STT_FUNC,
    STT_OBJECT,
    SYMBOL,
)
from deploy.errors import BadInputError

_NUMBERS = ".network_data"
"""The section in which firmware of this project holds a network: numbers of any value, none of them an address."""
_KINDS: dict[bytes, Literal["code", "data"]] = {b"$t": "code", b"$a": "code", b"$d": "data"}

AreaKind = Literal["code", "data", "unknown"]


@dataclass(frozen=True)
class LoadedSegment:
    """A segment that is loaded.

    Attributes:
        header: where its program header stands in the file.
        offset: where its bytes begin in the file.
        virtual: address that it runs at.
        physical: address that it is loaded to.
        stored: bytes in the file.
        size: bytes in memory.
    """

    header: int
    offset: int
    virtual: int
    physical: int
    stored: int
    size: int


@dataclass(frozen=True)
class Area:
    """Bytes of one kind.

    Attributes:
        kind: ``unknown`` where no mapping symbol says what they are.
        address: that they run at.
        offset: of the first one in the file.
        size: how many.
    """

    kind: AreaKind
    address: int
    offset: int
    size: int


@dataclass(frozen=True)
class Named:
    """A function or object that a symbol names."""

    name: str
    address: int
    size: int


class Ranges:
    """Functions or objects, to look up by address."""

    def __init__(self, entries: list[Named]) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.address)
        self._firsts = [entry.address for entry in self._entries]

    def at(self, address: int) -> Named | None:
        """What holds an address; None for nothing."""
        found = bisect_right(self._firsts, address) - 1
        if found < 0:
            return None
        entry = self._entries[found]
        return entry if address < entry.address + max(entry.size, 1) else None


@dataclass(frozen=True)
class ElfImage:
    """An application.

    Attributes:
        entry: address of its first instruction.
        areas: all bytes of sections that are loaded, by address, but for those of a network's numbers.
        occupied: (address, size) of every section that has an address, those included that nothing is loaded to.
    """

    entry: int
    segments: tuple[LoadedSegment, ...]
    areas: tuple[Area, ...]
    occupied: tuple[tuple[int, int], ...]
    functions: Ranges
    objects: Ranges


def read_image(content: bytes) -> ElfImage:
    """Read an ELF file of 32 bits.

    Raises:
        BadInputError: its tables are damaged.
    """
    header = _unpacked(FILE_HEADER, content, 0, 1, "header")
    fields = next(header)
    segments = tuple(_segments(content, fields))
    sections = (
        list(_unpacked(SECTION_HEADER, content, fields[6], fields[12], "section headers")) if fields[6] else []
    )
    marks: dict[int, list[tuple[int, int, AreaKind]]] = {}
    functions: list[Named] = []
    objects: list[Named] = []
    for listing in sections:
        if listing[1] != SHT_SYMTAB:
            continue
        if listing[6] >= len(sections):
            raise BadInputError("broken ELF file: its symbols have no names")
        first = sections[listing[6]][4]
        entries = _unpacked(SYMBOL, content, listing[4], listing[5] // SYMBOL.size, "symbols")
        for number, symbol in enumerate(entries):
            name, value, size, info, _other, section = symbol
            kind = _KINDS.get(content[first + name : first + name + 2])
            if kind is not None and info & 15 == 0:
                marks.setdefault(section, []).append((value & ~1, number, kind))
            elif info & 15 in (STT_FUNC, STT_OBJECT) and 0 < section < len(sections):
                listed, address = (functions, value & ~1) if info & 15 == STT_FUNC else (objects, value)
                listed.append(Named(_text(content, first + name), address, size))
    names = sections[fields[13]][4] if fields[13] < len(sections) else len(content)
    areas = [
        area
        for number, section in enumerate(sections)
        if _text(content, names + section[0]) != _NUMBERS
        for area in _areas(content, section, marks.get(number, []))
    ]
    if sum(area.size for area in areas) > len(content):
        raise BadInputError("broken ELF file: its sections overlap")
    return ElfImage(
        entry=fields[4],
        segments=segments,
        areas=tuple(sorted(areas, key=lambda area: area.address)),
        occupied=tuple((section[3], section[5]) for section in sections if section[3]),
        functions=Ranges(functions),
        objects=Ranges(objects),
    )


def _segments(content: bytes, fields: tuple[int, ...]) -> Iterator[LoadedSegment]:
    table, count = fields[5], fields[10]
    if fields[9] != PROGRAM_HEADER.size:
        raise BadInputError("broken ELF file: its program headers are of a wrong size")
    for number, segment in enumerate(_unpacked(PROGRAM_HEADER, content, table, count, "program headers")):
        kind, offset, virtual, physical, stored, size, _flags, _align = segment
        if kind == PT_LOAD and size:
            if offset + stored > len(content):
                raise BadInputError(f"broken ELF file: the segment for 0x{physical:08x} is cut off")
            yield LoadedSegment(table + number * PROGRAM_HEADER.size, offset, virtual, physical, stored, size)


def _areas(content: bytes, section: tuple[int, ...], marks: list[tuple[int, int, AreaKind]]) -> Iterator[Area]:
    """The bytes of a section by kind, in order; nothing of one that is not loaded."""
    _name, kind, flags, first, offset, size = section[:6]
    if not flags & SHF_ALLOC or kind == SHT_NOBITS or not size:
        return
    if offset + size > len(content):
        raise BadInputError(f"broken ELF file: the section at 0x{first:08x} is cut off")
    # What a linker script writes has no symbols; where nothing is executed, it is data. Of several symbols at one
    # address the last one counts: the others begin nothing.
    begins: dict[int, AreaKind] = {first: "unknown" if flags & SHF_EXECINSTR else "data"}
    begins.update((address, what) for address, _, what in sorted(marks) if first <= address < first + size)
    borders = [*sorted(begins), first + size]
    for address, end in pairwise(borders):
        yield Area(begins[address], address, offset + address - first, end - address)


def _unpacked(
    layout: struct.Struct, content: bytes, offset: int, count: int, what: str
) -> Iterator[tuple[int, ...]]:
    end = offset + count * layout.size
    if end > len(content):
        raise BadInputError(f"broken ELF file: its {what} are cut off")
    return layout.iter_unpack(memoryview(content)[offset:end])


def _text(content: bytes, offset: int) -> str:
    end = content.find(b"\0", offset, offset + 256)
    return content[offset : end if end >= 0 else offset + 256].decode("ascii", "replace")
