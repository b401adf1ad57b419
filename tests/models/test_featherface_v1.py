"""FeatherFace V1: counts, outputs, options, and what becomes of it on the NPU."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deploy import zoo
from deploy.errors import BadInputError
from deploy.models.face_blocks.detector import ANCHORS, OUTPUT_NAMES
from deploy.models.featherface_v1.builder import Options, build
from deploy.zoo import cards

NAME = "featherface-v1"
NPUS = ("U55-128", "U55-256", "U65-256", "U85-256")
BASELINE = ["channels=64", "pyramid_layers=3", "reduction=16", "context=ssh"]
# Vela's estimates of straightforward forms of the same network on U55-128.
EARLIER_CYCLES = {"128x128": 2_150_000, "320x320": 10_950_000, "640x640": 43_500_000}


def parameters(model: Any, part: str = "") -> int:
    return sum(weight.value.shape.num_elements() for weight in model.trainable_weights if part in weight.path)


@pytest.mark.tensorflow
def test_the_network_has_the_documented_parameters_in_every_part() -> None:
    model = build(Options(size=64))
    counts = {
        part: parameters(model, part)
        for part in ("backbone", "attention1", "bifpn", "attention2", "context", "head")
    }
    assert counts == {
        "backbone": 213_072,
        "attention1": 3_956,
        "bifpn": 113_610,
        "attention2": 969,
        "context": 148_296,
        "head": 7_200,
    }
    assert parameters(model) == zoo.find(NAME).parameters == 487_103


@pytest.mark.tensorflow
def test_the_deformable_context_costs_54_027_parameters_more() -> None:
    model = build(Options(size=32, context="dcn"))
    assert parameters(model, "context") == 202_323
    assert parameters(model) == 541_130


@pytest.mark.tensorflow
def test_the_baseline_of_version_2_has_the_documented_parameters_in_every_part() -> None:
    model = build(Options(size=32, channels=64, pyramid_layers=3, reduction=16, context="ssh"))
    counts = {part: parameters(model, part) for part in ("backbone", "attention", "bifpn", "head")}
    # The document gives 54,272 for attention, four times what is in its total of 592,371.
    assert counts == {"backbone": 213_072, "attention": 54_272 // 4, "bifpn": 112_606, "head": 6_240}
    assert (parameters(model, "context"), parameters(model, "shuffle")) == (3 * 77_655, 3 * 4_640)
    assert 3 * 77_655 + 3 * 4_640 == 246_885
    assert parameters(model) == 592_371


@pytest.mark.tensorflow
def test_outputs_are_two_anchors_a_position_of_three_strides() -> None:
    model = build(Options(size=96, batch_norm_momentum=0.9))
    anchors = ANCHORS * (12 * 12 + 6 * 6 + 3 * 3)
    image = np.random.default_rng(0).random((2, 96, 96, 3), np.float32)
    answer = model(image)
    assert np.array_equal(answer["boxes"], model(image, training=False)["boxes"])
    assert tuple(answer) == OUTPUT_NAMES
    assert {name: tuple(tensor.shape) for name, tensor in answer.items()} == {
        "classes": (2, anchors, 2),
        "boxes": (2, anchors, 4),
        "landmarks": (2, anchors, 10),
    }
    assert {layer.momentum for layer in model.layers if type(layer).__name__ == "BatchNormalization"} == {0.9}


@pytest.mark.tensorflow
def test_the_documented_input_gives_16_800_anchors() -> None:
    model = build()
    assert model.input_shape == (None, 640, 640, 3)
    assert {output.shape[1] for output in model.output.values()} == {16_800}


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_computed_shuffle_is_the_folded_one_with_the_heads_channels_permuted() -> None:
    folded, explicit = build(Options(size=32)), build(Options(size=32, shuffle="explicit"))
    order = np.arange(74).reshape(2, 37).T.ravel()  # what channel i of the shuffled map was before
    for source, target in zip(folded.weights, explicit.weights, strict=True):
        value = np.asarray(source)
        is_head = target.path.startswith("head") and target.path.endswith("kernel")
        target.assign(value[:, :, order] if is_head else value)
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    want, got = folded(image), explicit(image)
    for output in OUTPUT_NAMES:
        assert np.allclose(got[output], want[output], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 100}, "size is 100, must be a multiple of 32, 32 to 1024"),
        ({"size": 0}, "size is 0"),
        ({"size": 2048}, "size is 2048"),
        ({"channels": 75}, "channels is 75, must be even, 8 to 256"),
        ({"channels": 0}, "channels is 0"),
        ({"pyramid_layers": 0}, "pyramid_layers is 0, must be 1 to 8"),
        ({"reduction": 0}, "reduction is 0"),
        ({"context": "fpn"}, "context is 'fpn', must be one of conv, dcn, ssh"),
        ({"context": "ssh"}, "channels is 74, must be a multiple of 4 with context=ssh"),
        ({"shuffle": "none"}, "shuffle is 'none', must be one of folded, explicit"),
        ({"batch_norm_momentum": float("nan")}, "batch_norm_momentum is nan"),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        Options(**options)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_small_one_is_exact_on_the_npu_model_as_a_single_operator(on_npu: Callable[..., Any]) -> None:
    network = on_npu(NAME, ["size=64"])
    assert network.quantized.document.inputs[0].zero_points == (0,)
    assert network.quantized.document.inputs[0].scales == pytest.approx((1 / 255,), rel=0.01)
    assert network.operators("U55-128") == ["ethos-u"]
    assert network.differences("U55-128") == dict.fromkeys(OUTPUT_NAMES, 0)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("npu", NPUS)
@pytest.mark.parametrize(
    "options",
    [[], ["context=dcn"], ["shuffle=explicit"], BASELINE],
    ids=["conv", "dcn", "shuffle", "baseline"],
)
def test_at_128_pixels_it_is_exact_and_all_on_the_npu(
    on_npu: Callable[..., Any], options: list[str], npu: str
) -> None:
    network = on_npu(NAME, ["size=128", *options])
    assert network.operators(npu) == ["ethos-u"]
    assert network.differences(npu) == dict.fromkeys(OUTPUT_NAMES, 0)


def test_the_card_is_made_from_its_results() -> None:
    assert cards.disagreement(zoo.find(NAME)) is None


def test_no_network_of_the_card_leaves_an_operator_on_the_cpu() -> None:
    results = cards.read(zoo.find(NAME))
    assert len(results.networks) == len(zoo.find(NAME).measured)
    assert all(not npu.cpu_operators for network in results.networks for npu in network.npus)


@pytest.mark.parametrize("title", EARLIER_CYCLES)
def test_the_estimates_are_a_quarter_below_those_of_straightforward_forms(title: str) -> None:
    figures = cards.read(zoo.find(NAME)).figures(title, "U55-128")
    assert figures.cycles < 0.75 * EARLIER_CYCLES[title]
