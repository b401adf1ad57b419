"""Many varied inputs for a network, made up in many ways and chosen by its answers to them.

They are what a change of the compiled model is judged by, so nothing of deploy's own search for inputs is used.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.inputs import named_inputs
from deploy.judging.samples import Stacked
from deploy.tflite import Model, Tensor

COUNT = 256
_CANDIDATES = 2048
_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
"""Of Debian's package dataset-fashion-mnist: the test images, with which nothing was trained or calibrated."""


def varied(model: Model, answers: Callable[[Stacked], Stacked], seed: int) -> Stacked:
    """Inputs with answers as different as can be had.

    Args:
        model: compiled.
        answers: runs it on inputs side by side.
        seed: of all that is random.

    Returns:
        Input name -> ``[256, *shape]`` of the model's dtype.
    """
    rng = np.random.default_rng(seed)
    tensors = named_inputs(model)
    made = {name: _candidates(rng, tensor, model) for name, tensor in tensors.items()}
    before = 0
    while True:
        made = _chosen(made, answers)
        distinct = _distinct(answers(made))
        if distinct in (before, COUNT):
            return made
        before = distinct
        children = {name: _crossed(array, rng) for name, array in made.items()}
        made = {name: np.concatenate([array, children[name]]) for name, array in made.items()}


def _chosen(made: Stacked, answers: Callable[[Stacked], Stacked]) -> Stacked:
    chosen = spread(answers(made), COUNT)
    return {name: array[chosen] for name, array in made.items()}


def _distinct(answers: Stacked) -> int:
    """How many answers there are that differ in any output."""
    return len(np.unique(np.concatenate([_unit(array) for array in answers.values()], axis=1), axis=0))


def _crossed(array: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Inputs between two others each, on the way from one answer to another."""
    some, other = (array[rng.integers(len(array), size=_CANDIDATES // 2)].astype(np.float64) for _ in range(2))
    share = rng.random((len(some), *[1] * (array.ndim - 1)))
    mixed = some + share * (other - some)
    return (np.rint(mixed) if array.dtype.kind in "iu" else mixed).astype(array.dtype)


def images(size: tuple[int, int], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Fashion-MNIST test images in [0, 1], ``(count, *size)``, cut from and scaled up from their middle."""
    content = gzip.decompress(_FASHION_MNIST.read_bytes())
    pixels = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28)
    chosen = pixels[rng.choice(len(pixels), count, replace=False)] / 255
    rows, columns = (np.arange(edge) * 28 // edge for edge in size)
    return chosen[:, rows][:, :, columns]


def spread(answers: Stacked, count: int) -> NDArray[np.intp]:
    """Positions of the inputs whose answers are most unlike: each time the one farthest from all chosen before.

    Where answers run out, the rest is filled up in order.
    """
    flat = np.concatenate([_unit(array) for array in answers.values()], axis=1)
    chosen = [int(np.abs(flat - flat.mean(axis=0)).sum(axis=1).argmin())]
    distance = np.full(len(flat), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.abs(flat - flat[chosen[-1]]).sum(axis=1))
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def _unit(array: NDArray[Any]) -> NDArray[np.float64]:
    """One row an input, each output scaled to its own range."""
    flat = array.reshape(len(array), -1).astype(np.float64)
    return (flat - flat.min()) / max(np.ptp(flat), 1e-12)


def _candidates(rng: np.random.Generator, tensor: Tensor, model: Model) -> NDArray[Any]:
    """``(candidates, *shape)`` of the tensor's dtype."""
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    kinds = list(_kinds(shape, rng))
    each = _CANDIDATES // len(kinds)
    unit = np.concatenate([np.stack([kind() for _ in range(each)]) for kind in kinds])
    low, high = _range(tensor, model)
    values = low + np.clip(unit, 0, 1) * (high - low)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "iu":
        values = np.clip(np.rint(values), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return values.astype(dtype).reshape(-1, *tensor.shape)


def _kinds(shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[Callable[[], NDArray[np.float64]]]:
    """Ways to make one input, in [0, 1] or a little beyond."""

    def contrast(array: NDArray[np.float64]) -> NDArray[np.float64]:
        return rng.uniform(0, 1) + (array - 0.5) * rng.uniform(0.05, 2)

    def noise() -> NDArray[np.float64]:
        return contrast(rng.random(shape))

    def bell() -> NDArray[np.float64]:
        return rng.normal(rng.uniform(0, 1), rng.uniform(0.01, 0.3), shape)

    def blobs() -> NDArray[np.float64]:
        result = np.zeros(shape)
        for parts in (2, 4, 9):
            result += _enlarged(rng.normal(0, 1, [min(parts, edge) for edge in shape]), shape)
        return contrast(0.5 + result / 4)

    def sparse() -> NDArray[np.float64]:
        return np.where(rng.random(shape) < rng.uniform(0.005, 0.3), rng.random(shape), rng.uniform(0, 1))

    def waves() -> NDArray[np.float64]:
        grid = np.meshgrid(*(np.linspace(0, 1, edge) for edge in shape), indexing="ij")
        phase = sum(rng.uniform(0, 20) * axis for axis in grid) + rng.uniform(0, 6)
        return contrast(0.5 + np.sin(phase + 0 * grid[0]) / 2)

    def extremes() -> NDArray[np.float64]:
        return (rng.random(shape) < rng.uniform(0, 1)).astype(np.float64)

    def pieces() -> NDArray[np.float64]:
        return np.clip(contrast(blobs()), 0, 1) * (bell() > rng.uniform(0, 1))

    yield from (noise, bell, blobs, sparse, waves, extremes, pieces)
    if len(shape) == 3 and shape[-1] in (1, 3) and min(shape[:2]) > 16 and _FASHION_MNIST.exists():
        pool = images(shape[:2], 512, rng)

        def photograph() -> NDArray[np.float64]:
            picture = pool[rng.integers(len(pool))][..., np.newaxis]
            tint = rng.uniform(0.3, 1, shape[-1])
            return np.broadcast_to(picture, shape) * tint * rng.uniform(0.5, 1.5) + rng.uniform(-0.2, 0.5)

        yield from (photograph, photograph)


def _enlarged(array: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    for axis, edge in enumerate(shape):
        array = np.take(array, np.arange(edge) * array.shape[axis] // edge, axis=axis)
    return array


def _range(tensor: Tensor, model: Model) -> tuple[float, float]:
    """Lowest and highest number of an input; of what its QUANTIZE can represent where it is a float."""
    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    for operator in model.operators:
        if operator.code == "QUANTIZE" and tensor.index in operator.inputs:
            quantized = model.tensors[operator.outputs[0]]
            if quantized.quantization is not None:
                limits = np.iinfo(np.dtype(quantized.dtype))
                scale, zero = quantized.quantization.scales[0], quantized.quantization.zero_points[0]
                return (limits.min - zero) * scale, (limits.max - zero) * scale
    return -1.0, 1.0
