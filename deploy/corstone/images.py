"""What QEMU is given of the applications: their files, and the words that the CPU starts with."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from deploy.corstone.applications import Application, loaded_parts, read_application
from deploy.corstone.file_arguments import DataLoad
from deploy.corstone.memory_map import MemoryMap
from deploy.corstone.stand_in import StandIn
from deploy.errors import BadInputError

# What lies at address 0 where the board begins elsewhere: stack pointer and reset handler of QEMU's machine, and
# that handler, which does what the processor does at reset: VTOR names the table, and what stands there then is
# where the stack and the program begin, after a reset, too.
#   ldr r0, begin; ldr r1, vtor; str r0, [r1]; ldr r1, [r0]; msr msp, r1; isb; ldr r0, [r0, #4]; bx r0
_START_CODE = bytes.fromhex("0448 0549 0860 0168 81f3 0888 bff3 6f8f 4068 0047")
_START = struct.Struct(f"<II{len(_START_CODE)}sII")
_HANDLER = 8 | 1
_VTOR = 0xE000ED08


@dataclass(frozen=True)
class Images:
    """What QEMU loads.

    Attributes:
        applications: files, or the content of those that were changed.
        start: what lies at address 0, where QEMU's machine begins, to begin elsewhere; None where the vector table
            is there.
        data: raw files for memory that only QEMU itself can write, with their addresses.
        report: what was changed, in lines.
    """

    applications: tuple[Path | bytes, ...]
    start: bytes | None = None
    data: tuple[DataLoad, ...] = ()
    report: tuple[str, ...] = ()

    def parts(self, memories: MemoryMap) -> tuple[tuple[int, bytes], ...]:
        """Address and bytes of all that is loaded; empty where only QEMU itself can write some of it."""
        found = [] if self.start is None else [(0, self.start)]
        for elf in self.applications:
            found += loaded_parts(elf)
        places = [memories.locate(address, len(content)) for address, content in found]
        inside = all(place is not None and not place.block.open_rom for place in places)
        return tuple(found) if inside and not self.data else ()


def load_images(
    applications: Sequence[Path],
    model: StandIn,
    *,
    begin: int | None = None,
    data: Sequence[DataLoad] = (),
) -> Images:
    """Read applications for a board.

    Args:
        applications: files.
        model: the board.
        begin: address of the vector table at reset; None for the board's own.
        data: raw files that are loaded beside them.

    Raises:
        BadInputError: one is not an application, does not fit, or nothing is loaded where the board begins.
    """
    read = [read_application(path, model.memories) for path in applications]
    begin = model.hardware.cpu.vectors if begin is None else begin
    place = model.memories.locate(begin, 8)
    if place is None:
        raise BadInputError(
            f"INITSVTOR 0x{begin:08x} lies in none of {model.memories.owner}'s memories",
            hints=[f"memories: {model.memories.describe()}"],
        )
    _check_apart(applications, read, model)
    images: list[Path | bytes] = []
    report: list[str] = []
    for path, application in zip(applications, read, strict=True):
        image, lines = _moved(path, application, model)
        images.append(image)
        report += lines
    start = None
    if place.block.nonsecure + place.offset:
        _check_begin(applications, read, model, begin, data)
        address = place.block.bases[-1] + place.offset
        start = _START.pack(0, _HANDLER, _START_CODE, address, _VTOR)
    rom = tuple(each for each in data if _read_only(each.address, model))
    return Images(tuple(images), start, rom, tuple(report))


def _check_begin(
    paths: Sequence[Path], read: Sequence[Application], model: StandIn, begin: int, data: Sequence[DataLoad]
) -> None:
    """Refuse what cannot begin there."""
    segments = [
        (path, each) for path, application in zip(paths, read, strict=True) for each in application.segments
    ]
    for path, each in segments:
        if each.load_address < _START.size:
            raise BadInputError(
                f"{path}: what is loaded to 0x{each.load_address:08x} takes the place of QEMU's vector table"
            )
    wanted = model.memories.locate(begin)
    spans = [(each.load_address, each.size) for _, each in segments]
    spans += [(each.address, each.path.stat().st_size) for each in data]
    for address, size in spans:
        place = model.memories.locate(address)
        if place and wanted and place.block is wanted.block and 0 <= wanted.offset - place.offset < size:
            return
    raise BadInputError(
        f"{paths[0]}: it has no vector table at 0x{begin:08x}, where {model.memories.owner} begins",
        hints=["was it built for another board?"],
    )


def _check_apart(paths: Sequence[Path], read: Sequence[Application], model: StandIn) -> None:
    """Refuse applications that lie one over the other: QEMU would not start."""
    places = []
    for path, application in zip(paths, read, strict=True):
        for each in application.segments:
            if place := model.memories.locate(each.load_address):
                places.append((place.block.name, place.offset, each.size, path))
    places.sort(key=lambda place: place[:2])
    for (block, offset, size, path), (other_block, other_offset, _, other) in pairwise(places):
        if block == other_block and offset + size > other_offset and path != other:
            raise BadInputError(f"{path} and {other} load to the same addresses in {block}")


def _read_only(address: int, model: StandIn) -> bool:
    place = model.memories.locate(address)
    return place is not None and place.block.open_rom


def _moved(path: Path, application: Application, model: StandIn) -> tuple[Path | bytes, list[str]]:
    """An application for QEMU's addresses, and what that took in lines; as it is on a board that QEMU has."""
    elf = application.elf
    if not model.moves:
        return elf, []
    from deploy.corstone.relocation import relocate  # no boot of a board that QEMU has waits for it

    try:
        moved = relocate(elf if isinstance(elf, bytes) else elf.read_bytes(), model.moves)
    except BadInputError as error:
        raise BadInputError(
            f"{path}: it cannot be moved to addresses that QEMU has: {error.message}", hints=error.hints
        ) from error
    lines = [
        f"{path}: {move.name} at 0x{move.first:08x} is QEMU's 0x{move.to:08x}: "
        + (f"segments moved: {moved.segments[move]}, " if move in moved.segments else "")
        + f"addresses changed: {moved.words.get(move, 0)}"
        for move in model.moves
        if move in moved.words or move in moved.segments
    ]
    if moved.distances:
        lines.append(f"{path}: distances between what moved and what stayed changed: {moved.distances}")
    return moved.content, lines
