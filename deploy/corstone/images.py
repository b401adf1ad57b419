"""What QEMU is given of the applications: their files, and the words that the CPU starts with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.corstone.file_arguments import read_segments
from deploy.corstone.stand_in import StandIn
from deploy.errors import BadInputError

_VECTOR_BYTES = 8


@dataclass(frozen=True)
class Images:
    """What QEMU loads.

    Attributes:
        applications: files, or the content of those that were changed.
        vectors: stack pointer and reset handler for address 0, where QEMU's machine begins; None where the first
            application has its vector table there.
        report: what was changed, in lines.
    """

    applications: tuple[Path | bytes, ...]
    vectors: bytes | None = None
    report: tuple[str, ...] = ()


def load_images(applications: Sequence[Path], model: StandIn) -> Images:
    """Read applications for a board; the first one boots.

    Raises:
        BadInputError: one is not an application, does not fit, or has no vector table where the board begins.
    """
    segments = [read_segments(path, model.memories) for path in applications]
    begin = model.hardware.cpu.vectors
    place = model.memories.locate(begin)
    if place is not None and 0 in place.memory.bases:
        return Images(tuple(applications))
    bottom = [each for found in segments for each in found if each.load_address < _VECTOR_BYTES]
    if bottom:
        raise BadInputError(
            f"what is loaded to 0x{bottom[0].load_address:08x} takes the place of QEMU's vector table"
        )
    first = applications[0]
    table = next(
        (each for each in segments[0] if each.load_address <= begin < each.load_address + each.size), None
    )
    if table is None:
        raise BadInputError(
            f"{first}: it has no vector table at 0x{begin:08x}, where {model.memories.owner} begins",
            hints=["was it built for another board?"],
        )
    images: list[Path | bytes] = []
    report: list[str] = []
    for path in applications:
        image, lines = _moved(path, model)
        images.append(image)
        report += lines
    position = table.file_offset + begin - table.load_address
    return Images(tuple(images), _bytes(images[0], position, _VECTOR_BYTES), tuple(report))


def _moved(path: Path, model: StandIn) -> tuple[Path | bytes, list[str]]:
    """An application for QEMU's addresses, and what that took in lines; as it is on a board that QEMU has."""
    if not model.moves:
        return path, []
    from deploy.corstone.relocation import relocate  # no boot of a board that QEMU has waits for it

    try:
        moved = relocate(path.read_bytes(), model.moves)
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


def _bytes(image: Path | bytes, offset: int, size: int) -> bytes:
    if isinstance(image, bytes):
        return image[offset : offset + size]
    with image.open("rb") as file:
        file.seek(offset)
        return file.read(size)
