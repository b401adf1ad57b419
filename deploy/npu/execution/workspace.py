"""What operations are computed in: the memory that they address, and decoded weights, remembered between runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.hardware.designs import Design
from deploy.npu.bounds import MAX_MACS, MAX_TAPS
from deploy.npu.errors import UnsupportedError, WeightStreamError
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.weights.unpacked import Streams, Unpack, Unpacked

_MOST_PER_BYTE = 64
_PROBE = 64
"""Bytes of each stream of which its key knows something."""


Key = tuple[object, ...]
"""Narrows the search for decoded weights, see :func:`key_of`."""


class Packed(NamedTuple):
    """Weights and scales of one convolution as the core takes them, bytes, and the streams that they point at."""

    weights: NDArray[np.uint8]
    content: tuple[NDArray[np.uint8], ...]


Pack = Callable[[Any, Any, Streams, Streams], Packed | None]
"""Packs the weight streams and the scale records of a convolution for the compiled core; None for damaged ones."""


class _Kept(NamedTuple):
    """Decoded weights in either form, the streams that they come from, and how many bytes it all takes."""

    weights: Any
    content: Streams
    size: int


class WeightCache:
    """Decoded weights by content: a changed byte in memory or another layout is another entry.

    Args:
        limit_bytes: bytes to keep, decoded and encoded; the oldest entries go first. (Packed weights that
            are parts of one block of memory leave it when the last of them goes.)

    Attributes:
        limit_bytes: as given.
    """

    def __init__(self, limit_bytes: int = 512 * 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._size = 0
        self._entries: dict[Key, list[_Kept]] = {}
        self._adding = threading.Lock()

    def get(self, operation: ConvolutionOperation, memory: Memory, unpack: Unpack) -> Unpacked:
        """The weights of a convolution, decoded now or earlier.

        Raises:
            MemoryAccessError: a stream lies outside its region.
            WeightStreamError: a stream does not decode to what the operation needs.
        """
        streams, records = _streams(operation, memory)
        key = key_of(operation, memory.design, unpack, streams, records)
        if (known := self._known(key, (*streams, *records))) is not None:
            found: Unpacked = known
            return found
        made = unpack(operation, memory.design, streams, records)
        content = [lasting(part) for part in (*streams, *records)]
        self._add(key, _Kept(made, content, made.weights.nbytes + sum(part.nbytes for part in content)))
        return made

    def packed(self, operation: ConvolutionOperation, memory: Memory, pack: Pack) -> Packed | None:
        """The same for the compiled core; None where a stream is damaged.

        Raises:
            MemoryAccessError: a stream lies outside its region.
            WeightStreamError: a stream cannot hold what the operation needs.
        """
        return self.pack_streams(operation, memory.design, pack, *_streams(operation, memory))

    def pack_streams(
        self, operation: ConvolutionOperation, design: Design, pack: Pack, streams: Streams, records: Streams
    ) -> Packed | None:
        """The same with the streams that memory holds, or is going to hold.

        Raises:
            WeightStreamError: a stream cannot hold what the operation needs.
        """
        key = key_of(operation, design, pack, streams, records)
        if (known := self.known_packed(key, (*streams, *records))) is not None:
            return known
        made = pack(operation, design, *([lasting(part) for part in parts] for parts in (streams, records)))
        if made is not None:
            self.keep_packed(key, made)
        return made

    def known_packed(self, key: Key, parts: Streams) -> Packed | None:
        """What is kept under a key and was packed of these streams and records."""
        found: Packed | None = self._known(key, parts)
        return found

    def keep_packed(self, key: Key, made: Packed) -> None:
        """Keep packed weights."""
        size = made.weights.nbytes + sum(part.nbytes for part in made.content)
        self._add(key, _Kept(made, made.content, size))

    def _known(self, key: Key, parts: Streams) -> Any:
        entries = self._entries.get(key, ())
        return next((entry.weights for entry in entries if _holds(entry.content, parts)), None)

    def _add(self, key: Key, entry: _Kept) -> None:
        with self._adding:
            self._entries.setdefault(key, []).append(entry)
            self._size += entry.size
            while self._size > self.limit_bytes and len(self._entries) > 1:
                oldest = next(iter(self._entries))
                self._size -= sum(old.size for old in self._entries.pop(oldest))


def _streams(operation: ConvolutionOperation, memory: Memory) -> tuple[Streams, Streams]:
    """Weight streams and scale records, as memory holds them."""
    return (
        [memory.constant_bytes(r.region, r.address, r.length) for r in operation.weights],
        [memory.constant_bytes(r.region, r.address, r.length) for r in operation.scales],
    )


def key_of(
    operation: ConvolutionOperation,
    design: Design,
    form: Callable[..., object],
    streams: Streams,
    records: Streams,
) -> Key:
    """A key for what streams are decoded to in this form.

    What counts is that all bytes are the same; the key only narrows the search.

    Raises:
        WeightStreamError: a stream cannot hold what the operation needs.
        UnsupportedError: a convolution larger than is computed.
    """
    _check_size(operation, streams)
    parts = (*streams, *records)
    return (
        form,
        operation.kernel,
        operation.ofm.depth,
        operation.ifm.depth,
        operation.ifm.dtype.num,
        *(design.instruction_set, design.id_word, design.macs, design.cores),  # which it is: all of it takes long
        *operation.layout,
        *(part.size for part in parts),
        *(hash(part[:_PROBE].tobytes()) for part in parts),
    )


def _holds(content: Streams, parts: Streams) -> bool:
    """Whether it is these very bytes."""
    return all(
        mine.ctypes.data == part.ctypes.data or np.array_equal(mine, part)
        for mine, part in zip(content, parts, strict=True)
    )


def lasting(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bytes that stay as they are: a view of them where nothing can change them, or else a copy."""
    owner: Any = part
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return part if isinstance(owner, bytes) else part.copy()


def _check_size(operation: ConvolutionOperation, streams: Streams) -> None:
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
