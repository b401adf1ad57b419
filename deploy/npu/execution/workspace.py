"""What operations are computed in: the memory that they address, and decoded weights, remembered between runs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_MACS, MAX_TAPS
from deploy.npu.errors import UnsupportedError, WeightStreamError
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.weights.packed import pack
from deploy.npu.weights.unpacked import ChannelScales, Unpack

_MOST_PER_BYTE = 64
_COMPUTED_BYTES = 4
"""Of a weight in the form that the core computes with, about."""
_PROBE = 64
"""Bytes of each stream that become part of its key."""
_MOST_OPERATIONS = 1 << 14
"""Operations that are remembered together with what was found for them."""


@dataclass(frozen=True)
class PreparedWeights:
    """Weights and scales of one convolution, ready to compute with.

    Attributes:
        weights: int16 ``(ofm depth, kernel height, kernel width, ifm depth)``; ifm depth 1 if it is depthwise.
        scales: bias and scale per channel.
        content: the streams that they were decoded from.
        element_bytes: of an element of the IFM.
    """

    weights: NDArray[np.int16]
    scales: ChannelScales
    content: tuple[bytes, ...]
    depthwise: bool
    dilated: bool
    element_bytes: int

    @functools.cached_property
    def packed(self) -> NDArray[np.uint8]:
        """For the compiled core, see :func:`deploy.npu.weights.packed.pack`."""
        return pack(
            self.weights,
            self.scales,
            self.content,
            depthwise=self.depthwise,
            dilated=self.dilated,
            element_bytes=self.element_bytes,
        )

    def holds(self, parts: tuple[NDArray[np.uint8], ...]) -> bool:
        """Whether it was made from these very bytes."""
        return all(mine == part.tobytes() for mine, part in zip(self.content, parts, strict=True))

    @property
    def nbytes(self) -> int:
        """Of the content and of the weights, as they are and as the core computes with."""
        return self.weights.size * (2 + _COMPUTED_BYTES) + sum(map(len, self.content))


class WeightCache:
    """Decoded weights by content: a changed byte in memory or another layout is another entry.

    Args:
        limit_bytes: bytes to keep, decoded and encoded; the oldest entries go first.
    """

    def __init__(self, limit_bytes: int = 512 * 1024 * 1024) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._entries: dict[tuple[object, ...], list[PreparedWeights]] = {}
        self._last: dict[int, tuple[ConvolutionOperation, PreparedWeights]] = {}

    def get(self, operation: ConvolutionOperation, memory: Memory, unpack: Unpack) -> PreparedWeights:
        """The weights of a convolution, decoded now or earlier.

        Raises:
            MemoryAccessError: a stream lies outside its region.
            WeightStreamError: a stream does not decode to what the operation needs.
        """
        streams = [memory.constant_bytes(r.region, r.address, r.length) for r in operation.weights]
        records = [memory.constant_bytes(r.region, r.address, r.length) for r in operation.scales]
        parts = (*streams, *records)
        # What counts is that all bytes are the same; the operation and the key only narrow the search.
        known = self._last.get(id(operation))
        if known is not None and known[0] is operation and known[1].holds(parts):
            return known[1]
        _check_size(operation, streams)
        shape = (operation.kernel, operation.ofm.depth, operation.ifm.depth, operation.ifm.dtype)
        key = (
            *shape,
            memory.design,
            *operation.layout,
            *(part.size for part in parts),
            *(part[:_PROBE].tobytes() for part in parts),
        )
        for entry in self._entries.get(key, ()):
            if entry.holds(parts):
                break
        else:
            unpacked = unpack(operation, memory.design, streams, records)
            entry = PreparedWeights(
                unpacked.weights,
                unpacked.scales,
                tuple(part.tobytes() for part in parts),
                depthwise=operation.depthwise,
                dilated=operation.kernel.dilation_x > 1,
                element_bytes=operation.ifm.dtype.itemsize,
            )
            self._add(key, entry)
        if len(self._last) >= _MOST_OPERATIONS:
            self._last.clear()
        self._last[id(operation)] = operation, entry
        return entry

    def _add(self, key: tuple[object, ...], entry: PreparedWeights) -> None:
        self._entries.setdefault(key, []).append(entry)
        self._size += entry.nbytes
        while self._size > self._limit and len(self._entries) > 1:
            oldest = next(iter(self._entries))
            self._size -= sum(old.nbytes for old in self._entries.pop(oldest))
            self._last.clear()


def _check_size(operation: ConvolutionOperation, streams: list[NDArray[np.uint8]]) -> None:
    kernel, ofm = operation.kernel, operation.ofm
    depth = 1 if operation.depthwise else operation.ifm.depth
    weights = ofm.depth * kernel.height * kernel.width * depth
    # A byte of the stream stands for 64 zeros at most, which bounds what has to be allocated.
    available = sum(stream.size for stream in streams)
    if weights > _MOST_PER_BYTE * available:
        raise WeightStreamError(
            f"weight streams of {available} bytes cannot hold the {weights} weights of the operation"
        )
    if ofm.height * ofm.width * weights > (MAX_TAPS if operation.depthwise else MAX_MACS):
        raise UnsupportedError("a convolution of this size", parameters={"kernel": kernel})


@dataclass(frozen=True)
class Workspace:
    """Handed to every operation."""

    memory: Memory
    weights: WeightCache = field(default_factory=WeightCache)
