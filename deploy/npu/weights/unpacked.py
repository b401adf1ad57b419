"""What weight and scale streams hold, whatever the order and the records that they come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ChannelScales:
    """Bias and scale per output channel, int64 ``(channels,)`` each."""

    bias: NDArray[np.int64]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]


@dataclass(frozen=True)
class Unpacked:
    """The weights and scales of one convolution.

    Attributes:
        weights: int16 ``(ofm depth, kernel height, kernel width, ifm depth)``; ifm depth 1 if it is depthwise.
        scales: of all channels.
    """

    weights: NDArray[np.int16]
    scales: ChannelScales


# The zero point is one of the IFM's values, so their difference spans its type.
_SPANS = {1: 255, 2: 65535}
_WIDEST = 1 << 33


def largest_sum(weights: NDArray[np.int16]) -> int:
    """The largest sum of magnitudes that a channel's weights ``(channels, ...)`` have."""
    return int(np.abs(weights.reshape(len(weights), -1).astype(np.int64)).sum(axis=1).max())


def largest_accumulator(largest: int, scales: ChannelScales, element_bytes: int) -> int:
    """Magnitude that no accumulator exceeds, bias included.

    Args:
        largest: see :func:`largest_sum`.
        scales: of all channels.
        element_bytes: of an element of the IFM.
    """
    return largest * _SPANS.get(element_bytes, _WIDEST) + int(np.abs(scales.bias).max())


_Streams = Sequence[NDArray[np.uint8]]
Unpack = Callable[[Any, Any, _Streams, _Streams], Unpacked]
"""Unpacks the weight streams and the scale records of a convolution of an NPU, both of one instruction set.

It raises a WeightStreamError for damaged ones.
"""
