"""The tensors of inferences that run side by side: in arenas, or apart where Vela gave them no place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.tflite import Tensor


class TensorMemory:
    """The tensors of a batch of inferences: in arenas, or apart where Vela gave them no place.

    Attributes:
        arena: ``(batch, bytes)``, zeroed at first.
    """

    def __init__(self, offsets: tuple[int, ...], batch: int, arena_bytes: int) -> None:
        self.arena = np.zeros((batch, arena_bytes), np.uint8)
        self._offsets = offsets
        self._apart: dict[int, NDArray[np.uint8]] = {}
        self._values: dict[int, NDArray[np.generic]] = {}

    def clear(self) -> None:
        """Zeros everywhere, as at first."""
        for memory in (self.arena, *self._apart.values()):
            memory.fill(0)

    def write(self, tensor: Tensor, array: NDArray[np.generic]) -> None:
        """Store an array ``(batch, *shape)``."""
        values = self.view(tensor)
        if values.shape == array.shape and values.dtype == array.dtype:
            values[...] = array
        else:
            self.bytes_of(tensor)[...] = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)

    def read(self, tensor: Tensor) -> NDArray[np.generic]:
        """A copy of a tensor, ``(batch, *shape)``."""
        return self.view(tensor).copy()

    def view(self, tensor: Tensor) -> NDArray[np.generic]:
        """A tensor ``(batch, *shape)`` where it lies."""
        found = self._values.get(tensor.index)
        if found is None:
            found = self.bytes_of(tensor).view(tensor.dtype).reshape(len(self.arena), *tensor.shape)
            self._values[tensor.index] = found
        return found

    def bytes_of(self, tensor: Tensor) -> NDArray[np.uint8]:
        """The bytes of a tensor ``(batch, n)``, to be changed where it is no constant."""
        start = self._offsets[tensor.index]
        if start >= 0:
            return self.arena[:, start : start + tensor.nbytes]
        if tensor.data is not None:
            if tensor.data.size != tensor.nbytes:
                raise BadInputError(f"tensor {tensor.name!r} holds {tensor.data.size} bytes of {tensor.nbytes}")
            return np.broadcast_to(tensor.data, (len(self.arena), tensor.nbytes))
        # TFLM plans such a tensor itself, where it overlaps nothing: as good as memory of its own.
        return self._apart.setdefault(tensor.index, np.zeros((len(self.arena), tensor.nbytes), np.uint8))
