"""The output stage: zero point, clamp, curves, lookup tables, saturation.

The curves, tanh and sigmoid of 16-bit operations, are 256 knots of the sigmoid with linear interpolation. Source:
measured. They are those of TFLite's int16 TANH and LOGISTIC reference kernels; the knots were recovered by probing
TANH at an input scale of 1/4096 with all 65,536 inputs, which leaves exactly one value for each knot. 44 of them
are not what rounding ``65536 / (1 + exp(-k / 24))`` gives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.table_curves import TABLE_CURVES, table_curve
from deploy.npu.stream.operations import TABLE_SLOT_BYTES, BlockOperation, Function

# fmt: off
KNOTS = np.array([
    32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149, 40794,
    41432, 42064, 42688, 43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369, 47911, 48443,
    48964, 49475, 49975, 50464, 50942, 51409, 51865, 52311, 52745, 53169, 53581, 53983, 54374,
    54755, 55125, 55485, 55834, 56174, 56503, 56823, 57133, 57433, 57724, 58007, 58280, 58544,
    58800, 59048, 59288, 59519, 59743, 59959, 60168, 60370, 60565, 60753, 60935, 61110, 61279,
    61441, 61599, 61750, 61896, 62036, 62172, 62302, 62428, 62549, 62666, 62778, 62886, 62990,
    63090, 63186, 63279, 63368, 63454, 63536, 63615, 63691, 63765, 63835, 63903, 63968, 64030,
    64090, 64148, 64204, 64257, 64308, 64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652,
    64687, 64721, 64754, 64786, 64816, 64845, 64873, 64900, 64926, 64950, 64974, 64997, 65019,
    65039, 65060, 65079, 65097, 65115, 65132, 65149, 65164, 65179, 65194, 65208, 65221, 65234,
    65246, 65258, 65269, 65280, 65291, 65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360,
    65367, 65374, 65381, 65387, 65393, 65399, 65404, 65410, 65415, 65420, 65425, 65429, 65433,
    65438, 65442, 65445, 65449, 65453, 65456, 65459, 65462, 65465, 65468, 65471, 65474, 65476,
    65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498, 65500, 65501,
    65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513, 65514, 65515, 65516,
    65517, 65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522, 65523, 65523, 65524, 65524,
    65525, 65525, 65526, 65526, 65526, 65527, 65527, 65528, 65528, 65528, 65529, 65529, 65529,
    65529, 65530, 65530, 65530, 65530, 65531, 65531, 65531, 65531, 65531, 65532, 65532, 65532,
    65532, 65532, 65532, 65533, 65533, 65533, 65533, 65533, 65533, 65533, 65533, 65534, 65534,
    65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65535,
], np.int64)
# fmt: on


def sigmoid(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sigmoid of ``values / (3 * 4096)``, as a fraction of 2**15.

    Args:
        values: int64, not saturated to 16 bits before (measured: the curve takes the scaled value as it is).
    """
    curve = _interpolate(values, 9, 0x7FFF << 10)
    return np.where(values >= 0, (curve + 512) >> 10, ((1 << 25) - curve + 511) >> 10)


def tanh(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hyperbolic tangent of ``values / (3 * 4096)``, as a fraction of 2**15; see :func:`sigmoid`."""
    curve = _interpolate(values, 8, 0xFFFF << 8)
    return np.where(values >= 0, (curve - (1 << 23) + 128) >> 8, ((1 << 23) - curve + 127) >> 8)


def _interpolate(values: NDArray[np.int64], fraction_bits: int, beyond: int) -> NDArray[np.int64]:
    magnitude = np.abs(np.maximum(values, -_FAR))
    knot = np.minimum(magnitude >> fraction_bits, 255)
    fraction = magnitude & ((1 << fraction_bits) - 1)
    low = KNOTS[knot]
    high = KNOTS[np.minimum(knot + 1, 255)]
    return np.where(knot >= 255, beyond, (low << fraction_bits) + fraction * (high - low))


_FAR = 1 << 62
"""Beyond the last knot, by any number of fraction bits; the lowest 64-bit number itself has no magnitude."""
_CURVES = {Function.TANH: tanh, Function.SIGMOID: sigmoid}


def finish(values: NDArray[np.int64], operation: BlockOperation, memory: Memory) -> NDArray[np.generic]:
    """Turn scaled results, int64 of any shape, into OFM elements.

    Without a table: 8 and 16 bits add the zero point, clamp to ACTIVATION_MIN/MAX and saturate; 32 bits ignore
    zero point and clamp, and saturate: the softmax of Vela's older compiler doubles 2**30 and counts on 2**31 - 1.
    (Source: measured against LiteRT's reference kernels.)

    Returns:
        Array of the OFM's type and the shape of ``values``.
    """
    activation, ofm = operation.activation, operation.ofm
    if activation.function in TABLE_CURVES:
        return table_curve(values, operation, memory)
    if activation.function in _CURVES:
        if ofm.dtype != np.dtype("<i2"):
            raise UnsupportedError(f"{activation.function.name} with an OFM of {ofm.dtype}")
        values = _CURVES[activation.function](values)
    dtype, looked_up = element_dtype(operation), activation.function is Function.LUT
    limits = np.iinfo(dtype.str)
    if dtype.itemsize < 4:
        values = np.clip(values + ofm.zero_point, activation.minimum, activation.maximum)
    elif looked_up:
        raise UnsupportedError("a table with an index of 32 bits")
    values = np.clip(values, limits.min, limits.max)
    return _look_up(values, operation, memory) if looked_up else values.astype(dtype)


def element_dtype(operation: BlockOperation) -> np.dtype[np.generic]:
    """Type of the values that are stored or, with a table, looked up."""
    activation = operation.activation
    return activation.index_dtype if activation.function is Function.LUT else operation.ofm.dtype


def table_of(operation: BlockOperation, memory: Memory) -> NDArray[np.uint8]:
    """The bytes of the lookup table that makes an operation's OFM.

    Raises:
        MemoryAccessError: it lies beyond the memory for tables.
        UnsupportedError: a table with an index that it is not made for.
    """
    size, index_size = operation.ofm.dtype.itemsize, operation.activation.index_dtype.itemsize
    entries, entry_bytes = {1: (256, 1), 2: (512, 4), 4: (256, 4)}[size]
    table = memory.table(operation.activation.slot * TABLE_SLOT_BYTES, entries * entry_bytes)
    if size == 2 and index_size != 2:
        raise UnsupportedError("a 16-bit table with an 8-bit index")
    if size != 2 and index_size != 1:
        raise UnsupportedError("an 8- or 32-bit table with a 16-bit index")
    return table


def _look_up(indices: NDArray[np.int64], operation: BlockOperation, memory: Memory) -> NDArray[np.generic]:
    """The elements of a table in SHRAM.

    Formats (measured): 8-bit output 256 x u8/s8; 32-bit output 256 x s32, both indexed from the lowest value;
    16-bit output 512 x (s16 base, s16 slope), interpolated over 7 fraction bits.
    """
    dtype, table = operation.ofm.dtype, table_of(operation, memory)
    places = indices - np.iinfo(operation.activation.index_dtype.str).min
    if dtype.itemsize != 2:
        elements: NDArray[np.generic] = table.view(dtype)[places]
        return elements
    lines = table.view("<i2").astype(np.int64).reshape(512, 2)[places >> 7]
    found: NDArray[np.int64] = lines[..., 0] + ((lines[..., 1] * (places & 127) + 64) >> 7)
    return found.astype(dtype)
