"""Moves an image from a board's addresses to those that QEMU's machine has: pure, from bytes to bytes.

Branches and most of what code reads are relative to it and move along. What is left are addresses in data, which
are whole aligned words: each that names a place which the image takes, or a device, is changed. Nobody says which
words are addresses, so whatever makes that doubtful is refused: bytes that no mapping symbol calls code or data,
large objects with a word here and there that looks like an address, addresses that code puts together by itself.
Code in what is moved and in what is not reaches the other by distances in literals, which change, too; where they
are near enough for a branch, that is refused.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from deploy.corstone.elf_image import Area, ElfImage, Named, read_image
from deploy.corstone.elf_layout import ENTRY_OFFSET, SEGMENT_ADDRESSES
from deploy.corstone.stand_in import Move
from deploy.corstone.thumb import distances, immediates
from deploy.errors import BadInputError

_WORD = struct.Struct("<I")
_LARGE_OBJECT = 4096
_BRANCH_RANGE = 16 * 1024 * 1024
_LITERAL_RANGE = 4096
_SPARSE = 64
"""A large object in which fewer than one of so many words look like addresses holds data, and these are chance."""


@dataclass(frozen=True)
class Relocated:
    """An image that was moved.

    Attributes:
        content: the ELF file.
        words: move -> how many addresses in data were changed by it; those that changed none are left out.
        distances: how many distances between code that moves and code that does not were changed.
        segments: move -> how many segments lie in it.
    """

    content: bytes
    words: dict[Move, int]
    distances: int
    segments: dict[Move, int]


@dataclass(frozen=True)
class _Span:
    """Addresses that are changed: from ``first`` to ``last``, inclusive."""

    move: Move
    first: int
    last: int

    @property
    def shift(self) -> int:
        return self.move.to - self.move.first


def relocate(content: bytes, moves: Sequence[Move]) -> Relocated:
    """Move what lies, or points, where QEMU's machine has nothing.

    Args:
        content: an ELF file.
        moves: what QEMU's machine has elsewhere.

    Raises:
        BadInputError: the file is damaged, or it is not certain what would have to be changed; says why.
    """
    image = read_image(content)
    spans = tuple(_spans(image, moves))
    apart = _check_code(content, image, spans)
    changed = bytearray(content)
    words = Counter[Move]()
    for offset, span, value in _addresses(content, image, spans):
        _WORD.pack_into(changed, offset, value + span.shift & 0xFFFFFFFF)
        words[span.move] += 1
    changes = dict(_distances(content, image, spans)) if apart else {}
    for offset, change in changes.items():
        if changed[offset : offset + 4] != content[offset : offset + 4]:
            raise BadInputError("a word in it is an address and a distance at once")
        (value,) = _WORD.unpack_from(content, offset)
        _WORD.pack_into(changed, offset, value + change & 0xFFFFFFFF)
    segments = Counter[Move]()
    for segment in image.segments:
        for position, address in enumerate((segment.virtual, segment.physical)):
            home = _span_of(address, spans)
            if home is not None:
                place = segment.header + SEGMENT_ADDRESSES + 4 * position
                _WORD.pack_into(changed, place, address + home.shift & 0xFFFFFFFF)
                segments[home.move] += position
    home = _span_of(image.entry, spans)
    if home is not None:
        _WORD.pack_into(changed, ENTRY_OFFSET, image.entry + home.shift & 0xFFFFFFFF)
    return Relocated(bytes(changed), dict(words), len(changes), dict(segments))


def _spans(image: ElfImage, moves: Sequence[Move]) -> Iterator[_Span]:
    """What is changed: of memories the part that the image takes, up to the address behind it."""
    taken = [(each.virtual, each.size) for each in image.segments]
    taken += [(each.physical, each.stored) for each in image.segments]
    taken += image.occupied
    for move in moves:
        if not move.memory:
            yield _Span(move, move.first, move.first + move.size - 1)
            continue
        inside = [(first, first + size) for first, size in taken if move.first <= first < move.first + move.span]
        if inside:
            last = max(end for _, end in inside)
            if last > move.first + move.size:
                raise BadInputError(
                    f"it takes {move.name} up to 0x{last:08x}; QEMU's machine has room up to "
                    f"0x{move.first + move.size:08x}"
                )
            yield _Span(move, min(first for first, _ in inside), last)


def _span_of(address: int, spans: Sequence[_Span]) -> _Span | None:
    return next((span for span in spans if span.first <= address <= span.last), None)


def _addresses(content: bytes, image: ElfImage, spans: Sequence[_Span]) -> Iterator[tuple[int, _Span, int]]:
    """Offset in the file, span and value of each word in data that is an address."""
    uppers = {upper for span in spans for upper in range(span.first >> 16, (span.last >> 16) + 1)}
    found: list[tuple[int, _Span, int]] = []
    objects: dict[Named, int] = {}
    for area in image.areas:
        for address, value in _words(content, area, uppers):
            span = _span_of(value, spans)
            if span is None:
                continue
            if area.kind == "unknown":
                raise _doubtful(value, address, "no mapping symbol tells whether it is code or data")
            if area.kind == "code":
                if image.functions.at(address) is None:
                    raise _doubtful(value, address, "it is called code, but is part of no function")
                continue
            holder = image.objects.at(address)
            if holder is not None and holder.size >= _LARGE_OBJECT:
                objects[holder] = objects.get(holder, 0) + 1
            found.append((area.offset + address - area.address, span, value))
    for holder, count in objects.items():
        if count * _SPARSE < holder.size // 4:
            raise BadInputError(
                f"{count} of the {holder.size // 4} words of {holder.name} at 0x{holder.address:08x} look like "
                "addresses: whether they are is not known",
                hints=["big constants belong into a file of their own (--data), not into an image that is moved"],
            )
    yield from found


def _words(content: bytes, area: Area, uppers: set[int]) -> Iterator[tuple[int, int]]:
    """Address and value of the aligned words of an area whose upper half is one of some."""
    lead = -area.address % 4
    first, size = area.offset + lead, (area.size - lead) & ~3
    if size <= 0:
        return
    # Arenas are megabytes of zeros.
    size = len(content[first : first + size].rstrip(b"\0")) + 3 & ~3
    halves = memoryview(content)[first : first + size].cast("H")[1::2]
    for number, upper in enumerate(halves):
        if upper in uppers:
            (value,) = _WORD.unpack_from(content, first + 4 * number)
            yield area.address + lead + 4 * number, value


def _doubtful(value: int, address: int, why: str) -> BadInputError:
    return BadInputError(f"the word 0x{value:08x} at 0x{address:08x} may be an address: {why}")


def _check_code(content: bytes, image: ElfImage, spans: Sequence[_Span]) -> bool:
    """Refuse code that would not find what was moved; returns whether some of it moves otherwise than the rest.

    Raises:
        BadInputError: it makes such an address by itself, or branches may lead to code that moves otherwise.
    """
    code = [area for area in image.areas if area.kind == "code"]
    for area in code:
        for found in immediates(content[area.offset : area.offset + area.size]):
            for span in spans:
                if found.low <= span.last and found.high >= span.first:
                    raise BadInputError(
                        f"the instruction at 0x{area.address + found.offset:08x} makes an address in "
                        f"{span.move.name} by itself (MOVW and MOVT, or MOV): nothing tells that it is one",
                        hints=["addresses in literals can be moved: do not build it with -mpure-code"],
                    )
    # By address: neighbours are the nearest ones.
    for before, after in pairwise(code):
        near = after.address - before.address - before.size <= _BRANCH_RANGE
        if near and _shift(before.address, spans) != _shift(after.address, spans):
            raise BadInputError(
                f"code at 0x{before.address:08x} and 0x{after.address:08x} would be moved by different distances, "
                "and branches may lead from one to the other"
            )
    return len({_shift(area.address, spans) for area in code}) > 1


def _shift(address: int, spans: Sequence[_Span]) -> int:
    span = _span_of(address, spans)
    return span.shift if span else 0


def _distances(content: bytes, image: ElfImage, spans: Sequence[_Span]) -> Iterator[tuple[int, int]]:
    """Offset in the file of each distance from code to what moves otherwise, and what it changes by."""
    literals = _far_literals(content, image, spans)
    places = sorted(literals)

    def change(literal: int, base: int) -> int:
        if literal not in literals:
            return 0
        target = literals[literal][1] + base & 0xFFFFFFFF
        if not any(first <= target <= first + size for first, size in image.occupied):
            return 0
        return _shift(target, spans) - _shift(base, spans)

    for area in image.areas:
        nearest = bisect_left(places, area.address - _LITERAL_RANGE)
        if area.kind != "code" or nearest == len(places):
            continue
        if places[nearest] > area.address + area.size + _LITERAL_RANGE:
            continue
        code = content[area.offset : area.offset + area.size]
        for literal, base in distances(code, area.address, lambda literal, base: bool(change(literal, base))):
            yield literals[literal][0], change(literal, base)


def _far_literals(content: bytes, image: ElfImage, spans: Sequence[_Span]) -> dict[int, tuple[int, int]]:
    """Address -> offset in the file and value of the words that may be distances to what moves otherwise."""
    code: dict[int, list[Area]] = {}
    for area in image.areas:
        if area.kind == "code":
            code.setdefault(_shift(area.address, spans), []).append(area)
    ranges = [
        (first - areas[-1].address - areas[-1].size - 4, first + size - areas[0].address)
        for shift, areas in code.items()
        for first, size in image.occupied
        if _shift(first, spans) != shift
    ]
    uppers = {upper & 0xFFFF for low, high in ranges for upper in range(low >> 16, (high >> 16) + 1)}
    return {
        address: (area.offset + address - area.address, value)
        for area in image.areas
        if area.kind == "data"
        for address, value in _words(content, area, uppers)
    }
