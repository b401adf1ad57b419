"""An approach to the blocks in which Vela lets an Ethos-U85 compute an output.

Its search (Vela 5.2.0's source package, ``ethosu/regor/architecture/ethosu85/ethos_u85.cpp``) goes through more
sizes, under conditions that the layers of a network do not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import NamedTuple

from deploy.hardware.designs import Three
from deploy.npu.stream.operations import BRICK, SUB_KERNEL
from deploy.npu.timing.transfers import ceil_divide

_PASS = 64
"""Input channels of a pass."""
_PARTS = 8
"""Into more parts a row is not cut here."""


class Blocks(NamedTuple):
    """How an OFM is cut into blocks.

    Attributes:
        across: blocks of all rows and columns.
        deep: blocks of all channels.
    """

    across: int
    deep: int


@dataclass(frozen=True)
class Cut:
    """What decides how an OFM is cut into blocks.

    Attributes:
        depth: input channels that an output is computed from; None where it is the one of its own channel.
        size: bytes of an input element.
        kernel: rows, columns, and stride along each.
        places: of the accumulators.
        ifm_bytes: of the memory for IFM blocks.
    """

    ofm: Three
    depth: int | None
    size: int
    kernel: tuple[int, int, int, int]
    ublock: Three
    places: int
    ifm_bytes: int


@lru_cache(maxsize=4096)
def blocks_of(cut: Cut) -> Blocks:
    """The blocks that Vela's search is likely to find, of those that fit into the NPU's memories."""
    height, width, stride_y, stride_x = cut.kernel
    rows_all, columns_all, channels_all = cut.ofm
    best, found = inf, Blocks(1, 1)
    for channels in range(BRICK, ceil_divide(channels_all, BRICK) * BRICK + 1, BRICK):
        read = cut.size * (channels if cut.depth is None else min(cut.depth, _PASS))
        for parts in range(1, min(columns_all, _PARTS) + 1):
            columns = ceil_divide(ceil_divide(columns_all, parts), cut.ublock[1]) * cut.ublock[1]
            across = (columns - 1) * stride_x + min(width, SUB_KERNEL)
            fitting = (cut.ifm_bytes // (read * across) - min(height, SUB_KERNEL)) // stride_y + 1
            rows = min(cut.places // (columns * channels), fitting, rows_all + cut.ublock[0] - 1)
            rows -= rows % cut.ublock[0]
            if rows < cut.ublock[0]:
                continue
            deep = ceil_divide(channels_all, channels)
            blocks = ceil_divide(rows_all, rows) * ceil_divide(columns_all, columns)
            if cut.depth is None:
                # It covers what it can of the plane, and rather many channels than few.
                cost = (1 + abs(1 - rows_all * columns_all / (rows * columns))) * (1 + (deep - 1) / 10)
            else:
                # It moves as few inputs and weights as it can.
                fetched = ((rows - 1) * stride_y + min(height, SUB_KERNEL)) * across * deep * blocks
                cost = cut.depth * (fetched + height * width * channels_all * blocks)
            if cost < best:
                best, found = cost, Blocks(blocks, deep)
    return found
