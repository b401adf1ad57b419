"""8-bit operations as tables: what depends on one or two bytes is computed once for all of their values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deploy.npu.stream.operations import FeatureMap


def every_byte(dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """All values of an 8-bit type, in the order of their byte, ``(1, 1, 1, 256)``."""
    return np.arange(256, dtype=np.uint8).view(dtype).reshape(1, 1, 1, 256)


def every_pair(first: np.dtype[np.generic], second: np.dtype[np.generic]) -> tuple[NDArray[np.generic], ...]:
    """All pairs of 8-bit values: ``(1, 1, 256, 1)`` and ``(1, 1, 1, 256)``."""
    return every_byte(first).reshape(1, 1, 256, 1), every_byte(second)


def look_up(table: NDArray[np.generic], values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Table entries for 8-bit values; ``table`` has 256 entries in the order of :func:`every_byte`."""
    entries: NDArray[np.generic] = table.take(values.view(np.uint8))
    return entries


def look_up_pairs(
    table: NDArray[np.generic], first: NDArray[np.generic], second: NDArray[np.generic]
) -> NDArray[np.generic]:
    """Table entries for pairs of 8-bit values, which broadcast; ``table`` has 65,536 entries."""
    high = np.left_shift(first.view(np.uint8), 8, dtype=np.uint16)
    entries: NDArray[np.generic] = table.take(high | second.view(np.uint8))
    return entries


def anywhere(fm: FeatureMap) -> FeatureMap:
    """A feature map reduced to what its numbers mean: operations on it can share a table."""
    return replace(
        fm,
        region=0,
        bases=(0, 0, 0, 0),
        height0=1,
        height1=1,
        width0=1,
        height=1,
        width=1,
        depth=1,
        stride_y=0,
        stride_x=0,
        stride_c=0,
    )
