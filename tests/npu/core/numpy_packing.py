"""What the core packs weights to, in NumPy: ``struct packed_weights`` and what it points at, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.weights.unpacked import SPANS, Unpacked

CHANNELS = 16
"""Output channels that the core computes together."""
_HEADER_WORDS = 10
_ROOM = 1 << 62


class Parts(NamedTuple):
    """Of packed weights.

    Attributes:
        scales: int64 ``(rows, channels)``, in whole blocks: bias, multiplier and behind its 32 bits the shift, and
            for an IFM of 16 bits the sum of the weights.
        weights: int8 where all of them fit, else int16, in the order in which the core takes them.
        content: address and size of each stream that they were decoded from.
        segments: runs of the IFM that a sum is made of.
        pairs: of elements in such a run.
        narrow: whether scaled values fit 64 bits on the way.
        largest: the greatest sum of magnitudes of one channel's weights.
    """

    scales: NDArray[np.int64]
    weights: NDArray[np.int8] | NDArray[np.int16]
    content: NDArray[np.int64]
    segments: int
    pairs: int
    narrow: int
    largest: int

    def same_as(self, other: Parts) -> bool:
        """Whether they are the same, byte for byte."""
        same = (np.array_equal(mine, its) for mine, its in zip(self, other, strict=True))
        return self.weights.dtype == other.weights.dtype and all(same)


def parts_of(operation: ConvolutionOperation, unpacked: Unpacked, streams: Sequence[NDArray[np.uint8]]) -> Parts:
    """Of the weights of a convolution."""
    weights, scales = unpacked.weights, unpacked.scales
    flat = weights.reshape(len(weights), -1).astype(np.int64)
    apart = operation.kernel.dilation_x > 1 and not operation.depthwise
    values, segments, pairs = _in_pairs(weights, apart=apart)
    found = [scales.bias, scales.multiplier | scales.shift << 32]
    found += [flat.sum(axis=1)] if operation.ifm.dtype.itemsize > 1 else []
    rows = np.pad(np.array(found), [(0, 0), (0, -len(weights) % CHANNELS)])
    largest = int(np.abs(flat).sum(axis=1).max())
    highest = largest * SPANS[operation.ifm.dtype.itemsize] + int(np.abs(scales.bias).max())
    narrow = highest * int(scales.multiplier.max()) < _ROOM and int(scales.shift.max()) <= 62
    content = np.array([(part.ctypes.data, part.size) for part in streams])
    dtype = np.int8 if np.array_equal(values, values.astype(np.int8)) else np.int16
    return Parts(rows, values.ravel().astype(dtype), content, segments, pairs, int(narrow), largest)


def pack(parts: Parts) -> NDArray[np.uint8]:
    """All of them in one array."""
    found = [np.zeros(_HEADER_WORDS, np.int64), parts.weights, parts.scales.ravel(), parts.content.ravel()]
    ends = np.cumsum([-(-part.nbytes // 8) * 8 for part in found])
    header, weights, scales, content = (int(end) for end in ends)
    packed = np.zeros(content, np.uint8)
    for place, part in zip((0, header, weights, scales), found, strict=True):
        packed[place : place + part.nbytes] = part.view(np.uint8)
    size = parts.weights.itemsize
    words = (scales, len(parts.content), weights, header, size, parts.scales.shape[1], *parts[3:])
    packed[:header].view(np.int64)[:] = words
    return packed


def parsed(packed: NDArray[np.uint8]) -> Parts:
    """The parts of what :func:`pack` gives, or the core."""
    words = packed[: _HEADER_WORDS * 8].view(np.int64).tolist()
    content, streams, scales, weights, size, channels, segments, pairs, *rest = words
    rows = packed[scales:content].view(np.int64).reshape(-1, channels)
    # The weights end where the scales begin.
    found = packed[content : content + 16 * streams].view(np.int64).reshape(-1, 2)
    values = packed[weights:scales].view(np.int8 if size == 1 else np.int16)
    return Parts(rows, values, found, segments, pairs, *rest)


def _in_pairs(weights: NDArray[np.int16], *, apart: bool) -> tuple[NDArray[np.int16], int, int]:
    """``(blocks of channels, segments, pairs, 16 channels, 2)``, and how many segments and pairs there are.

    A segment is a row of the kernel with all its channels, or one element of it where they are no run of the IFM.
    """
    depth, height, width, _inner = weights.shape
    segments = height * width if apart else height
    runs = _filled(_filled(weights.reshape(depth, segments, -1), 2, 2), 0, CHANNELS)
    blocks, pairs = len(runs) // CHANNELS, runs.shape[2] // 2
    ordered = runs.reshape(blocks, CHANNELS, segments, pairs, 2).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(ordered), segments, pairs


def _filled(values: NDArray[np.int16], axis: int, multiple: int) -> NDArray[np.int16]:
    """With zeros behind it along an axis, up to a multiple."""
    missing = -values.shape[axis] % multiple
    return np.pad(values, [(0, missing if each == axis else 0) for each in range(values.ndim)])
