"""The output stage: zero point, clamp, lookup tables, saturation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution import tables
from deploy.npu.execution.curves import sigmoid, tanh
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import BlockOperation, Function

_SLOT_BYTES = 256
_CURVES = {Function.TANH: tanh, Function.SIGMOID: sigmoid}


def finish(values: NDArray[np.int64], operation: BlockOperation, memory: Memory) -> NDArray[np.generic]:
    """Turn scaled results into OFM elements.

    Without a table: 8 and 16 bits add the zero point, clamp to ACTIVATION_MIN/MAX and saturate; 32 bits ignore
    zero point and clamp, and saturate: the softmax of Vela's older compiler doubles 2**30 and counts on 2**31 - 1.
    (Source: measured against LiteRT's reference kernels.)

    Args:
        values: int64, scaled, any shape.
        operation: gives OFM and activation.
        memory: holds the tables.

    Returns:
        Array of the OFM's type and the shape of ``values``.
    """
    indexed = clamped(values, operation)
    if operation.activation.function is Function.LUT:
        return look_up(indexed, operation, memory)
    return indexed


def clamped(values: NDArray[np.int64], operation: BlockOperation) -> NDArray[np.generic]:
    """The first half of :func:`finish`: everything but the lookup table.

    Returns:
        Array of the type that :func:`element_dtype` names.
    """
    ofm, activation = operation.ofm, operation.activation
    if activation.function in _CURVES:
        if ofm.dtype != np.dtype("<i2"):
            raise UnsupportedError(f"{activation.function.name} with an OFM of {ofm.dtype}")
        values = _CURVES[activation.function](values)
    dtype = element_dtype(operation)
    if dtype.itemsize == 4:
        if activation.function is Function.LUT:
            raise UnsupportedError("a table with an index of 32 bits")
        limits = np.iinfo(dtype.str)
        return np.clip(values, limits.min, limits.max).astype(dtype)
    low, high = clamp_range(operation, dtype)
    return np.clip(values + ofm.zero_point, low, high).astype(dtype)


def element_dtype(operation: BlockOperation) -> np.dtype[np.generic]:
    """Type of the values that are stored or, with a table, looked up."""
    activation = operation.activation
    return activation.index_dtype if activation.function is Function.LUT else operation.ofm.dtype


def clamp_range(operation: BlockOperation, dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """Lowest and highest value that ACTIVATION_MIN, ACTIVATION_MAX and a type leave."""
    limits, activation = np.iinfo(dtype.str), operation.activation
    bottom, top = int(limits.min), int(limits.max)
    return min(max(activation.minimum, bottom), top), min(max(activation.maximum, bottom), top)


def look_up(indices: NDArray[np.generic], operation: BlockOperation, memory: Memory) -> NDArray[np.generic]:
    """The second half of :func:`finish`: look values up in a table in SHRAM.

    Formats (measured): 8-bit output 256 x u8/s8; 32-bit output 256 x s32, both indexed from the lowest value;
    16-bit output 512 x (s16 base, s16 slope), interpolated over 7 fraction bits.

    Args:
        indices: of the type that :func:`element_dtype` names.
        operation: gives OFM and activation.
        memory: holds the tables.

    Returns:
        Array of the OFM's type and the shape of ``indices``.
    """
    activation, dtype = operation.activation, operation.ofm.dtype
    index_dtype = activation.index_dtype
    entries, size = {1: (256, 1), 2: (512, 4), 4: (256, 4)}[dtype.itemsize]
    table = memory.table(activation.slot * _SLOT_BYTES, entries * size)
    lowest = int(np.iinfo(index_dtype.str).min)
    if dtype.itemsize == 2:
        if index_dtype.itemsize != 2:
            raise UnsupportedError("a 16-bit table with an 8-bit index")
        pairs = table.view("<i2").reshape(512, 2).astype(np.int64)
        values = indices.astype(np.int64)
        index, fraction = (values - lowest) >> 7, values & 127
        line: NDArray[np.int64] = pairs[index, 0] + ((pairs[index, 1] * fraction + 64) >> 7)
        return line.astype(dtype)
    if index_dtype.itemsize != 1:
        raise UnsupportedError("an 8- or 32-bit table with a 16-bit index")
    # In the order of the index's byte: from zero up, then the negative ones.
    return tables.look_up(np.roll(table.view(dtype), lowest), indices)
