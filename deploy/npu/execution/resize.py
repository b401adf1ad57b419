"""NPU_OP_RESIZE of Ethos-U85: nearest neighbours, and bilinear interpolation.

An element of the OFM is at ``place * step + offset`` of the IFM along an axis, in parts of an element. What lies
beyond its edges is the element at the edge. The accumulator is what is found times 2**16, bilinear also times all
parts. (Source: measured against LiteRT's reference kernels.)
"""

from __future__ import annotations

import numpy as np

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import operand, write
from deploy.npu.execution.scaling import Integers, rescale
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.u85_operations import AxisSampling, ResizeMode, ResizeOperation

_FRACTION_BITS = 16


def resize(operation: ResizeOperation, workspace: Workspace) -> None:
    """Execute a resizing.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a scale that is more than a shift.
    """
    ofm, memory, shift = operation.ofm, workspace.memory, shift_of(operation)
    ifm = operand(memory, operation.ifm)
    if operation.mode is ResizeMode.NEAREST:
        rows = nearest(operation.vertical, ofm.height, ifm.shape[1])
        values = ifm[:, rows][:, :, nearest(operation.horizontal, ofm.width, ifm.shape[2])]
    else:
        values = _between(_between(ifm, operation.horizontal, ofm.width, 2), operation.vertical, ofm.height, 1)
    scaled = rescale(values << _FRACTION_BITS, 1, shift, operation.rounding)
    write(memory, ofm, finish(scaled, operation, memory))


def shift_of(operation: ResizeOperation) -> int:
    """The shift that is all that OFM_SCALE may hold.

    Raises:
        UnsupportedError: it holds more, or there is none.
    """
    scale = operation.scale
    if scale is None or scale.multiplier != 1:
        raise UnsupportedError("a resizing with a scale", parameters={"OFM_SCALE": scale})
    return scale.shift


def _place(sampling: AxisSampling, count: int) -> tuple[Integers, Integers]:
    """The element in front of each place, and how many parts behind it the place is."""
    places = np.arange(count, dtype=np.int64) * sampling.step + sampling.offset
    return places // sampling.parts, places % sampling.parts


def nearest(sampling: AxisSampling, count: int, extent: int) -> Integers:
    """Along an axis the element of the IFM, of ``extent``, that each of ``count`` elements is taken from."""
    front, rest = _place(sampling, count)
    return np.clip(front + (2 * rest >= sampling.parts), 0, extent - 1)


def _between(values: Integers, sampling: AxisSampling, count: int, axis: int) -> Integers:
    """Interpolate along an axis, times the parts."""
    front, rest = _place(sampling, count)
    weight = np.expand_dims(rest, tuple(range(1, values.ndim - axis)))

    def at(places: Integers) -> Integers:
        return values.take(np.clip(places, 0, values.shape[axis] - 1), axis)

    return at(front) * (sampling.parts - weight) + at(front + 1) * weight
