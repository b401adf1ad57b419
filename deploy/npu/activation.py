"""The output stage: zero point, clamp, lookup tables, saturation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.architecture import LUT_BYTES, Architecture
from deploy.npu.curves import sigmoid, tanh
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.memory import Memory
from deploy.npu.operations import BlockOperation, Function

_SLOT_BYTES = 256
_CURVES = {Function.TANH: tanh, Function.SIGMOID: sigmoid}


def finish(
    values: NDArray[np.int64], operation: BlockOperation, memory: Memory, architecture: Architecture
) -> NDArray[np.generic]:
    """Turn scaled results into OFM elements.

    Without a table: 8 and 16 bits add the zero point, clamp to ACTIVATION_MIN/MAX and saturate; 32 bits ignore
    zero point and clamp and wrap (source: measured against LiteRT's reference kernels).

    Args:
        values: int64, scaled, any shape.
        operation: gives OFM and activation.
        memory: holds the tables.
        architecture: says where.

    Returns:
        Array of the OFM's type and the shape of ``values``.
    """
    ofm, activation = operation.ofm, operation.activation
    if activation.function is Function.LUT:
        return _look_up(_clamp(values, operation, activation.index_dtype), operation, memory, architecture)
    if activation.function in _CURVES:
        if ofm.dtype != np.dtype("<i2"):
            raise UnsupportedError(f"{activation.function.name} with an OFM of {ofm.dtype}")
        values = _CURVES[activation.function](values)
    if ofm.dtype.itemsize == 4:
        return values.astype(np.uint32).view(ofm.dtype)
    return _clamp(values, operation, ofm.dtype).astype(ofm.dtype)


def clamp_range(operation: BlockOperation, dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """Lowest and highest value that ACTIVATION_MIN, ACTIVATION_MAX and a type leave."""
    limits, activation = np.iinfo(dtype.str), operation.activation
    bottom, top = int(limits.min), int(limits.max)
    return min(max(activation.minimum, bottom), top), min(max(activation.maximum, bottom), top)


def _clamp(values: NDArray[np.int64], operation: BlockOperation, dtype: np.dtype[np.generic]) -> NDArray[np.int64]:
    low, high = clamp_range(operation, dtype)
    return np.clip(values + operation.ofm.zero_point, low, high)


def _look_up(
    values: NDArray[np.int64], operation: BlockOperation, memory: Memory, architecture: Architecture
) -> NDArray[np.generic]:
    """Look values up in a table in SHRAM.

    Formats (measured): 8-bit output 256 x u8/s8; 32-bit output 256 x s32, both indexed from the lowest value;
    16-bit output 512 x (s16 base, s16 slope), interpolated over 7 fraction bits.
    """
    activation, dtype = operation.activation, operation.ofm.dtype
    index_dtype = activation.index_dtype
    entries, size = {1: (256, 1), 2: (512, 4), 4: (256, 4)}[dtype.itemsize]
    start = activation.slot * _SLOT_BYTES
    if start + entries * size > LUT_BYTES:
        raise StreamError("the lookup table does not fit behind its slot", parameters={"slot": activation.slot})
    table = memory.constant_bytes(None, architecture.lut_address + start, entries * size)
    lowest = int(np.iinfo(index_dtype.str).min)
    if dtype.itemsize == 2:
        if index_dtype.itemsize != 2:
            raise UnsupportedError("a 16-bit table with an 8-bit index")
        pairs = table.view("<i2").reshape(512, 2).astype(np.int64)
        offset = values - lowest
        index, fraction = offset >> 7, values & 127
        line: NDArray[np.int64] = pairs[index, 0] + ((pairs[index, 1] * fraction + 64) >> 7)
        return line.astype(dtype)
    if index_dtype.itemsize != 1:
        raise UnsupportedError("an 8- or 32-bit table with a 16-bit index")
    entry: NDArray[np.generic] = table.view(dtype)[values - lowest]
    return entry
