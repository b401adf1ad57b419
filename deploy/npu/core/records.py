"""What all kinds of operations say of themselves to the core: feature maps, windows, the output stage.

Everything is checked here, with the functions by which the NumPy execution checks it: the core itself trusts what
it is given.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.execution.activation import element_dtype, table_of
from deploy.npu.execution.feature_maps import Piece, check_size, pieces
from deploy.npu.execution.memory import ACCUMULATORS, Memory
from deploy.npu.execution.table_curves import TABLE_CURVES, curve_of
from deploy.npu.execution.windows import window_size
from deploy.npu.execution.workspace import Packed, Workspace
from deploy.npu.stream.operations import (
    AddressRange,
    BlockOperation,
    FeatureMap,
    Function,
    Operation,
    Rounding,
    Scale,
    Three,
    Upscale,
)
from deploy.npu.stream.pooling import PoolingOperation

SUM = np.dtype(np.int64)
"""Type of the sums that operations leave for others."""

Words = dict[str, int | tuple[int, ...]]
"""Members of the core's ``struct operation`` by their names; those that are left out are 0.

Several are for the member of that name and those behind it: those of a part of the record, in its order."""

_ROUNDINGS = {
    Rounding.TFL: "ROUNDING_TFL",
    Rounding.NATURAL: "ROUNDING_NATURAL",
    Rounding.SYMMETRIC: "ROUNDING_SYMMETRIC",
    Rounding.DOWN: "ROUNDING_DOWN",
}


Chained: TypeAlias = tuple[int, Three, np.dtype[np.generic]]
"""A buffer between operations, and extents and type of a map in it."""


class Record(NamedTuple):
    """An operation as the core takes it.

    Attributes:
        weights: packs its weights, which memory holds, or gives None for damaged ones; None without any.
    """

    words: Words
    weights: Callable[[Workspace], Packed | None] | None = None


class NotCovered(Exception):  # noqa: N818 - no error: NumPy computes the operation
    """The core leaves an operation to NumPy, which computes or refuses it."""


@dataclass
class Tables:
    """What records refer to, and the memory whose bounds they keep.

    Attributes:
        numbers: the core's constants by their names.
        pieces: words of ``struct piece``.
        ranges: region, address and length.
        chain_bytes: that each buffer between operations has to hold.
        left_in_chains: numbers of the operations that leave a map there, and which.
    """

    memory: Memory
    numbers: dict[str, int]
    pieces: list[list[int]] = field(default_factory=list)
    ranges: list[tuple[int, int, int]] = field(default_factory=list)
    chain_bytes: dict[int, int] = field(default_factory=dict)
    left_in_chains: list[tuple[int, Chained]] = field(default_factory=list)
    _chains: dict[int, object] = field(default_factory=dict)
    _maps: dict[FeatureMap, tuple[int, ...]] = field(default_factory=dict)  # one writes them and others read them

    def region(self, region: int | None) -> int:
        """The core's number of a region."""
        return self.numbers["REGION_INTERNAL"] if region is None else region

    def map(self, name: str, fm: FeatureMap, *, write: bool = False, wide: bool = False) -> Words:
        """A feature map; of 64 bits an element only where it may be that wide.

        Raises:
            NotCovered: it is in no region, or has elements that the core does not know.
            MemoryAccessError: part of it lies outside its region.
            UnsupportedError: a batch would write memory that it shares.
        """
        if fm.dtype.itemsize > 4 and not wide:
            raise NotCovered
        if fm.chain is not None:
            return self._chained(name, fm, fm.chain, write=write)
        if write:
            self.memory.check(fm.region, 0, 0, write=True)
        if (known := self._maps.get(fm)) is None:
            check_size(self.memory, fm)
            start, stored = _stored(fm, self.numbers["PIECE_DIMENSIONS"])
            for piece, _ in stored:
                place, size = start + piece.address, fm.dtype.itemsize
                self.memory.check_strided(fm.region, place, piece.extents, piece.strides, size)
            words = [[start + address, *others] for _, (address, *others) in stored]
            known = self._maps[fm] = self._array(fm.region, fm.extents, fm.dtype, words, fm.zero_point)
        return {f"{name}.region": known}

    def array(
        self,
        name: str,
        region: int | None,
        extents: Three,
        dtype: np.dtype[np.generic],
        stored: Piece,
        zero_point: int = 0,
    ) -> Words:
        """A map that is one piece."""
        words = _piece_words(stored, extents, dtype.itemsize, self.numbers["PIECE_DIMENSIONS"])
        return {f"{name}.region": self._array(region, extents, dtype, [words], zero_point)}

    def _array(
        self,
        region: int | None,
        extents: Three,
        dtype: np.dtype[np.generic],
        stored: Sequence[list[int]],
        zero_point: int,
    ) -> tuple[int, ...]:
        """The members of a map, of the words of its pieces."""
        dimensions, size = self.numbers["PIECE_DIMENSIONS"], dtype.itemsize
        first = len(self.pieces)
        self.pieces += stored
        height, width, depth = extents
        dense = len(stored) == 1 and _is_one_run(stored[0], height * width * depth, size, dimensions)
        kind = _type_number(size, dtype.kind)
        return self.region(region), kind, height, width, depth, zero_point, first, len(stored), int(dense)

    def _chained(self, name: str, fm: FeatureMap, buffer: int, *, write: bool) -> Words:
        """A map in a buffer between operations, which holds what was put there last."""
        region = self.numbers["REGION_CHAINS"] + buffer
        if region >= self.numbers["REGION_COUNT"]:
            raise NotCovered
        self._reserve(buffer, fm.extents, fm.dtype, write=write)
        size = fm.dtype.itemsize
        strides = (fm.width * fm.depth * size, fm.depth * size, size)
        whole = [slice(0, extent) for extent in fm.extents]
        piece = Piece(whole[0], whole[1], whole[2], 0, fm.extents, strides)
        return self.array(name, region, fm.extents, fm.dtype, piece, fm.zero_point)

    def left(self, fm: FeatureMap) -> Words:
        """What an operation has in place of an OFM that leaves sums, of the extents of a map."""
        return self.map("ofm", _sums(fm), write=True, wide=True)

    def kept(self, fm: FeatureMap) -> None:
        """See that there are sums for an operation that goes on with some.

        Raises:
            NotCovered: no operation before has left sums of the extents of this map.
        """
        self._reserve(ACCUMULATORS, fm.extents, SUM, write=False)

    def _reserve(self, buffer: int, extents: Three, dtype: np.dtype[np.generic], *, write: bool) -> None:
        elements = math.prod(extents)
        if elements > MAX_ELEMENTS or (not write and self._chains.get(buffer) != (extents, dtype)):
            raise NotCovered
        self.chain_bytes[buffer] = max(self.chain_bytes.get(buffer, 0), elements * dtype.itemsize)

    def executed(self, operation: Operation, number: int) -> None:
        """What follows finds the map that the operation leaves in a buffer, whoever computes it."""
        if (left := chained_by(operation)) is not None:
            buffer, *shape = left
            self._chains[buffer] = tuple(shape)
            self.left_in_chains.append((number, left))

    def range(self, name: str, region: int | None, address: int, length: int, *, write: bool = False) -> Words:
        """Bytes in a region.

        Raises:
            MemoryAccessError: they leave it.
            UnsupportedError: a batch would write memory that it shares.
        """
        self.memory.check(region, address, length, write=write)
        return {f"{name}.region": (self.region(region), address, length)}

    def streams(self, streams: tuple[AddressRange, ...]) -> Words:
        """The streams of a convolution.

        Raises:
            MemoryAccessError: one leaves its region.
        """
        first = len(self.ranges)
        for stream in streams:
            self.memory.check(stream.region, stream.address, stream.length)
            self.ranges.append((self.region(stream.region), stream.address, stream.length))
        return {"first_stream": (first, len(streams))}

    def output(self, operation: BlockOperation, *, wide: bool = False) -> Words:
        """The OFM, whose elements may be of 64 bits where it is wide, and the output stage.

        Raises:
            NotCovered: a rounding or a curve that the core does not have.
            NpuError: see :meth:`map`, and a table that is beyond the NPU's memory for tables or refused.
        """
        activation, ofm, index = operation.activation, operation.ofm, element_dtype(operation)
        function = activation.function
        if operation.rounding not in _ROUNDINGS:
            raise NotCovered
        if function is Function.LUT:
            table_of(operation, self.memory)
        elif function is not Function.NONE:
            if ofm.dtype != np.dtype("<i2"):
                raise NotCovered
            if function in TABLE_CURVES:
                curve_of(operation, self.memory)
        return {
            **self.map("ofm", ofm, write=True, wide=wide),
            **scale("scale", operation.applied_scale),
            "function": (
                int(function),
                self.memory.design.table_address + (activation.table or 0),
                activation.minimum,
                activation.maximum,
                _type_number(index.itemsize, index.kind),
                self.numbers[_ROUNDINGS[operation.rounding]],
            ),
        }


def chained_by(operation: Operation) -> Chained | None:
    """The buffer between operations, and extents and type of the map, that an operation leaves there; or None."""
    if not isinstance(operation, BlockOperation):
        return None
    if not operation.finishes:
        filled = isinstance(operation, PoolingOperation)
        return ACCUMULATORS, (operation.ifm if filled else operation.ofm).extents, SUM
    if operation.ofm.chain is None:
        return None
    return operation.ofm.chain, operation.ofm.extents, operation.ofm.dtype


def _sums(fm: FeatureMap) -> FeatureMap:
    return fm._replace(chain=ACCUMULATORS, dtype=SUM, zero_point=0, axes=(0, 1, 2), reversed_axis=None)


def _type_number(size: int, kind: str) -> int:
    return 2 * (size.bit_length() - 1) + (kind == "i")


def scale(name: str, found: Scale | None, away: int = 0) -> Words:
    """A scale, or none."""
    return {} if found is None else {f"{name}.used": (1, found.multiplier, found.shift, away)}


def window(operation: BlockOperation) -> Words:
    """The geometry of kernel, padding and upscaling.

    Raises:
        NotCovered: an IFM that is not what the kernel reads, or a padded one of a size that may be refused.
    """
    kernel, padding, ifm, ofm = operation.kernel, operation.padding, operation.ifm, operation.ofm
    height, width = window_size(kernel, ofm.height, ofm.width)
    inner = (height - padding.top - padding.bottom, width - padding.left - padding.right)
    if operation.upscale is not Upscale.NONE:
        inner = ((inner[0] + 1) // 2, (inner[1] + 1) // 2)
    if inner != (ifm.height, ifm.width) or height * width * ifm.depth > MAX_ELEMENTS:
        raise NotCovered
    return {
        "kernel_height": (
            *(kernel.height, kernel.width, kernel.stride_y, kernel.stride_x, kernel.dilation_y, kernel.dilation_x),
            *(padding.top, padding.left, padding.bottom, padding.right),
            int(operation.upscale),
        )
    }


def _stored(fm: FeatureMap, dimensions: int) -> tuple[int, Sequence[tuple[Piece, list[int]]]]:
    """Where a map begins, and its pieces with their words, whose addresses are counted from there.

    Without other tiles than the first one, maps of a shape are the same but for that.
    """
    stored = fm.as_stored
    if stored.height0 < stored.height or stored.width0 < stored.width:
        return 0, _pieces(fm, dimensions)
    return fm.bases[0], _pieces(fm._replace(region=0, bases=_NOWHERE, zero_point=0), dimensions)


_NOWHERE = (0, 0, 0, 0)


@functools.lru_cache(maxsize=1024)  # a network has many maps of a shape, and its parts, when they are split, more
def _pieces(fm: FeatureMap, dimensions: int) -> tuple[tuple[Piece, list[int]], ...]:
    """The pieces of a map with their words."""
    size = fm.dtype.itemsize
    return tuple(
        (piece, _piece_words(piece, fm.extents, size, dimensions, fm.axes, fm.reversed_axis))
        for piece in pieces(fm.as_stored)
    )


def _piece_words(
    piece: Piece,
    extents: Three,
    size: int,
    dimensions: int,
    axes: Three = (0, 1, 2),
    reversed_axis: int | None = None,
) -> list[int]:
    """A piece of a map as it is stored, as words of ``struct piece``.

    The dense array is of the map itself, so what is transposed or backwards in memory has steps of its own there.
    """
    _, width, depth = extents
    own = (width * depth * size, depth * size, size)
    steps = [own[axis] for axis in axes]
    starts = (piece.rows.start, piece.columns.start, piece.channels.start)
    position = starts[0] * steps[0] + starts[1] * steps[1] + starts[2] * steps[2]
    if reversed_axis is not None:
        step = steps[reversed_axis]
        position += (extents[axes[reversed_axis]] - 1 - 2 * starts[reversed_axis]) * step
        steps[reversed_axis] = -step
    if len(piece.extents) == 4:  # bricks of channels
        steps.insert(2, piece.extents[3] * steps[2])
    counts, memory, dense = _merged(piece.extents, piece.strides, steps)
    missing = dimensions - len(counts)
    zeros = [0] * missing
    return [piece.address, position, *[1] * missing, *counts, *zeros, *memory, *zeros, *dense]


def _merged(
    extents: Sequence[int], strides: Sequence[int], steps: Sequence[int]
) -> tuple[list[int], list[int], list[int]]:
    """Count, step in memory and dense step of each dimension, without those that only go on where another ends."""
    counts: list[int] = []
    memory: list[int] = []
    dense: list[int] = []
    for count, stride, step in zip(extents, strides, steps, strict=True):
        if count == 1:
            continue
        if counts and memory[-1] == count * stride and dense[-1] == count * step:
            counts[-1] *= count
            memory[-1], dense[-1] = stride, step
        else:
            counts.append(count)
            memory.append(stride)
            dense.append(step)
    return (counts, memory, dense) if counts else ([1], [strides[-1]], [steps[-1]])


def _is_one_run(words: Sequence[int], count: int, size: int, dimensions: int) -> bool:
    """Whether a piece is one run of so many elements without gaps: all of them are in its last dimension."""
    _, position, *rest = words
    return position == 0 and rest[dimensions - 1 :: dimensions] == [count, size, size]
