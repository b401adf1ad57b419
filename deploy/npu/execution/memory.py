"""The memory that commands address: regions and the NPU's own, with every access checked against their bounds.

All arrays carry a leading batch dimension: regions may hold several independent memories that run through the
same command stream side by side (see :func:`deploy.npu.execute`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from deploy.hardware.designs import Design
from deploy.npu.errors import MemoryAccessError, StreamError, UnsupportedError

MAX_REGION = 7
ACCUMULATORS = -1
"""The buffer of sums that one operation leaves and the next one goes on with, int64 (U85)."""


class Memory:
    """Regions 0 to 7 and the SHRAM.

    Args:
        regions: region number -> uint8 array, flat ``(bytes,)`` or batched ``(batch, bytes)``; C-contiguous.
            Batched and flat regions may be mixed: a flat one is shared by the whole batch.
        design: of the NPU: gives the size of the SHRAM, and where tables lie in it.
        defined: turns tracking on: region number -> ranges ``(start, stop)`` that hold data at the start. Reading
            anything else before it was written is an error. Regions that are not named hold nothing.

    Attributes:
        arrays: regions 0 to 7 and the NPU's own memory, ``(batch or 1, bytes)`` each; None where there is none.

    Raises:
        StreamError: a region that is no such array, or batches of different size.
    """

    def __init__(
        self,
        regions: Mapping[int, NDArray[np.uint8]],
        design: Design,
        defined: Mapping[int, Iterable[tuple[int, int]]] | None = None,
    ) -> None:
        self.design = design
        self._regions: dict[int | None, NDArray[np.uint8]] = {}
        batches = set()
        for number, array in regions.items():
            if not 0 <= number <= MAX_REGION:
                raise StreamError(f"there is no region {number}")
            if array.dtype != np.uint8 or array.ndim not in (1, 2) or not array.flags.c_contiguous:
                raise StreamError(f"region {number} must be a contiguous array of bytes")
            self._regions[number] = array if array.ndim == 2 else array.reshape(1, -1)
            if array.ndim == 2:
                batches.add(array.shape[0])
        if len(batches) > 1:
            raise StreamError(f"regions with different batches: {sorted(batches)}")
        self.batch = batches.pop() if batches else 1
        self._chains: dict[int, tuple[tuple[int, ...], np.dtype[np.generic]]] = {}
        self._chain_rooms: dict[int, NDArray[np.uint8]] = {}
        # Tables are the only thing that streams place in SHRAM by address; all of the batch shares them.
        self._regions[None] = np.zeros((1, design.shram_kb * 1024), np.uint8)
        self.arrays = tuple(self._regions.get(number) for number in (*range(MAX_REGION + 1), None))
        self._written: dict[int | None, NDArray[np.uint8]] | None = None
        if defined is not None:
            self._written = _masks(self._regions)
            for number, ranges in defined.items():
                for start, stop in ranges:
                    self._written[number][0, start:stop] = 1

    def forget(self) -> None:
        """Empty the NPU's own memory, as it is for a stream that begins."""
        self._regions[None].fill(0)
        self._chains.clear()

    @property
    def shape(self) -> tuple[object, ...] | None:
        """All that the bounds of accesses depend on; None where more has to be looked at.

        That is so while reads of memory that nobody wrote are found, and where items of a batch may share memory.
        How many items a batch has does not matter, only whether they share a region.
        """
        if self._written is not None or (self.batch > 1 and _overlap(self._regions.values())):
            return None
        return self.batch > 1, *(
            (number, len(array) < self.batch, array.shape[1], array.flags.writeable)
            for number, array in self._regions.items()
        )

    def size(self, region: int | None) -> int:
        """Bytes in a region (0 when it does not exist)."""
        array = self._regions.get(region)
        return 0 if array is None else int(array.shape[1])

    def bytes(self, region: int | None, address: int, size: int, *, write: bool = False) -> NDArray[np.uint8]:
        """View of a byte range, shape ``(batch or 1, size)``.

        Args:
            region: region number; None is the SHRAM.
            address: first byte.
            size: how many bytes.
            write: the caller is going to write them (else to read them).

        Raises:
            MemoryAccessError: the range leaves the region, is read-only, or nobody wrote it.
            UnsupportedError: a batch would write memory that it shares.
        """
        array = self._checked(region, address, size, write)
        if self._written is not None:
            self._track(self._written[region][:, address : address + size], region, address, size, write)
        return array[:, address : address + size]

    def constant_bytes(self, region: int | None, address: int, size: int) -> NDArray[np.uint8]:
        """Bytes that must be the same in the whole batch (weights, scales, tables), shape ``(size,)``.

        Raises:
            MemoryAccessError: the range leaves the region, or nobody wrote it.
            UnsupportedError: the batch holds different bytes there.
        """
        rows = self.bytes(region, address, size)
        if rows.shape[0] > 1 and (rows != rows[0]).any():
            raise UnsupportedError(
                "weights or tables that differ within a batch",
                parameters={"region": region, "address": hex(address), "size": size},
            )
        first: NDArray[np.uint8] = rows[0]
        return first

    def table(self, offset: int, size: int) -> NDArray[np.uint8]:
        """Bytes of the lookup tables, from an offset behind the first one on, shape ``(size,)``.

        Raises:
            StreamError: they reach beyond the tables.
        """
        if offset + size > self.design.table_bytes:
            raise StreamError(
                "the lookup table does not fit behind its slot", parameters={"offset": offset, "size": size}
            )
        return self.constant_bytes(None, self.design.table_address + offset, size)

    def chain(self, buffer: int, values: NDArray[np.generic]) -> None:
        """Put a feature map ``(batch or 1, height, width, depth)`` into a buffer between operations (U85)."""
        rows = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
        self.chain_room(buffer, rows.shape[1])[:, : rows.shape[1]] = rows
        self.left_in_chain(buffer, values.shape[1:], values.dtype)

    def left_in_chain(self, buffer: int, extents: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        """A feature map of this height, width, depth and type now is in a buffer's bytes."""
        self._chains[buffer] = extents, dtype

    def chained(
        self, buffer: int, extents: tuple[int, int, int], dtype: np.dtype[np.generic]
    ) -> NDArray[np.generic]:
        """The feature map that an operation before has left in a buffer.

        Raises:
            StreamError: there is none.
            UnsupportedError: it is of another shape or type, which was never seen.
        """
        found = self._chains.get(buffer)
        if found is None:
            raise StreamError(
                "no operation before has left a feature map in the NPU", parameters={"buffer": buffer}
            )
        if found != (extents, dtype):
            raise UnsupportedError(
                "a feature map inside the NPU that is read as another one",
                parameters={"buffer": buffer, "written": found, "read": (extents, dtype)},
            )
        size = math.prod(extents) * dtype.itemsize
        return self._chain_rooms[buffer][:, :size].copy().view(dtype).reshape(self.batch, *extents)

    def chain_room(self, buffer: int, size: int) -> NDArray[np.uint8]:
        """The bytes of a buffer between operations, ``(batch, size or more)``."""
        room = self._chain_rooms.get(buffer, np.zeros((self.batch, 0), np.uint8))
        if room.shape[1] < size:
            room = np.pad(room, ((0, 0), (0, size - room.shape[1])))
            self._chain_rooms[buffer] = room
        return room

    def strided(
        self,
        region: int | None,
        address: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        dtype: np.dtype[np.generic],
        *,
        write: bool = False,
    ) -> NDArray[np.generic]:
        """A view of elements in a region.

        Args:
            region: region number.
            address: offset of the first element.
            shape: extents, without the batch.
            strides: bytes, one per extent; may be negative.
            dtype: element type.
            write: the caller is going to write them (else to read them).

        Returns:
            View of shape ``(batch or 1, *shape)``.

        Raises:
            MemoryAccessError: an element lies outside the region, is read-only, or nobody wrote it.
            UnsupportedError: a batch would write memory that it shares.
        """
        array, low, high = self._checked_reach(region, address, shape, strides, dtype.itemsize, write)
        if self._written is not None:
            # The bytes of an element are written together, so the first one speaks for all of them.
            mask = _view(self._written[region], address, shape, strides, np.dtype("u1"))
            self._track(mask, region, low, high - low, write)
        return _view(array, address, shape, strides, dtype)

    def check(self, region: int | None, address: int, size: int, *, write: bool = False) -> None:
        """Raise what :meth:`bytes` raises, where it is not asked whether somebody wrote them."""
        self._checked(region, address, size, write)

    def check_strided(
        self,
        region: int | None,
        address: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        itemsize: int,
        *,
        write: bool = False,
    ) -> None:
        """Raise what :meth:`strided` raises, where it is not asked whether somebody wrote the elements."""
        self._checked_reach(region, address, shape, strides, itemsize, write)

    def _checked_reach(
        self,
        region: int | None,
        address: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        itemsize: int,
        write: bool,
    ) -> tuple[NDArray[np.uint8], int, int]:
        """The region, and the first byte of the elements in it and the one behind the last."""
        low, high = address, address + itemsize
        for extent, stride in zip(shape, strides, strict=True):
            if stride < 0:
                low += (extent - 1) * stride
            else:
                high += (extent - 1) * stride
        return self._checked(region, low, high - low, write), low, high

    def _checked(self, region: int | None, address: int, size: int, write: bool) -> NDArray[np.uint8]:
        array = self._regions.get(region)
        if array is None:
            raise MemoryAccessError("no memory is mapped there", region=region, address=address, size=size)
        if address < 0 or size < 0 or address + size > array.shape[1]:
            raise MemoryAccessError(
                f"outside the region of {array.shape[1]} bytes", region=region, address=address, size=size
            )
        if write and not array.flags.writeable:
            raise MemoryAccessError("the region is read-only", region=region, address=address, size=size)
        if write and region is not None and array.shape[0] < self.batch:
            raise UnsupportedError(
                "a batch writes a region that it shares",
                parameters={"region": region, "address": hex(address), "size": size},
            )
        return array

    def _track(self, mask: NDArray[np.generic], region: int | None, address: int, size: int, write: bool) -> None:
        if write:
            mask[...] = 1
        elif not mask.all():
            raise MemoryAccessError("memory that nobody wrote", region=region, address=address, size=size)


def _overlap(arrays: Iterable[NDArray[np.uint8]]) -> bool:
    """Whether two of them share memory without being the same."""
    different = {(array.ctypes.data, array.shape): array for array in arrays}
    return any(np.may_share_memory(*pair) for pair in itertools.combinations(different.values(), 2))


def _masks(regions: Mapping[int | None, NDArray[np.uint8]]) -> dict[int | None, NDArray[np.uint8]]:
    """A byte of mask for every byte of memory; regions that are the same memory have the same mask."""
    masks: dict[int | None, NDArray[np.uint8]] = {}
    for number, array in regions.items():
        for other, mask in masks.items():
            if array.size and np.may_share_memory(array, regions[other]):
                if array.ctypes.data != regions[other].ctypes.data or array.shape != regions[other].shape:
                    raise UnsupportedError(f"tracking of regions {other} and {number}, which overlap in part")
                masks[number] = mask
                break
        else:
            masks[number] = np.zeros((1, array.shape[1]), np.uint8)
    return masks


def _view(
    array: NDArray[np.uint8],
    address: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: np.dtype[np.generic],
) -> NDArray[np.generic]:
    rows, size = array.shape
    return np.ndarray((rows, *shape), dtype, buffer=array, offset=address, strides=(size, *strides))
