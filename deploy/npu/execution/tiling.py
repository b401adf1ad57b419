"""Cuts work into steps whose temporaries fit the host's second-level cache."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.npu.limits import STEP_ELEMENTS


def tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Parts of a ``(batch, height, width, depth)`` array: some rows of one item, or several whole items."""
    batch, height, width, depth = shape
    rows = max(1, STEP_ELEMENTS // (width * depth))
    items = max(1, rows // height)
    for item in range(0, batch, items):
        for top in range(0, height, rows):
            yield slice(item, item + items), slice(top, top + rows)
