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


SPANS = {1: 255, 2: 65535}
"""By the bytes of an element of the IFM; its zero point is one of its values, so a difference spans its type."""

Streams = Sequence[NDArray[np.uint8]]
"""The bytes of each."""
Unpack = Callable[[Any, Any, Streams, Streams], Unpacked]
"""Unpacks the weight streams and the scale records of a convolution of an NPU, both of one instruction set.

It raises a WeightStreamError for damaged ones.
"""
