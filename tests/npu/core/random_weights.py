"""Convolutions with random weight streams of every order, some damaged, packed by the core and by NumPy."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu import Architecture, WeightStreamError
from deploy.npu.core.u55_weights import u55_order
from deploy.npu.core.u85_weights import u85_order
from deploy.npu.core.weights import Packing
from deploy.npu.stream.operations import AddressRange, Kernel
from deploy.npu.stream.u85_registers import Accumulators, Start
from deploy.npu.weights import u55_layout, u85_layout

from .. import builders, u85_builders
from .numpy_packing import parsed, parts_of

PACK = {"u55": Packing(u55_order), "u85": Packing(u85_order)}
UNPACK: dict[str, Callable[..., Any]] = {"u55": u55_layout.unpack, "u85": u85_layout.unpack}
FAMILIES = tuple(PACK)
_U55 = [("U55", 32), ("U55", 64), ("U55", 128), ("U55", 256), ("U65", 256), ("U65", 512)]
_U85 = [("U85", macs) for macs in (128, 256, 512, 1024, 2048)]


class Streams(NamedTuple):
    """A convolution of an NPU and its streams."""

    operation: Any
    design: Any
    weights: list[NDArray[np.uint8]]
    scales: list[NDArray[np.uint8]]


def _values(rng: random.Random, size: int) -> NDArray[np.int16]:
    numbers = np.random.default_rng(rng.randrange(1 << 30))
    most = rng.choice([1, 7, 127, 255])
    found = numbers.integers(-most, most + 1, size)
    return np.where(numbers.random(size) < rng.choice([0.1, 0.9]), found, 0).astype(np.int16)


def _coded(values: NDArray[np.int16]) -> NDArray[np.uint8]:
    from ethosu import mlw_codec

    return np.frombuffer(bytes(mlw_codec.encode(values.tolist())), np.uint8)


def _words(rng: random.Random, dtype: str) -> dict[str, Any]:
    """Kernel, depths and OFM block of a convolution that is not too large."""

    def extent() -> int:
        return rng.choice([1, 1, 2, 3, rng.randint(1, 12)])

    while True:
        depthwise = rng.random() < 0.3
        kernel = Kernel(
            extent(), extent(),
            rng.randint(1, 3), rng.randint(1, 3), rng.choice([1, 1, 2]), rng.choice([1, 1, 2]), rng.random() < 0.5,
        )  # fmt: skip
        depth = rng.choice([1, 3, 8, 16, 17, 33, 70, 140])
        ofm_depth = depth if depthwise else rng.choice([1, 5, 8, 16, 20, 40, 70])
        if kernel.height * kernel.width * ofm_depth * (1 if depthwise else depth) <= 20_000:
            return {
                "ifm": builders.feature_map((1, 1, depth), dtype),
                "ofm": builders.feature_map((1, 1, ofm_depth)),
                "kernel": kernel,
                "depthwise": depthwise,
                "block": (1, 1, rng.choice([2, 8, 16, 24, 32, 64, 128])),
            }


def _ranges(count: int) -> tuple[AddressRange, ...]:
    return (AddressRange(0, 0, 0),) * count


def _bytes(rng: random.Random, size: int) -> NDArray[np.uint8]:
    return np.frombuffer(rng.randbytes(size), np.uint8)


def u55(rng: random.Random) -> Streams:
    design: Any = Architecture(*rng.choice(_U55)).design
    words = _words(rng, rng.choice(["i1", "i1", "u1", "i2"]))
    cores = min(design.cores, words["ofm"].depth)
    operation = builders.convolution(**words, cores=design.cores, weights=_ranges(cores), scales=_ranges(cores))
    layouts = [u55_layout.layout_of(operation, design, core) for core in range(cores)]
    streams = [_coded(_values(rng, u55_layout.stream_length(layout))) for layout in layouts]
    return Streams(operation, design, streams, [_bytes(rng, 10 * layout.ofm_depth + 6) for layout in layouts])


def u85(rng: random.Random) -> Streams:
    design: Any = Architecture(*rng.choice(_U85)).design
    words = _words(rng, rng.choice(["i1", "i1", "i2"]))
    fast, sparse = (not words["depthwise"] and rng.random() < 0.5 for _ in range(2))
    bits = rng.choice([32, 48])
    operation = u85_builders.convolution(
        **words,
        cores=design.cores,
        fast=fast,
        sparse=sparse,
        accumulators=Accumulators(bits, Start.ZERO, stored=True, ublock=rng.choice(design.ofm_ublocks)),
    )
    layout = u85_layout.layout_of(operation, design)
    length = u85_layout.stream_length(layout)
    records = _records(rng, layout.ofm_depth, bits)
    values = _strayless(rng, layout, length)
    if fast:
        return Streams(operation, design, [_fast(rng, values, layout)], [records])
    found = [_coded(own) if own.any() or core == 0 else _bytes(rng, 0) for core, own in enumerate(values)]
    return Streams(operation, design, found, [records])


def _records(rng: random.Random, channels: int, bits: int) -> NDArray[np.uint8]:
    """Scale records with multipliers that are no wider than they may be, mostly."""
    found = _bytes(rng, 10 * channels + 6).copy()
    if rng.random() < 0.9:
        found[7 : 10 * channels : 10] &= 0x7F
    return found


def _strayless(rng: random.Random, layout: u85_layout.U85WeightLayout, length: int) -> list[NDArray[np.int16]]:
    """Values of each core, 0 where there is no weight; mostly."""
    whole = [_values(rng, length) for _ in range(layout.cores)]
    if rng.random() < 0.1:
        return whole
    # Which values are weights: the numbers of their places, put in order as weights are, in two digits.
    numbers = np.arange(1, length * layout.cores + 1).reshape(layout.cores, length)
    high, low = (
        u85_layout.placed([row.astype(np.int16) for row in digits], layout).astype(np.int64)
        for digits in (numbers >> 14, numbers & 0x3FFF)
    )
    places = ((high << 14) + low - 1).ravel()
    kept = np.zeros(length * layout.cores, np.int16)
    kept[places] = np.concatenate(whole)[places]
    return list(kept.reshape(layout.cores, length))


def _fast(
    rng: random.Random, values: list[NDArray[np.int16]], layout: u85_layout.U85WeightLayout
) -> NDArray[np.uint8]:
    """One stream of all cores, coded for fast decoding: of 8, 4 or 2 bits a weight."""
    block = layout.core_ublock * layout.ifm_ublock * layout.multiple
    whole = np.stack([own.reshape(-1, block) for own in values], axis=1).ravel()
    flags = rng.choice([0, 1, 2])
    if flags == 1:
        offset = rng.choice([0, 3, -128])
        limited = np.clip(whole, max(-127, -128 - offset), 127 - max(offset, 0))
        limited = np.where(whole == 0, 0, limited)
        header = 1 | (offset & 0xFF) << 104
        data = (limited + offset).astype(np.int8).tobytes()
    else:
        bits = 2 if flags else 4
        palette = [0, *(rng.randint(-255, 255) for _ in range((1 << bits) - 1))]
        header = flags | sum((abs(w) << 1 | (w < 0)) << 112 + 9 * place for place, w in enumerate(palette))
        places = np.where(whole == 0, 0, np.abs(whole.astype(np.int64)) % (1 << bits)).astype(np.uint8)
        places = np.pad(places, (0, -len(places) % (8 // bits))).reshape(-1, 8 // bits)
        data = (places << np.arange(0, 8, bits, dtype=np.uint8)).sum(axis=1).astype(np.uint8).tobytes()
    return np.frombuffer(header.to_bytes(32, "little") + data + bytes(5), np.uint8)


MAKE = {"u55": u55, "u85": u85}


def _damaged(rng: random.Random, parts: list[NDArray[np.uint8]]) -> None:
    place = rng.randrange(len(parts))
    changed = parts[place].copy()
    if not changed.size:
        return
    if rng.random() < 0.5:
        changed = changed[: rng.randrange(changed.size)]
    else:
        changed[rng.randrange(changed.size)] ^= 1 << rng.randrange(8)
    parts[place] = changed


class Packings(NamedTuple):
    """What became of random weights: whether they were whole, and whether the core and NumPy found the same."""

    whole: bool
    same: bool


def packed_alike(family: str, seed: int) -> Packings:
    """Pack random weights in both ways."""
    rng = random.Random(f"{family} {seed}")  # noqa: S311 - repeatable, not secret
    found = MAKE[family](rng)
    if rng.random() < 0.25:
        _damaged(rng, rng.choice([found.weights, found.scales]))
    operation, design, streams, records = found
    by_core = PACK[family](operation, design, streams, records)
    try:
        unpacked = UNPACK[family](operation, design, streams, records)
    except WeightStreamError:
        return Packings(False, by_core is None)
    if by_core is None:
        return Packings(True, False)
    expected = parts_of(operation, unpacked, by_core.content)
    return Packings(True, expected.same_as(parsed(by_core.weights)))
