"""The memory that commands address: regions and the SHRAM, with every access checked against their bounds.

All arrays carry a leading batch dimension: regions may hold several independent memories that run through the
same command stream side by side (see :func:`deploy.npu.execute`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deploy.npu.architecture import Architecture
from deploy.npu.errors import MemoryAccessError, StreamError, UnsupportedError

MAX_REGION = 7


class Memory:
    """Regions 0 to 7 and the SHRAM.

    Args:
        regions: region number -> uint8 array, flat ``(bytes,)`` or batched ``(batch, bytes)``; C-contiguous.
            Batched and flat regions may be mixed: a flat one is shared by the whole batch.
        architecture: gives the size of the SHRAM.

    Raises:
        StreamError: a region that is no such array, or batches of different size.
    """

    def __init__(self, regions: Mapping[int, NDArray[np.uint8]], architecture: Architecture) -> None:
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
        # Tables are the only thing that streams place in SHRAM by address; all of the batch shares them.
        self._regions[None] = np.zeros((1, architecture.shram_kb * 1024), np.uint8)

    def size(self, region: int | None) -> int:
        """Bytes in a region (0 when it does not exist)."""
        array = self._regions.get(region)
        return 0 if array is None else int(array.shape[1])

    def bytes(self, region: int | None, address: int, size: int) -> NDArray[np.uint8]:
        """View of a byte range, shape ``(batch or 1, size)``.

        Raises:
            MemoryAccessError: the range leaves the region.
        """
        array = self._regions.get(region)
        if array is None:
            raise MemoryAccessError("no memory is mapped there", region=region, address=address, size=size)
        if address < 0 or size < 0 or address + size > array.shape[1]:
            raise MemoryAccessError(
                f"outside the region of {array.shape[1]} bytes", region=region, address=address, size=size
            )
        return array[:, address : address + size]

    def constant_bytes(self, region: int | None, address: int, size: int) -> NDArray[np.uint8]:
        """Bytes that must be the same in the whole batch (weights, scales, tables), shape ``(size,)``.

        Raises:
            MemoryAccessError: the range leaves the region.
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

    def strided(
        self,
        region: int,
        address: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        dtype: np.dtype[np.generic],
    ) -> NDArray[np.generic]:
        """A view of elements in a region.

        Args:
            region: region number.
            address: offset of the first element.
            shape: extents, without the batch.
            strides: bytes, one per extent; may be negative.
            dtype: element type.

        Returns:
            View of shape ``(batch or 1, *shape)``.

        Raises:
            MemoryAccessError: an element lies outside the region.
        """
        reach = [(extent - 1) * stride for extent, stride in zip(shape, strides, strict=True)]
        low = address + sum(distance for distance in reach if distance < 0)
        high = address + sum(distance for distance in reach if distance > 0) + dtype.itemsize
        self.bytes(region, low, high - low)
        array = self._regions[region]
        return np.ndarray(
            (array.shape[0], *shape),
            dtype,
            buffer=array,
            offset=address,
            strides=(array.shape[1], *strides),
        )
