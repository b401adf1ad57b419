"""Made-up data of many kinds: what a network may answer with something else than its usual extreme.

Uniform noise over the full range, which looks like nothing a network was trained on, drives many networks to one
answer, at the end of its range. So pictures and signals of several kinds are drawn, in ranges of several widths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.judging.input_ranges import InputRange
from deploy.judging.samples import Sample

if TYPE_CHECKING:
    from numpy.random import Generator  # most runs draw nothing

Picture = NDArray[np.float64]
"""Numbers from 0 to 1, in the shape of an input."""

_CELLS = (2, 3, 4, 6, 8, 12, 16)
"""Independent values that a smooth picture has along an axis: correlation lengths from half of it downwards."""

_MOST_WAVES = 6
_NARROWEST = 6
"""The narrowest range is 1 / 64 of the full one."""


def noise(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """Every element by itself."""
    return generator.random(shape)


def smooth(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """Noise of some correlation length along each axis."""
    picture = generator.random([min(size, int(generator.choice(_CELLS))) for size in shape])
    for axis, size in enumerate(shape):
        picture = _stretched(picture, axis, size)
    return _filling(picture)


def gradient(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """From dark to bright in some direction."""
    return _filling(sum((generator.normal() * axis for axis in _axes(shape)), np.zeros(shape)))


def waves(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """A sinusoid of some direction and frequency."""
    return 0.5 + 0.5 * np.sin(2 * np.pi * _phase(generator, shape))


def stripes(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """Two values in turn."""
    return (np.sin(2 * np.pi * _phase(generator, shape)) > 0).astype(np.float64)


def blobs(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """One to five soft spots."""
    picture = np.zeros(shape)
    for _ in range(int(generator.integers(1, 6))):
        widths = generator.uniform(0.03, 0.4, len(shape))
        distances = (
            ((axis - generator.random()) / width) ** 2 for axis, width in zip(_axes(shape), widths, strict=True)
        )
        picture += np.exp(-sum(distances, np.zeros([1] * len(shape))))
    return _filling(picture)


def sparse(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """Nothing but a few elements."""
    share = 10 ** generator.uniform(-3, -1)
    return np.where(generator.random(shape) < share, generator.random(shape), 0.0)


def steps(generator: Generator, shape: tuple[int, ...]) -> Picture:
    """One value, or boxes of one value each."""
    picture = np.full(shape, generator.random())
    for _ in range(int(generator.integers(0, 4))):
        ends = [sorted(generator.integers(0, size + 1, 2)) for size in shape]
        picture[tuple(slice(first, max(last, first + 1)) for first, last in ends)] = generator.random()
    return picture


KINDS: Final[tuple[Callable[[Generator, tuple[int, ...]], Picture], ...]] = (
    smooth,
    steps,
    noise,
    stripes,
    blobs,
    waves,
    gradient,
    sparse,
)
"""How pictures are drawn; in this order, so that few of them differ, too."""


def made_up(generator: Generator, ranges: Mapping[str, InputRange], kind: int) -> Sample:
    """Make up a sample.

    Args:
        generator: of random numbers.
        ranges: of the model's inputs, by name.
        kind: number of the kind of picture, counted through :data:`KINDS` again and again.
    """
    return {name: _drawn(generator, each, kind) for name, each in ranges.items()}


def changed(
    generator: Generator, ranges: Mapping[str, InputRange], sample: Mapping[str, Any], other: Mapping[str, Any]
) -> Sample:
    """A sample between two others, or beside one: mixed, partly exchanged, weaker or stronger, or with noise.

    Args:
        generator: of random numbers.
        ranges: of the model's inputs, by name.
        sample: an array per input, of its shape and dtype.
        other: another one.
    """
    way = int(generator.integers(0, 4))
    share, strength = generator.random(), 2 ** generator.uniform(-3, 1)
    found: Sample = {}
    for name, each in ranges.items():
        one, two = np.asarray(sample[name], np.float64), np.asarray(other[name], np.float64)
        if way == 0 or not each.drawn:
            mask = generator.random(each.shape) < share if not each.drawn else steps(generator, each.shape) < share
            mixed = np.where(mask, one, two)
        elif way == 1:
            mixed = one + share * (two - one)
        elif way == 2:
            mixed = each.zero + strength * (one - each.zero)
        else:
            spread = (each.high - each.low) * 2.0 ** -generator.integers(2, _NARROWEST + 2)
            mixed = one + spread * (smooth(generator, each.shape) + noise(generator, each.shape) - 1)
        found[name] = _stored(mixed, each)
    return found


def uniform(generator: Generator, each: InputRange) -> NDArray[Any]:
    """Uniform over what an input can hold."""
    if each.dtype.kind in "iu":
        return generator.integers(int(each.low), int(each.high), each.shape, dtype=each.dtype, endpoint=True)
    if each.dtype.kind == "b":
        return generator.integers(0, 2, each.shape).astype(each.dtype)
    return generator.uniform(each.low, each.high, each.shape).astype(each.dtype)


def _drawn(generator: Generator, each: InputRange, kind: int) -> NDArray[Any]:
    if not each.drawn:
        return uniform(generator, each)
    picture = KINDS[kind % len(KINDS)](generator, each.shape)
    if generator.random() < 0.3:  # with the texture of another kind
        picture = 0.8 * picture + 0.2 * KINDS[int(generator.integers(len(KINDS)))](generator, each.shape)
    if generator.random() < 0.3:
        picture = 1 - picture
    low, high = _window(generator, each)
    return _stored(low + picture * (high - low), each)


def _window(generator: Generator, each: InputRange) -> tuple[float, float]:
    """The full range, some part of it, or a narrow one around zero."""
    full = each.high - each.low
    way = int(generator.integers(0, 4))
    if way == 0:
        return each.low, each.high
    if way == 1:
        low, high = sorted(generator.random(2))
        return each.low + low * full, each.low + high * full
    width = full * 2.0 ** -generator.integers(1, _NARROWEST + 1)
    middle = each.zero if way == 2 else each.low + generator.random() * full
    return middle - width / 2, middle + width / 2


def _stored(values: Picture, each: InputRange) -> NDArray[Any]:
    """As the input stores them: rounded where it holds integers, within its range."""
    whole = each.dtype.kind in "iub"
    bounded = np.asarray(np.clip(np.rint(values) if whole else values, each.low, each.high))
    if each.dtype.kind not in "iu":
        return bounded.astype(each.dtype)
    largest = bounded >= each.high  # of 64-bit integers it is no float64 number
    stored = np.where(largest, 0, bounded).astype(each.dtype)
    stored[largest] = int(each.high)
    return stored


def _axes(shape: tuple[int, ...]) -> list[Picture]:
    """The position along each axis, from 0 to 1, in a shape that spreads over the others."""
    return [
        (np.linspace(0, 1, size) if size > 1 else np.zeros(1)).reshape(
            [-1 if other == axis else 1 for other in range(len(shape))]
        )
        for axis, size in enumerate(shape)
    ]


def _phase(generator: Generator, shape: tuple[int, ...]) -> Picture:
    phase = np.full(shape, generator.random())
    for axis, size in zip(_axes(shape), shape, strict=True):
        if generator.random() < 0.6:
            phase = phase + axis * generator.normal() * min(size / 4, _MOST_WAVES)
    return phase


def _stretched(picture: Picture, axis: int, size: int) -> Picture:
    """Linear between what is there."""
    there = picture.shape[axis]
    if there == size:
        return picture
    if there == 1:
        return np.repeat(picture, size, axis)
    where = np.linspace(0, there - 1, size)
    left = np.minimum(where.astype(np.intp), there - 2)
    part = (where - left).reshape([-1 if other == axis else 1 for other in range(picture.ndim)])
    found: Picture = np.take(picture, left, axis) * (1 - part) + np.take(picture, left + 1, axis) * part
    return found


def _filling(picture: Picture) -> Picture:
    """Shifted and scaled to the range from 0 to 1; all 0 where it has one value only."""
    shifted: Picture = picture - picture.min(initial=np.inf)
    return shifted / max(float(shifted.max(initial=0.0)), np.finfo(np.float64).tiny)
