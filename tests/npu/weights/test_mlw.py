import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import WeightStreamError
from deploy.npu.weights.mlw import decompress

from ..core.random_streams import decompressed_alike


def compress(weights: np.ndarray) -> bytes:
    from ethosu import mlw_codec

    return bytes(mlw_codec.encode(weights.astype(np.int16).tolist()))


def weights_of(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Distributions that make the encoder choose different modes."""
    narrow = np.round(rng.normal(0, 5, size)).clip(-127, 127)
    return {
        "uniform": rng.integers(-255, 256, size),
        "few": rng.choice([3, -8, 100], size),
        "tiny": rng.integers(-2, 3, size),
        "zeros": np.zeros(size),
        "sparse": np.where(rng.random(size) < 0.9, 0, rng.integers(-127, 128, size)),
        "half_sparse": np.where(rng.random(size) < 0.5, 0, narrow),
        "normal": np.round(rng.normal(0, 25, size)).clip(-127, 127),
        "tails": np.round(rng.standard_cauchy(size) * 3).clip(-127, 127),
    }[kind].astype(np.int16)


KINDS = ("uniform", "few", "tiny", "zeros", "sparse", "half_sparse", "normal", "tails")


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(KINDS), st.integers(1, 3000), st.integers(0, 2**32))
def test_what_velas_encoder_compressed_comes_back(kind: str, size: int, seed: int) -> None:
    from ethosu import mlw_codec

    stream = compress(weights_of(kind, size, np.random.default_rng(seed)))
    assert decompress(stream, size + 64).tolist() == mlw_codec.decode(bytearray(stream))


@pytest.mark.parametrize("kind", KINDS)
def test_streams_of_several_slices_come_back(kind: str) -> None:
    from ethosu import mlw_codec

    stream = compress(weights_of(kind, 70_000, np.random.default_rng(5)))
    assert decompress(stream, 70_064).tolist() == mlw_codec.decode(bytearray(stream))


@pytest.mark.parametrize("seeds", [range(60), pytest.param(range(1000, 4000), marks=pytest.mark.slow)])
def test_the_compiled_core_decompresses_what_numpy_does_and_refuses_what_it_refuses(seeds: range) -> None:
    assert [seed for seed in seeds if not decompressed_alike(seed)] == []


def test_a_truncated_stream_is_refused() -> None:
    stream = compress(weights_of("normal", 2000, np.random.default_rng(0)))
    for length in (1, 10, len(stream) // 2):
        with pytest.raises(WeightStreamError, match="ends inside"):
            decompress(stream[:length], 4000)


def test_more_values_than_the_operation_needs_are_refused() -> None:
    for kind in ("uniform", "sparse", "zeros"):
        stream = compress(weights_of(kind, 2000, np.random.default_rng(0)))
        with pytest.raises(WeightStreamError, match="more values"):
            decompress(stream, 100)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_random_bytes_end_in_values_or_an_error(stream: bytes) -> None:
    with contextlib.suppress(WeightStreamError):
        assert decompress(stream, 100_000).size <= 100_000


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(KINDS), st.integers(0, 10**9), st.integers(0, 7))
def test_a_flipped_bit_ends_in_values_or_an_error(kind: str, where: int, bit: int) -> None:
    stream = bytearray(compress(weights_of(kind, 500, np.random.default_rng(3))))
    stream[where % len(stream)] ^= 1 << bit
    with contextlib.suppress(WeightStreamError):
        assert decompress(bytes(stream), 1000).size <= 1000
