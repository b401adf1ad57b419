import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import WeightStreamError
from deploy.npu.weights.u55_layout import WeightLayout, arrange, decode_scales, decode_weights, stream_length


@st.composite
def layouts(draw: st.DrawFn) -> WeightLayout:
    order = draw(st.sampled_from(["depth", "part", "depthwise"]))
    return WeightLayout(
        ofm_depth=draw(st.integers(1, 70)),
        ifm_depth=1 if order == "depthwise" else draw(st.integers(1, 70)),
        height=draw(st.integers(1, 11)),
        width=draw(st.integers(1, 11)),
        dilation_y=draw(st.integers(1, 2)),
        dilation_x=draw(st.integers(1, 2)),
        block_depth=draw(st.sampled_from([8, 16, 24, 32, 64, 128])),
        ofm_ublock=draw(st.sampled_from([4, 8])),
        ifm_ublock=8,
        ifm_bits=draw(st.sampled_from([8, 16])),
        depthwise=order == "depthwise",
        part_kernel_first=order == "part",
    )


def encode(weights: np.ndarray, layout: WeightLayout) -> bytes:
    """Vela's own encoder: reorders and compresses."""
    from ethosu import mlw_codec

    stream, _ = mlw_codec.reorder_encode(
        8,
        layout.ofm_ublock,
        weights,
        layout.block_depth,
        layout.depthwise,
        layout.part_kernel_first,
        layout.ifm_bits,
        8 // layout.dilation_y,
        8 // layout.dilation_x,
    )
    return bytes(stream)


@settings(deadline=None, max_examples=120)
@given(layouts(), st.integers(0, 2**32))
def test_weights_come_back_from_velas_order(layout: WeightLayout, seed: int) -> None:
    shape = (layout.ofm_depth, layout.height, layout.width, layout.ifm_depth)
    weights = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int16)
    assert (decode_weights(encode(weights, layout), layout) == weights).all()


def test_a_stream_of_another_length_is_refused_with_both_lengths() -> None:
    layout = WeightLayout(8, 8, 3, 3, 1, 1, 8, 8, 8, 8, False, True)
    expected = stream_length(layout)
    with pytest.raises(WeightStreamError, match=f"{expected - 1} values, the operation needs {expected}"):
        arrange(np.zeros(expected - 1, np.int16), layout)


def test_an_empty_stream_is_refused() -> None:
    with pytest.raises(WeightStreamError, match="ends"):
        decode_weights(b"", WeightLayout(8, 8, 1, 1, 1, 1, 8, 8, 8, 8, False, False))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**39), 2**39 - 1), st.integers(0, 2**32 - 1), st.integers(0, 63))))
def test_scale_records_come_back_from_velas_encoder(records: list[tuple[int, int, int]]) -> None:
    from ethosu.vela.api import npu_encode_bias

    packed = b"".join(bytes(npu_encode_bias(np.int64(b), m, s)) for b, m, s in records)
    scales = decode_scales(np.frombuffer(packed, np.uint8), len(records))
    assert list(zip(scales.bias, scales.multiplier, scales.shift, strict=True)) == records


def test_missing_scale_records_are_refused() -> None:
    with pytest.raises(WeightStreamError, match="3 channels need 30"):
        decode_scales(np.zeros(29, np.uint8), 3)
