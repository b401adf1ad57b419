"""Samples: one dictionary of arrays for each inference, apart or side by side."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sample = dict[str, NDArray[Any]]
"""Name of an input or output -> its array, of exactly the tensor's shape and dtype."""

Stacked = dict[str, NDArray[Any]]
"""Samples side by side: name -> ``[samples, *shape]``."""


def stacked(samples: Sequence[Mapping[str, NDArray[Any]]]) -> Stacked:
    """Samples side by side, as many as there are, at least one."""
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def unstacked(batch: Mapping[str, NDArray[Any]], count: int) -> list[Sample]:
    """The reverse of :func:`stacked`; ``count`` is how many samples there are."""
    return [{name: array[i] for name, array in batch.items()} for i in range(count)]


class SampleDigest:
    """SHA-256 over names, dtypes, shapes and values of samples, however they were stored."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, samples: Sequence[Mapping[str, NDArray[Any]]]) -> SampleDigest:
        """Take in more of them; returns the digest itself."""
        for sample in samples:
            for name, array in sample.items():
                self._digest.update(_head(name, array.dtype, array.shape))
                self._digest.update(np.ascontiguousarray(array).tobytes())
        return self

    def hexdigest(self) -> str:
        """Of all samples so far."""
        return self._digest.hexdigest()


@functools.lru_cache(maxsize=64)
def _head(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """What stands before the values of an array: NumPy takes longer to name a type than to hash a small array."""
    return f"{name}:{dtype}:{shape};".encode()
