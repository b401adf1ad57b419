"""MobileNetV4: counts of the published networks, the blocks' forms, and what the NPU computes of them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from deploy import zoo
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.models.mobilenetv4.blocks import MQA, NETWORKS, UIB, BlockList, FusedIB, round_channels, scaled
from deploy.models.mobilenetv4.builder import Options, build, build_network
from deploy.models.mobilenetv4.counting import parameters
from deploy.models.mobilenetv4.predicted import predicted_layers
from deploy.roofline import Layer, estimate, layers
from deploy.tflite import Model
from deploy.verifying.npu_inference import NpuInference

pytestmark = pytest.mark.early

# Counted with timm 1.0.20 (`sum(p.numel() for p in model.parameters())`), by its modules.
HEAD = 2_512_360
PUBLISHED = {
    "conv-s": (928, 10_368, 34_112, 272_160, 819_296, 124_800, HEAD),
    "conv-m": (928, 43_360, 59_552, 1_521_040, 5_330_592, 247_680, HEAD),
    "conv-l": (696, 25_632, 113_904, 3_216_288, 26_228_544, 493_440, HEAD),
    "hybrid-m": (928, 43_360, 59_712, 1_947_920, 6_262_688, 247_680, HEAD),
    "hybrid-l": (696, 25_632, 114_096, 3_901_152, 30_717_248, 493_440, HEAD),
}
TOTAL = {
    "conv-s": 3_774_024,
    "conv-m": 9_715_512,
    "conv-l": 32_590_864,
    "hybrid-m": 11_074_648,
    "hybrid-l": 37_764_624,
}
SIZE = {"conv-s": 224, "conv-m": 256, "conv-l": 384, "hybrid-m": 256, "hybrid-l": 384}
PARTS = ("stem", "stage0", "stage1", "stage2", "stage3", "stage4", "head")


def trained_parameters(model: Any) -> dict[str, int]:
    """Trained parameters of a Keras model by the part that its layers' names begin with."""
    counts: dict[str, int] = {}
    for layer in model.layers:
        part = layer.name.partition("_")[0]
        counts[part] = counts.get(part, 0) + sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    return counts


@pytest.mark.parametrize("variant", TOTAL)
def test_every_stage_has_the_parameters_of_the_published_network(variant: str) -> None:
    counts = parameters(NETWORKS[variant])
    assert counts == dict(zip(PARTS, PUBLISHED[variant], strict=True))
    assert sum(counts.values()) == TOTAL[variant]


@pytest.mark.parametrize("variant", SIZE)
def test_a_network_without_a_size_takes_the_one_it_was_published_with(variant: str) -> None:
    assert Options(variant=variant).pixels == SIZE[variant]
    assert Options(variant=variant, size=96).pixels == 96


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "variant", ["conv-s", *(pytest.param(name, marks=pytest.mark.slow) for name in TOTAL if name != "conv-s")]
)
def test_the_built_network_has_the_parameters_that_its_blocks_add_up_to(variant: str) -> None:
    model = build(Options(variant=variant))
    found = {part: count for part, count in trained_parameters(model).items() if count}
    assert found == parameters(NETWORKS[variant])
    assert model.input_shape == (None, SIZE[variant], SIZE[variant], 3)
    assert {name: tuple(tensor.shape) for name, tensor in model.output.items()} == {"logits": (None, 1000)}


@pytest.mark.tensorflow
def test_options_reach_the_network() -> None:
    options = Options(channels=1, classes=10, size=64, width=0.5, dropout=0.2)
    model = build(options)
    assert model.input_shape == (None, 64, 64, 1)
    assert {name: tuple(tensor.shape) for name, tensor in model.output.items()} == {"logits": (None, 10)}
    found = {part: count for part, count in trained_parameters(model).items() if count}
    assert found == parameters(options.network, channels=1, classes=10)
    assert model.get_layer("head_dropout").rate == 0.2


def test_the_project_states_what_is_trained() -> None:
    assert zoo.find("mobilenetv4").parameters == TOTAL["conv-s"]


@pytest.mark.parametrize(
    ("start", "middle", "kind"), [(0, 3, "IB"), (5, 0, "ConvNext"), (3, 5, "ExtraDW"), (0, 0, "FFN")]
)
def test_the_two_depthwise_convolutions_decide_which_variant_a_block_is(
    start: int, middle: int, kind: str
) -> None:
    assert UIB(start, middle, 1, 4, 32).kind == kind


def test_the_published_networks_use_all_four_variants() -> None:
    kinds = {
        block.kind for net in NETWORKS.values() for stage in net.stages for block in stage if type(block) is UIB
    }
    assert kinds == {"IB", "ConvNext", "ExtraDW", "FFN"}


@pytest.mark.parametrize(
    ("blocks", "message"),
    [((4, 0, 1, 4, 32), "depthwise kernels are 4 and 0"), ((0, 0, 2, 4, 32), "stride 2 needs a depthwise")],
)
def test_a_block_that_is_none_of_the_variants_is_refused(blocks: tuple[int, ...], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        UIB(*blocks)


def one_block(block: FusedIB | UIB | MQA, *, stem: int = 16, scale: float | None = None) -> Any:
    return build_network(BlockList(stem, ((block,),), 32, layer_scale=scale), size=32, classes=4)


@pytest.mark.tensorflow
def test_the_stride_is_that_of_the_middle_convolution_or_else_of_the_first() -> None:
    both, first = one_block(UIB(3, 5, 2, 4, 24)), one_block(UIB(5, 0, 2, 4, 24))
    assert both.get_layer("stage0_block0_start_conv").strides == (1, 1)
    assert both.get_layer("stage0_block0_middle_conv").strides == (2, 2)
    assert first.get_layer("stage0_block0_start_conv").strides == (2, 2)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("block", "joined"),
    [
        (UIB(3, 3, 1, 4, 16), True),
        (UIB(3, 3, 1, 4, 24), False),
        (UIB(3, 3, 2, 4, 16), False),
        (FusedIB(3, 1, 4, 16), True),
        (FusedIB(3, 2, 4, 16), False),
        (MQA(4, 8, 2, 16), True),
    ],
)
def test_a_block_adds_its_input_where_the_shapes_agree(block: FusedIB | UIB | MQA, joined: bool) -> None:
    names = {layer.name for layer in one_block(block).layers}
    assert ("stage0_block0_add" in names) is joined


@pytest.mark.tensorflow
def test_attention_is_softmax_of_queries_by_shared_keys_times_shared_values() -> None:
    model = one_block(MQA(heads=4, dimension=8, kv_stride=1, channels=16))
    import keras

    def layer(name: str) -> Any:
        return model.get_layer(f"stage0_block0_{name}")

    keras.utils.set_random_seed(3)
    norm = layer("norm")
    norm.set_weights([np.random.default_rng(1).uniform(0.5, 2, 16) for _ in range(4)])
    image = np.random.default_rng(2).random((1, 32, 32, 3), np.float32)
    into, out = (np.asarray(keras.Model(model.input, layer(name).output)(image)) for name in ("norm", "output"))
    tokens = into.reshape(-1, 16)
    kernels = {name: np.asarray(layer(name).kernel)[0, 0] for name in ("query", "key", "value", "output")}
    keys, values = tokens @ kernels["key"], tokens @ kernels["value"]
    heads = []
    for head in range(4):
        scores = tokens @ kernels["query"][:, 8 * head : 8 * head + 8] @ keys.T / np.sqrt(8)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        heads.append(weights / weights.sum(axis=1, keepdims=True) @ values)
    expected = np.concatenate(heads, axis=1) @ kernels["output"]
    assert np.allclose(out.reshape(-1, 16), expected, atol=1e-4)


@pytest.mark.tensorflow
def test_normalization_before_attention_normalizes_and_nothing_else() -> None:
    model = one_block(MQA(4, 8, 2, 16))
    import keras

    kernel = model.get_layer("stage0_block0_identity")
    assert not kernel.trainable_weights and np.all(kernel.get_weights()[0] == 1)
    image = np.random.default_rng(2).random((1, 32, 32, 3), np.float32)
    before, after = (
        np.asarray(keras.Model(model.input, model.get_layer(name).output)(image))
        for name in ("stem_act", "stage0_block0_norm")
    )
    assert np.allclose(after, before / np.sqrt(1 + 1e-5), atol=1e-6)


def test_scaled_channels_are_multiples_of_8_and_lose_no_more_than_a_tenth() -> None:
    assert [round_channels(value) for value in (1, 12, 16.1, 17.9, 20, 24, 100)] == [8, 16, 16, 24, 24, 24, 104]
    for width in (0.35, 0.5, 0.75, 1.0, 1.5):
        for value in (24, 32, 48, 80, 96, 160, 960):
            assert round_channels(value * width) % 8 == 0
            assert round_channels(value * width) >= min(8, 0.9 * value * width)
    assert scaled(NETWORKS["conv-s"], 1.0) == NETWORKS["conv-s"]
    assert scaled(NETWORKS["conv-s"], 0.5).stem == 32
    assert scaled(NETWORKS["conv-s"], 2.0).stem == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "conv-x"}, "variant is 'conv-x', must be one of conv-l, conv-m, conv-s, hybrid-l, hybrid-m"),
        ({"size": 100}, "size is 100, must be a multiple of 32"),
        ({"size": -32}, "size is -32"),
        ({"size": 1024}, "size is 1024"),
        ({"channels": 2}, "channels is 2, must be 1 or 3"),
        ({"classes": 1}, "classes is 1, must be 2 to 21,841"),
        ({"width": 0.1}, "width is 0.1, must be 0.25 to 2"),
        ({"width": float("nan")}, "width is nan"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        Options(**options)


def quantized(variant: str, size: int) -> Model:
    """A network with random weights, quantized; factors of layer scale are 1, or attention would be nothing."""
    from deploy.zoo.quantized import quantize_network

    network = zoo.network("mobilenetv4", [f"variant={variant}", f"size={size}", "classes=10"])
    for layer in network.model.layers:
        if type(layer).__name__ == "LayerScale":
            layer.set_weights([np.ones(layer.factor.shape)])
    return quantize_network(network).model


def refuse_difference(source: Model, npu_name: str) -> None:
    """Compile, and compare the NPU model with the reference kernels on noise, all black and all white."""
    npu = npu_named(npu_name)
    compiled = VELA.compile(source, compile_options(npu)).model
    assert [operator.code for operator in compiled.operators] == ["ethos-u"]
    inference, kernels = NpuInference(compiled, npu), ReferenceKernels(source)
    shape = source.input_tensors[0].shape
    noise = np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)
    answers = []
    for image in (noise, np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)):
        expected = kernels.run({"image": image})["logits"]
        assert np.array_equal(inference.run({"image": image})["logits"], expected)
        answers.append(expected)
    assert not np.array_equal(answers[0], answers[1]), "the answer must depend on the image"


@pytest.fixture(scope="module")
def conv_s() -> Model:
    return quantized("conv-s", 64)


@pytest.mark.tensorflow
@pytest.mark.parametrize("npu", ["U55-128", pytest.param("U85-256", marks=pytest.mark.slow)])
def test_the_npu_computes_conv_s_bit_by_bit_as_the_reference_does(npu: str, conv_s: Model) -> None:
    refuse_difference(conv_s, npu)


def refuse_other_layers(variant: str, size: int, model: Model) -> None:
    """Compare predicted layers with those of the converted network, and what the roofline makes of both."""

    def seen(found: tuple[Layer, ...]) -> list[tuple[object, ...]]:
        return sorted(
            ((item.operator, item.inputs, item.output, item.window, item.macs) for item in found), key=repr
        )

    predicted = predicted_layers(NETWORKS[variant], size=size, classes=10)
    converted = layers(model)
    assert seen(predicted) == seen(converted)
    for npu in ("U55-128", "U65-256"):
        ours, real = estimate(predicted, npu).cycles, estimate(converted, npu).cycles
        assert ours == pytest.approx(real, rel=0.01)


@pytest.mark.tensorflow
def test_the_layers_of_conv_s_are_predicted_without_building_it(conv_s: Model) -> None:
    refuse_other_layers("conv-s", 64, conv_s)


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(("variant", "size"), [("conv-m", 64), ("hybrid-m", 64), ("hybrid-l", 64)])
def test_the_layers_of_the_other_networks_are_predicted_without_building_them(variant: str, size: int) -> None:
    refuse_other_layers(variant, size, quantized(variant, size))


def test_predicted_layers_hold_the_weights_of_the_network() -> None:
    for variant, network in NETWORKS.items():
        found = predicted_layers(network, size=64)
        kernels = sum(item.weight_bytes - 4 * item.output[2] for item in found if item.weight_bytes)
        # All but two parameters a channel of batch normalization, the classifier's biases and layer scale.
        assert 0.97 * TOTAL[variant] < kernels < TOTAL[variant]


def test_more_pixels_or_channels_are_predicted_to_take_longer() -> None:
    small, large = (estimate(predicted_layers(NETWORKS["conv-s"], size=s), "U55-128").cycles for s in (96, 224))
    wide = estimate(predicted_layers(scaled(NETWORKS["conv-s"], 1.5), size=96), "U55-128").cycles
    assert small < large and small < wide


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "size", "npus"),
    [
        ("conv-s", 96, ["U55-32", "U55-64", "U55-256", "U65-256", "U65-512"]),
        ("conv-m", 64, ["U55-128", "U55-256", "U65-256"]),
        ("conv-l", 64, ["U55-128", "U55-256", "U65-256"]),
        ("hybrid-m", 96, ["U55-128", "U55-256", "U65-256", "U65-512"]),
        ("hybrid-l", 64, ["U55-128", "U55-256", "U65-256"]),
    ],
)
def test_the_npu_computes_the_other_networks_bit_by_bit_as_the_reference_does(
    variant: str, size: int, npus: list[str]
) -> None:
    source = quantized(variant, size)
    for npu in npus:
        refuse_difference(source, npu)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_layer_scale_and_normalization_cost_no_operators_of_their_own() -> None:
    codes = [operator.code for operator in quantized("hybrid-m", 64).operators]
    assert "MUL" not in codes
    # 19 UIB blocks and 8 attention blocks with residual connections.
    assert codes.count("ADD") == 27
    assert codes.count("BATCH_MATMUL") == 16
