"""Weights are unpacked by the core as by NumPy, byte for byte, and kept by what they were decoded from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deploy.npu import Architecture, UnsupportedError, WeightCache
from deploy.npu.core import library
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Packed
from deploy.npu.stream.operations import AddressRange

from .. import builders
from .numpy_packing import CHANNELS, Parts, pack, parsed
from .random_weights import FAMILIES, PACK, UNPACK, packed_alike

CORE = library.native()
U55 = Architecture("U55", 128)


def check(family: str, seeds: range) -> None:
    found = Counter(packed_alike(family, seed) for seed in seeds)
    assert all(packings.same for packings in found)
    whole = sum(count for packings, count in found.items() if packings.whole)
    assert 0.5 * len(seeds) < whole < len(seeds), "some are damaged, most are not"


@pytest.mark.parametrize("family", FAMILIES)
def test_streams_of_every_order_become_the_same_as_numpys(family: str) -> None:
    check(family, range(150))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_many_streams_become_the_same_as_numpys(family: str) -> None:
    check(family, range(2000, 9000))


def test_the_core_and_its_packing_agree_on_the_channels_of_a_block() -> None:
    assert CORE.NUMBERS["CHANNELS"] == CHANNELS


def test_packed_weights_are_what_was_put_into_them() -> None:
    parts = Parts(
        np.arange(64).reshape(4, 16), np.arange(32, dtype=np.int16), np.arange(6).reshape(3, 2), 1, 1, 0, 9
    )
    assert parts.same_as(parsed(pack(parts)))


def constants(seed: int) -> tuple[np.ndarray, Any]:
    """Streams of a 1x1 convolution with random weights, and the convolution."""
    from ethosu import mlw_codec

    weights = np.random.default_rng(seed).integers(-99, 99, 16 * 32)
    stream = mlw_codec.encode(weights.tolist())
    operation = builders.convolution(
        builders.feature_map((1, 1, 32)),
        builders.feature_map((1, 1, 16)),
        weights=(AddressRange(0, 0, len(stream)),),
        scales=(AddressRange(0, len(stream), 160),),
    )
    return np.frombuffer(bytes(stream) + bytes(160), np.uint8), operation


def kept(cache: WeightCache, seed: int) -> Packed:
    content, operation = constants(seed)
    found = cache.packed(operation, Memory({0: content}, U55.design), PACK["u55"])
    assert found is not None
    assert (np.concatenate(found.content) == content).all()
    assert parsed(found.weights).content.tolist() == [[part.ctypes.data, part.size] for part in found.content]
    return found


def test_weights_are_packed_once_while_there_is_room_for_them() -> None:
    cache = WeightCache()
    assert kept(cache, 1) is kept(cache, 1)
    assert kept(cache, 2) is not kept(cache, 1)
    small = WeightCache(limit_bytes=4000)
    first = kept(small, 1)
    kept(small, 2)
    kept(small, 3)
    assert kept(small, 1) is not first


def test_weights_take_what_they_need_and_little_more() -> None:
    weights, scales = 2 * 16 * 32, 4 * 8 * 16
    assert kept(WeightCache(), 1).weights.nbytes <= weights + scales + 256


def test_streams_are_copied_only_where_something_could_change_them() -> None:
    content, operation = constants(1)
    for constant, copied in ((content, False), (content.copy(), True)):
        constant.flags.writeable = False  # the memory beneath may be written all the same
        found = WeightCache().packed(operation, Memory({0: constant}, U55.design), PACK["u55"])
        assert found is not None
        assert [not np.may_share_memory(part, constant) for part in found.content] == [copied] * 2


def test_a_damaged_stream_is_packed_to_nothing() -> None:
    content, operation = constants(1)
    cut = operation.weights[0].length - 40
    streams, records = [content[:cut]], [content[-160:]]
    assert PACK["u55"](operation, U55.design, streams, records) is None


def test_a_block_of_fewer_channels_than_cores_is_refused() -> None:
    content, operation = constants(1)
    operation = replace(
        operation, cores=2, block=(1, 1, 1), weights=operation.weights * 2, scales=operation.scales * 2
    )
    design = Architecture("U65", 512).design
    streams, records = [content[:-160]] * 2, [content[-160:]] * 2
    assert PACK["u55"](operation, design, streams, records) is None
    with pytest.raises(UnsupportedError, match="fewer channels than cores"):
        UNPACK["u55"](operation, design, streams, records)
