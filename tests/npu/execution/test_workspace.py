import numpy as np

from deploy.npu import Architecture, WeightCache
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import AddressRange
from deploy.npu.weights.u55_layout import unpack
from deploy.npu.weights.unpacked import Unpacked

from ..builders import convolution, feature_map

U55 = Architecture("U55", 128)


def prepared(seed: int, cache: WeightCache, head: int | None = None) -> Unpacked:
    """Weights of a 1x1 convolution with random content; ``head`` repeats the start of another stream."""
    from ethosu import mlw_codec
    from ethosu.vela.api import npu_encode_bias

    weights = np.random.default_rng(seed).integers(-99, 99, (16, 1, 1, 32)).astype(np.int16)
    if head is not None:
        weights[:8] = np.random.default_rng(head).integers(-99, 99, (16, 1, 1, 32))[:8]
    stream, _ = mlw_codec.reorder_encode(8, 8, weights, 16, False, False, 8, 8, 8)
    scales = b"".join(bytes(npu_encode_bias(np.int64(0), 1 << 30, 36)) for _ in range(16))
    constants = np.frombuffer(bytes(stream) + scales, np.uint8)
    operation = convolution(
        feature_map((1, 1, 32)),
        feature_map((1, 1, 16)),
        weights=(AddressRange(0, 0, len(stream)),),
        scales=(AddressRange(0, len(stream), len(scales)),),
    )
    found = cache.get(operation, Memory({0: constants}, U55.design), unpack)
    assert (found.weights == weights).all()
    return found


def test_the_same_content_is_decoded_once() -> None:
    cache = WeightCache()
    assert prepared(1, cache) is prepared(1, cache)


def test_streams_that_start_alike_are_told_apart() -> None:
    cache = WeightCache()
    assert prepared(2, cache, head=1) is not prepared(1, cache)
    assert prepared(2, cache, head=1) is prepared(2, cache, head=1)


def test_old_entries_make_room_for_new_ones() -> None:
    cache = WeightCache(limit_bytes=4000)
    first = prepared(1, cache)
    prepared(2, cache)
    prepared(3, cache)
    assert prepared(1, cache) is not first
