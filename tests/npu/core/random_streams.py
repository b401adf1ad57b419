"""Random weight streams, half of them damaged, decompressed by the core and by NumPy."""

from __future__ import annotations

import random

import numpy as np

from deploy.npu import WeightStreamError
from deploy.npu.core.library import native
from deploy.npu.weights.mlw import decompress_in_numpy


def _weights(rng: random.Random, size: int) -> np.ndarray:
    numbers = np.random.default_rng(rng.randrange(1 << 30))
    return rng.choice(
        [
            numbers.integers(-255, 256, size),
            np.where(numbers.random(size) < 0.8, 0, numbers.integers(-20, 20, size)),
            numbers.choice(numbers.integers(-255, 256, 8), size),
            (numbers.normal(size=size) * 10).astype(int),
            numbers.integers(-2, 3, size),
        ]
    )


def stream(seed: int) -> tuple[bytes, int]:
    """A stream, and how many values it may have at most."""
    from ethosu import mlw_codec

    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    size = rng.choice([1, 5, 100, 3000, 40_000])
    data = bytearray(mlw_codec.encode([int(weight) for weight in _weights(rng, size)]))
    if rng.random() < 0.5:
        return bytes(data), size + rng.choice([0, 0, 10, -1])
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        data = data[: rng.randrange(1, len(data) + 1)]
    return bytes(data), size + rng.choice([0, 50_000])


def decompressed_alike(seed: int) -> bool:
    """Whether the core and NumPy find the same in a random stream."""
    return found_alike(*stream(seed))


def found_alike(data: bytes, limit: int) -> bool:
    """Whether the core and NumPy find the same values, or both that the stream is damaged."""
    values = np.empty(limit, np.int16)
    core = native()
    assert core is not None
    count = core.decompress(data, values)
    try:
        expected = decompress_in_numpy(data, limit)
    except WeightStreamError:
        return bool(count == -1)
    return bool(count == expected.size and (values[:count] == expected).all())
