"""Where a program calls its host: the addresses of every BKPT 0xAB in what is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from deploy.corstone.elf_layout import (
    FILE_HEADER,
    PROGRAM_HEADER,
    PT_LOAD,
    SECTION_HEADER,
    SHF_EXECINSTR,
    SHT_NOBITS,
)

_BREAKPOINT = bytes.fromhex("abbe")


def semihosting_calls(applications: Iterable[Path | bytes]) -> frozenset[int]:
    """The addresses that a BKPT 0xAB may be executed at.

    Data that looks like one is among them, which does no harm: nobody executes it.

    Args:
        applications: ELF files that were checked, or the content of some.
    """
    found: set[int] = set()
    for each in applications:
        content = each if isinstance(each, bytes) else each.read_bytes()
        for address, offset, size in _code(content):
            at = content.find(_BREAKPOINT, offset, offset + size)
            while at >= 0:
                if not (address + at - offset) & 1:
                    found.add(address + at - offset)
                at = content.find(_BREAKPOINT, at + 1, offset + size)
    return frozenset(found)


def _code(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Address, offset in the file and size of what may be code, where it is loaded to and where it runs."""
    header = FILE_HEADER.unpack_from(content)
    programs, sections, count, section_count = header[5], header[6], header[10], header[12]
    code = []
    if sections and sections + section_count * SECTION_HEADER.size <= len(content):
        for listing in SECTION_HEADER.iter_unpack(content[sections:][: section_count * SECTION_HEADER.size]):
            _name, kind, flags, address, offset, size = listing[:6]
            if flags & SHF_EXECINSTR and kind != SHT_NOBITS:
                code.append((address, offset, size))
    yield from code
    # Arm's linker says in sections alone where code runs, others in segments, too; a stripped file has only those.
    for segment in PROGRAM_HEADER.iter_unpack(content[programs:][: count * PROGRAM_HEADER.size]):
        kind, offset, virtual, physical, stored = segment[:5]
        if kind != PT_LOAD:
            continue
        parts = code or [(virtual, offset, stored)]
        for address in {virtual, physical}:
            for _at, first, size in parts:
                start, stop = max(first, offset), min(first + size, offset + stored)
                if start < stop:
                    yield address + start - offset, start, stop - start
