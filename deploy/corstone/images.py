"""What QEMU is given of the applications: their files, and the words that the CPU starts with."""

from __future__ import annotations

import struct
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
    first = applications[0]
    table = next(
        (each for each in segments[0] if each.load_address <= begin < each.load_address + each.size), None
    )
    if table is None:
        raise BadInputError(
            f"{first}: it has no vector table at 0x{begin:08x}, where {model.memories.owner} begins",
            hints=["was it built for another board?"],
        )
    with first.open("rb") as file:
        file.seek(table.file_offset + begin - table.load_address)
        vectors = file.read(_VECTOR_BYTES)
    if len(vectors) < _VECTOR_BYTES or not any(struct.unpack("<2I", vectors)):
        raise BadInputError(f"{first}: the vector table at 0x{begin:08x} is empty")
    bottom = [each for found in segments for each in found if each.load_address < _VECTOR_BYTES]
    if bottom:
        raise BadInputError(f"{first}: what it loads to 0x{bottom[0].load_address:08x} QEMU needs for its start")
    return Images(tuple(applications), vectors)
