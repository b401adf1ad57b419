"""FeatherFace V2 Ultra: counts, innovations, options, and what becomes of it on the NPU."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deploy import zoo
from deploy.errors import BadInputError
from deploy.models.face_blocks.detector import ANCHORS, OUTPUT_NAMES
from deploy.models.featherface_v2.builder import Options, build
from deploy.zoo import cards

pytestmark = pytest.mark.early

NAME = "featherface-v2-ultra"
NPUS = ("U55-128", "U55-256", "U65-256", "U85-256")
INNOVATIONS = (
    "smart_feature_reuse",
    "attention_multiplication",
    "progressive_enhancement",
    "multi_scale_intelligence",
    "dynamic_weight_sharing",
)
NONE = dict.fromkeys(INNOVATIONS, False)
# Vela's estimates of straightforward forms of the same network on U55-128.
EARLIER_CYCLES = {"128x128": 2_455_000, "128x128, no innovations": 1_310_000}


def parameters(model: Any, part: str = "") -> int:
    return sum(weight.value.shape.num_elements() for weight in model.trainable_weights if part in weight.path)


@pytest.mark.tensorflow
def test_the_network_has_the_documented_parameters_in_every_part() -> None:
    model = build(Options(size=64))
    counts = {
        part: parameters(model, part)
        for part in ("backbone", "attention1", "bifpn", "attention2", "context", "head", "sharing")
    }
    assert counts == {
        "backbone": 213_072,
        "attention1": 3_684,
        "bifpn": 10_326,
        "attention2": 580,
        "context": 10_305,
        "head": 6_516,
        "sharing": 40,
    }
    assert parameters(model) == zoo.find(NAME).parameters == 244_523


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"dynamic_weight_sharing": False}, 244_483),
        (NONE, 244_483),
        ({"literal32": True}, 259_342),
    ],
)
def test_variants_have_the_documented_parameters(options: dict[str, bool], count: int) -> None:
    assert parameters(build(Options(size=32, **options))) == count


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("innovation", INNOVATIONS)
def test_each_innovation_changes_what_the_network_computes(innovation: str) -> None:
    import keras

    keras.utils.set_random_seed(1)
    plain = build(Options(size=32, **NONE))
    changed = build(Options(size=32, **{**NONE, innovation: True}))
    values = {weight.path: np.asarray(weight) for weight in plain.weights}
    for weight in changed.weights:
        if weight.path in values:
            weight.assign(values[weight.path])
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    assert not np.allclose(plain(image)["boxes"], changed(image)["boxes"], rtol=1e-3, atol=0)


@pytest.mark.tensorflow
def test_outputs_are_two_anchors_a_position_of_three_strides() -> None:
    model = build(Options(size=96, **NONE))
    anchors = ANCHORS * (12 * 12 + 6 * 6 + 3 * 3)
    assert {name: tuple(output.shape[1:]) for name, output in model.output.items()} == {
        "classes": (anchors, 2),
        "boxes": (anchors, 4),
        "landmarks": (anchors, 10),
    }
    assert tuple(model.output) == OUTPUT_NAMES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 100}, "size is 100, must be a multiple of 32, 32 to 1024"),
        ({"size": -32}, "size is -32"),
        ({"shuffle": "none"}, "shuffle is 'none', must be one of folded, explicit"),
        ({"batch_norm_momentum": 1.0}, "batch_norm_momentum is 1.0"),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        Options(**options)


@pytest.mark.tensorflow
def test_a_small_one_is_exact_on_the_npu_model_as_a_single_operator(on_npu: Callable[..., Any]) -> None:
    network = on_npu(NAME, ["size=32"])
    assert network.operators("U55-128") == ["ethos-u"]
    assert network.differences("U55-128") == dict.fromkeys(OUTPUT_NAMES, 0)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("npu", NPUS)
@pytest.mark.parametrize(
    "options",
    [[], [f"{name}=no" for name in INNOVATIONS], ["literal32=yes"], ["shuffle=explicit"]],
    ids=["all", "none", "literal32", "shuffle"],
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


def test_the_innovations_cost_time_though_not_parameters() -> None:
    results = cards.read(zoo.find(NAME))
    with_all, without = (results.figures(title, "U55-128").cycles for title in EARLIER_CYCLES)
    assert with_all > 1.1 * without
