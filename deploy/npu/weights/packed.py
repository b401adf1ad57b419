"""Weights and scales as the core takes them: ``struct packed_weights`` and what it points at, in one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.npu.weights.unpacked import ChannelScales, largest_accumulator, largest_sum

CHANNELS = 16
"""Output channels that the core computes together."""
_HEADER_WORDS = 9
_ALIGNMENT = 64
_ROOM = 1 << 62
_LARGEST = 255


def pack(
    weights: NDArray[np.int16],
    scales: ChannelScales,
    content: Sequence[bytes],
    *,
    depthwise: bool,
    dilated: bool,
    element_bytes: int,
) -> NDArray[np.uint8]:
    """Pack the weights of a convolution.

    Args:
        weights: int16 ``(ofm depth, kernel height, kernel width, ifm depth)``, of 9 bits each.
        scales: of all channels.
        content: the streams that they were decoded from; the core compares them with memory.
        depthwise: whether a channel has weights for itself alone.
        dilated: whether elements of a row of the kernel are apart from each other.
        element_bytes: of an element of the IFM, 1 or 2.
    """
    largest = largest_sum(weights)
    if int(np.abs(weights.astype(np.int32)).max(initial=0)) > _LARGEST:
        raise AssertionError("the streams hold weights of 9 bits")
    values, segments, pairs = _in_pairs(weights, dilated=dilated and not depthwise)
    channels = -(-len(weights) // CHANNELS) * CHANNELS
    rows = np.zeros((4, channels), np.int64)
    rows[:, : len(weights)] = (
        scales.bias,
        scales.multiplier,
        scales.shift,
        weights.reshape(len(weights), -1).sum(axis=1, dtype=np.int64),
    )
    highest = largest_accumulator(largest, scales, element_bytes) * int(scales.multiplier.max())
    narrow = highest < _ROOM and int(scales.shift.max()) <= 62
    streams = np.frombuffer(b"".join(content), np.uint8)
    parts = [rows.view(np.uint8).ravel(), values.reshape(-1).view(np.uint8), streams]
    places = []
    end = _HEADER_WORDS * 8
    for part in parts:
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        places.append(start)
        end = start + part.size
    packed = np.zeros(end, np.uint8)
    for place, part in zip(places, parts, strict=True):
        packed[place : place + part.size] = part
    header = (places[2], streams.size, places[0], places[1], channels, segments, pairs, narrow, largest)
    packed[: _HEADER_WORDS * 8].view(np.int64)[:] = header
    return packed


def _in_pairs(weights: NDArray[np.int16], *, dilated: bool) -> tuple[NDArray[np.int16], int, int]:
    """``(blocks of channels, segments, pairs, 16 channels, 2)``, and how many segments and pairs there are.

    A segment is a row of the kernel with all its channels, or one element of it where the row is dilated.
    """
    depth, height, width, _inner = weights.shape
    segments = height * width if dilated else height
    runs = _filled(_filled(weights.reshape(depth, segments, -1), 2, 2), 0, CHANNELS)
    blocks, pairs = len(runs) // CHANNELS, runs.shape[2] // 2
    ordered = runs.reshape(blocks, CHANNELS, segments, pairs, 2).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(ordered), segments, pairs


def _filled(values: NDArray[np.int16], axis: int, multiple: int) -> NDArray[np.int16]:
    """With zeros behind it along an axis, up to a multiple."""
    missing = -values.shape[axis] % multiple
    return np.pad(values, [(0, missing if each == axis else 0) for each in range(values.ndim)])
