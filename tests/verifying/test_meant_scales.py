"""Biases and scales by the source model, held to numbers that are known and to TFLite's arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tflite_writer import GraphWriter, schema

from deploy.tflite import Model, load
from deploy.verifying.fixed_point import fixed_point
from deploy.verifying.meant_scales import CONVOLUTIONS, MeantScales, meant_scales

CHANNELS = 6
OPTIONS = {
    "CONV_2D": schema.Conv2DOptionsT,
    "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptionsT,
    "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
    "TRANSPOSE_CONV": schema.TransposeConvOptionsT,
}
SCALES = st.floats(2.0**-20, 2.0**4, width=32)


def layer(
    code: str = "CONV_2D",
    dtype: str = "int8",
    ours: Any = 0.05,
    theirs: Any = 0.01,
    result: Any = 0.2,
    *,
    bias: str | None = "int32",
    biases: int = CHANNELS,
    depth: int = CHANNELS,
    zero: int = 0,
    output: str | None = None,
    quantized_bias: int = 0,
    constant: bool = True,
) -> Model:
    """One operator, of 1 x 1 weights."""
    writer = GraphWriter()
    x = writer.tensor("x", [1, 3, 3, depth], dtype, ours, zero)
    depthwise, wtype = code == "DEPTHWISE_CONV_2D", "uint8" if dtype == "uint8" else "int8"
    shape = [CHANNELS, depth] if code == "FULLY_CONNECTED" else [CHANNELS, 1, 1, depth]
    shape = [1, 1, 1, CHANNELS] if depthwise else shape
    data = np.ones(shape, wtype) if constant else None
    w = writer.tensor("w", shape, wtype, theirs, data=data, axis=3 if depthwise else 0)
    tensors = [x, w]
    if code == "TRANSPOSE_CONV":
        tensors = [writer.tensor("shape", [4], "int32", data=np.int32([1, 3, 3, CHANNELS])), w, x]
    if bias is not None:
        tensors.append(writer.tensor("b", [biases], bias, 0.0005, data=(np.arange(biases) - 3).astype(bias)))
    y = writer.tensor("y", [1, 3, 3, CHANNELS], output or dtype, result)
    options = OPTIONS[code]()
    if quantized_bias:
        options.quantizedBiasType = quantized_bias
    writer.operator(code, tensors, [y], options)
    return load(writer.finish({"x": x}, {"y": y}), source="written")


def found(model: Model) -> MeantScales | None:
    [operator] = model.operators
    return meant_scales(operator, model)


def meant(model: Model) -> MeantScales:
    scales = found(model)
    assert scales is not None
    return scales


@pytest.mark.parametrize("code", sorted(CONVOLUTIONS))
def test_every_channel_has_the_bias_of_its_number_and_the_scale_of_its_weights(code: str) -> None:
    theirs = [2.0**-number for number in range(CHANNELS)]
    scales = meant(layer(code, ours=0.5, theirs=theirs, result=1.0))
    assert scales.channels.bias.tolist() == [-3, -2, -1, 0, 1, 2]
    assert scales.channels.multiplier.tolist() == [1 << 30] * CHANNELS
    assert scales.channels.shift.tolist() == [31, 32, 33, 34, 35, 36]
    assert scales.known.all()


def test_one_scale_of_all_weights_counts_for_every_channel_and_no_bias_is_zero() -> None:
    scales = meant(layer(ours=0.5, theirs=0.75, result=1.0, bias=None))
    assert scales.channels.bias.tolist() == [0] * CHANNELS
    assert scales.channels.multiplier.tolist() == [3 << 29] * CHANNELS
    assert scales.channels.shift.tolist() == [32] * CHANNELS


@given(ours=SCALES, theirs=st.lists(SCALES, min_size=CHANNELS, max_size=CHANNELS), result=SCALES)
def test_scales_of_channels_are_those_of_tflites_fixed_point(
    ours: float, theirs: list[float], result: float
) -> None:
    scales = meant(layer(ours=ours, theirs=theirs, result=result))
    for channel, scale in enumerate(theirs):
        multiplier, left = fixed_point(ours * scale / result)
        if scales.known[channel]:
            written = scales.channels.multiplier[channel], scales.channels.shift[channel]
            assert written == (multiplier, 31 - left)


@given(ours=SCALES, theirs=SCALES, result=SCALES)
def test_dense_layers_with_one_scale_and_early_models_of_uint8_multiply_in_float(
    ours: float, theirs: float, result: float
) -> None:
    expected, _ = fixed_point(float(np.float32(ours) * np.float32(theirs)) / result)
    for model in (
        layer("FULLY_CONNECTED", "int8", ours, theirs, result),
        layer("CONV_2D", "uint8", ours, theirs, result),
    ):
        scales = meant(model)
        assert not scales.known.any() or scales.channels.multiplier.tolist() == [expected] * CHANNELS


def test_sums_of_64_bits_have_multipliers_of_15() -> None:
    wide = layer(dtype="int16", ours=0.05, theirs=0.01, result=0.2, bias="int64")
    narrow = layer(dtype="int16", ours=0.05, theirs=0.01, result=0.2, bias="int32")
    multiplier, shift = meant(narrow).channels.multiplier[0], meant(narrow).channels.shift[0]
    assert multiplier >> 30 == 1
    assert meant(wide).channels.multiplier.tolist() == [(multiplier + (1 << 15)) >> 16] * CHANNELS
    assert meant(wide).channels.shift.tolist() == [shift - 16] * CHANNELS


def test_a_multiplier_of_15_bits_does_not_round_up_to_16() -> None:
    scales = meant(
        layer(
            dtype="int16",
            ours=1.0,
            theirs=float(np.nextafter(np.float32(1), np.float32(0))),
            result=1.0,
            bias="int64",
        )
    )
    assert scales.channels.multiplier[0] == 0x7FFF


def test_without_a_bias_an_option_says_how_wide_sums_of_int16_are() -> None:
    default, narrow = (
        layer(dtype="int16", bias=None, quantized_bias=kind) for kind in (0, schema.TensorType.INT32)
    )
    assert meant(default).channels.multiplier[0] < 1 << 15
    assert meant(narrow).channels.multiplier[0] >= 1 << 30


@pytest.mark.parametrize(("ours", "theirs", "result"), [(1e-12, 0.1, 1e-12), (1e-9, 1e-9, 10.0), (1e9, 1.0, 1e-3)])
def test_scales_beyond_what_a_record_holds_are_not_known(ours: float, theirs: float, result: float) -> None:
    scales = meant(layer(ours=ours, theirs=theirs, result=result))
    assert not scales.known.any()
    assert scales.channels.bias[0] == -3


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_scales_that_are_none_are_not_known_and_harm_nobody(scale: float) -> None:
    for model in (layer(ours=scale), layer(theirs=scale), layer(result=scale)):
        assert not meant(model).known.any()


@pytest.mark.parametrize(
    "model",
    [
        layer(constant=False),
        layer(ours=None),
        layer(result=None),
        layer(theirs=[0.1, 0.2]),
        layer(biases=CHANNELS - 1),
        layer(bias="int8"),
        layer(dtype="int16", zero=3),
        layer(output="int16"),
        layer(dtype="float32"),
        layer("DEPTHWISE_CONV_2D", depth=CHANNELS // 2),
    ],
    ids=[
        "weights that are computed",
        "input without a scale",
        "output without a scale",
        "scales of other channels",
        "biases of other channels",
        "biases of another type",
        "16 bits with a zero point",
        "output of another type",
        "float",
        "several channels of one",
    ],
)
def test_what_vela_may_compute_in_another_way_is_not_said(model: Model) -> None:
    assert found(model) is None


def test_other_operators_have_no_channels() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, [1, 4], "int8", 0.1) for name in "xy")
    writer.operator("RELU", [x], [y])
    assert found(load(writer.finish({"x": x}, {"y": y}), source="written")) is None


def test_more_channels_than_weights_are_no_reason_to_ask_for_memory() -> None:
    writer = GraphWriter()
    x = writer.tensor("x", [1, 1, 1, 1], "int8", 0.1)
    w = writer.tensor("w", [2**30, 0, 1, 1], "int8", 0.1, data=np.ones(2, np.int8))
    y = writer.tensor("y", [1, 1, 1, 1], "int8", 0.1)
    writer.operator("CONV_2D", [x, w], [y], schema.Conv2DOptionsT())
    assert found(load(writer.finish({"x": x}, {"y": y}), source="written")) is None
