"""ELF files made of sections and symbols, for tests of what changes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

PROGBITS, NOBITS, SYMTAB, STRTAB = 1, 8, 2, 3
FUNC, OBJECT, NONE = 2, 1, 0
HEADER, SEGMENT, SECTION, SYMBOL = 52, 32, 40, 16


@dataclass(frozen=True)
class Part:
    """A section that is a segment, too.

    Attributes:
        symbols: (name, offset, size, type); mapping symbols are ``("$t", 0, 0, NONE)``.
        load: address that it is loaded to; None for the same.
        size: bytes in memory, where they are more than the content.
        name: of the section.
    """

    address: int
    content: bytes
    symbols: Sequence[tuple[str, int, int, int]] = ()
    executable: bool = True
    load: int | None = None
    size: int = 0
    kind: int = PROGBITS
    loaded: bool = field(default=True)
    name: str = ""


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def elf(*parts: Part, entry: int = 0) -> bytes:
    """The file: header, program headers, the parts' bytes, symbols, section headers."""
    loaded = [part for part in parts if part.loaded]
    offset = HEADER + SEGMENT * len(loaded)
    body, places = b"", []
    for part in parts:
        body += bytes(-(offset + len(body)) % 4)
        places.append(offset + len(body))
        body += part.content
    names, symbols = b"\0", bytes(SYMBOL)
    named = []
    for part in parts:
        named.append(len(names) if part.name else 0)
        names += part.name.encode() + b"\0" if part.name else b""
    for number, part in enumerate(parts, start=1):
        for name, at, size, kind in part.symbols:
            symbols += struct.pack("<IIIBBH", len(names), part.address + at, size, kind, 0, number)
            names += name.encode() + b"\0"
    segments = b"".join(
        struct.pack(
            "<8I",
            *(1, place, part.address, part.address if part.load is None else part.load),
            *(len(part.content), max(len(part.content), part.size), 5 if part.executable else 6, 4),
        )
        for part, place in zip(parts, places, strict=True)
        if part.loaded
    )
    at = offset + len(body)
    sections = bytes(SECTION)
    for part, place, name_at in zip(parts, places, named, strict=True):
        flags = (2 if part.loaded else 0) | (4 if part.executable else 1)
        size = max(len(part.content), part.size)
        sections += struct.pack("<10I", name_at, part.kind, flags, part.address, place, size, 0, 0, 4, 0)
    sections += struct.pack("<10I", 0, SYMTAB, 0, 0, at, len(symbols), len(parts) + 2, 0, 4, SYMBOL)
    sections += struct.pack("<10I", 0, STRTAB, 0, 0, at + len(symbols), len(names), 0, 0, 1, 0)
    where = at + len(symbols) + len(names)
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        *(ident, 2, 40, 1, entry, HEADER, where, 0),
        *(HEADER, SEGMENT, len(loaded), SECTION, len(parts) + 3, len(parts) + 2),
    )
    return header + segments + body + symbols + names + sections


def segment_addresses(content: bytes) -> list[tuple[int, int]]:
    """Virtual and physical address of each segment."""
    (count,) = struct.unpack_from("<H", content, 44)
    return [struct.unpack_from("<II", content, HEADER + SEGMENT * n + 8) for n in range(count)]


def content_of(content: bytes, number: int) -> bytes:
    """The bytes of a segment."""
    _, offset, _, _, stored, *_ = struct.unpack_from("<8I", content, HEADER + SEGMENT * number)
    return content[offset : offset + stored]


def entry_of(content: bytes) -> int:
    return int.from_bytes(content[24:28], "little")
