"""Tanh and sigmoid of 16-bit operations of U85, whose knots and slopes are a table that the stream brings along.

Source: measured on Vela's streams and its tables, against LiteRT's reference kernels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import TABLE_SLOT_BYTES, BlockOperation, Function

_ENTRIES, _ENTRY_BYTES = 512, 4
_FRACTION_BITS = {Function.SIGMOID_BY_TABLE: 9, Function.TANH_BY_TABLE: 8}

TABLE_CURVES = frozenset(_FRACTION_BITS)
"""The functions that are computed here."""


def curve_of(operation: BlockOperation, memory: Memory) -> NDArray[np.uint8]:
    """The bytes of the table that a function is taken from.

    Raises:
        MemoryAccessError: it lies beyond the memory for tables.
    """
    return memory.table(operation.activation.slot * TABLE_SLOT_BYTES, _ENTRIES * _ENTRY_BYTES)


def table_curve(values: NDArray[np.int64], operation: BlockOperation, memory: Memory) -> NDArray[np.generic]:
    """A curve of scaled values, int64 of any shape, which are not saturated before.

    The table has 512 entries, from the lowest value up: s16 base, u16 slope. Between them it is a line.

    Returns:
        int16 array of the same shape.
    """
    bits, table = _FRACTION_BITS[operation.activation.function], curve_of(operation, memory)
    bases = table.view("<i2").reshape(_ENTRIES, 2)[:, 0].astype(np.int64)
    slopes = table.view("<u2").reshape(_ENTRIES, 2)[:, 1].astype(np.int64)
    values = values + operation.ofm.zero_point
    knot = values >> bits
    fraction = values & ((1 << bits) - 1)
    fraction = np.where(knot < -_ENTRIES // 2, (1 << bits) - 1, fraction)
    place = np.clip(knot, -_ENTRIES // 2, _ENTRIES // 2 - 1) + _ENTRIES // 2
    curve = (bases[place] << bits) + slopes[place] * fraction
    below = (curve < 0).astype(np.int64)
    if operation.activation.function is Function.SIGMOID_BY_TABLE:
        result = ((curve + 512 - below) >> 10) + (1 << 14)
    else:
        result = (curve + 128 - below) >> 8
    saturated: NDArray[np.generic] = np.clip(result, -(1 << 15), (1 << 15) - 1).astype(np.int16)
    return saturated
