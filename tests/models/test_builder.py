"""The multi-head MobileNetV3-Small builder: counts, forms, options."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy import tflite, zoo
from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.models.multihead_mobilenetv3.builder import Options, build
from deploy.quantizing import dataset
from deploy.quantizing.quantization import quantize
from deploy.zoo import model_source

pytestmark = pytest.mark.early

BACKBONE = {0.25: 100_160, 0.5: 278_496, 0.75: 582_872, 1.0: 938_832}
FEATURES = {0.25: 144, 0.5: 288, 0.75: 432, 1.0: 576}
ONE_HEAD = {"only": 2}


@functools.cache
def built(**options: Any) -> Any:
    """A network that tests only look at."""
    heads = options.pop("heads", tuple(ONE_HEAD.items()))
    return build(Options(heads=dict(heads), **options))


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "alpha", [alpha if alpha == 0.25 else pytest.param(alpha, marks=pytest.mark.slow) for alpha in BACKBONE]
)
def test_the_parameter_count_is_backbone_plus_one_weight_per_feature_and_class_plus_biases(alpha: float) -> None:
    model = built(alpha=alpha, heads=(("first", 4), ("second", 6)))
    assert model.count_params() == BACKBONE[alpha] + (FEATURES[alpha] + 1) * 10


@pytest.mark.tensorflow
def test_the_demo_network_has_the_parameters_that_its_description_states() -> None:
    assert build().count_params() == zoo.find("multihead-mobilenetv3").parameters == 102_335


@pytest.mark.tensorflow
def test_rgb_adds_two_planes_to_the_first_convolution_only() -> None:
    gray, colour = (built(channels=channels).count_params() for channels in (1, 3))
    assert colour - gray == 2 * 3 * 3 * 16


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("alpha", "with_layer"), [(0.25, 248_640), (0.5, 574_432), (0.75, 1_026_264), (1.0, 1_529_680)]
)
def test_the_hidden_layer_of_1024_gives_the_counts_that_the_document_states(alpha: float, with_layer: int) -> None:
    model = built(alpha=alpha, hidden=1024)
    assert model.count_params() == with_layer + 1025 * 2
    assert model.get_layer("hidden").count_params() == (FEATURES[alpha] + 1) * 1024
    assert with_layer == BACKBONE[alpha] + (FEATURES[alpha] + 1) * 1024


@pytest.mark.tensorflow
def test_outputs_are_a_dictionary_of_logits_by_head() -> None:
    model = built(alpha=0.25, heads=(("first", 4), ("second", 6)))
    answer = model(np.random.default_rng(0).random((3, 56, 56, 1), np.float32))
    assert {name: tuple(tensor.shape) for name, tensor in answer.items()} == {"first": (3, 4), "second": (3, 6)}
    assert not np.allclose(np.asarray(answer["first"]).sum(axis=1), 1, atol=1e-3)


@pytest.mark.tensorflow
def test_softmax_turns_logits_into_probabilities() -> None:
    model = build(Options(heads={"first": 4, "second": 6}, softmax=True))
    answer = model(np.random.default_rng(0).random((2, 56, 56, 1), np.float32))
    for tensor in answer.values():
        assert np.allclose(np.asarray(tensor).sum(axis=1), 1, atol=1e-5)


@pytest.mark.tensorflow
def test_dropout_changes_no_parameter_and_acts_in_training_only() -> None:
    model = build(Options(dropout=0.5, heads=ONE_HEAD))
    image = np.random.default_rng(0).random((1, 56, 56, 1), np.float32)
    first, second = (np.asarray(model(image, training=False)["only"]) for _ in range(2))
    assert model.count_params() == built(channels=1).count_params()
    assert any(layer.name == "dropout" for layer in model.layers)
    assert np.array_equal(first, second)


@pytest.mark.tensorflow
def test_batch_norm_momentum_reaches_every_layer() -> None:
    model = build(Options(batch_norm_momentum=0.9))
    momenta = {layer.momentum for layer in model.layers if type(layer).__name__ == "BatchNormalization"}
    assert momenta == {0.9}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.3}, "alpha is 0.3, must be one of 0.25, 0.5, 0.75, 1.0"),
        ({"size": 16}, "size is 16, must be 32 to 512 pixels"),
        ({"size": 4096}, "size is 4096"),
        ({"channels": 2}, "channels is 2, must be 1 or 3"),
        ({"heads": {}}, "0 heads"),
        ({"heads": {f"h{i}": 2 for i in range(33)}}, "33 heads"),
        ({"heads": {"a": 1}}, "head 'a' has 1 classes"),
        ({"heads": {"a/b": 2}}, "head name 'a/b'"),
        ({"heads": {"image": 2}}, "head name 'image'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": float("nan")}, "dropout is nan"),
        ({"hidden": -1}, "hidden is -1"),
        ({"batch_norm_momentum": 1.0}, "batch_norm_momentum is 1.0"),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        Options(**options)


def assert_one_operator(compiled: tflite.Model, heads: Mapping[str, int]) -> None:
    """Nothing is left on the CPU, and each head is an output by its name."""
    assert [operator.code for operator in compiled.operators] == ["ethos-u"]
    names = compiled.output_names()
    found = {names[tensor.index]: (tensor.shape, tensor.dtype) for tensor in compiled.output_tensors}
    assert found == {head: ((1, classes), "uint8") for head, classes in heads.items()}


@pytest.mark.tensorflow
def test_the_demo_network_becomes_one_ethos_u_operator_with_outputs_named_by_head(demo_build: BuildFolder) -> None:
    [image] = demo_build.source_model.input_tensors
    assert image.quantization.scales == pytest.approx((1 / 255,))
    assert image.quantization.zero_points == (0,)
    assert_one_operator(demo_build.compiled_model, Options().heads)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "options",
    [
        # Heads of equal size: only the SignatureDef tells them apart.
        pytest.param(Options(heads={"left": 4, "right": 4, "both": 5}), id="equal heads"),
        pytest.param(Options(alpha=0.5, channels=3, hidden=1024, size=96), id="wide, RGB, hidden layer"),
        pytest.param(Options(alpha=1.0, size=64, softmax=True), id="softmax"),
        pytest.param(Options(alpha=0.75, size=96), id="alpha 0.75"),
    ],
)
def test_the_quantized_network_becomes_one_ethos_u_operator_with_outputs_named_by_head(
    options: Options, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).random((4, options.size, options.size, options.channels), np.float32)
    images[0, 0, 0], images[0, 0, 1] = 0, 1
    model = build(replace(options, batch_norm_momentum=0.5))
    for _ in range(10):  # Untrained, the averages of batch normalization let the signal fade to 1e-10.
        model(images, training=True)
    (tmp_path / "model.keras").write_bytes(zoo.keras_file(model))
    np.savez(tmp_path / "calibration.npz", image=images)
    frozen = model_source.load_float(model_source.parse(str(tmp_path / "model.keras")))
    quantized = quantize(frozen, dataset.load(str(tmp_path / "calibration.npz"), frozen.inputs))
    assert quantized.document.inputs[0].scales == pytest.approx((1 / 255,))
    assert quantized.document.inputs[0].zero_points == (0,)

    (tmp_path / "model.tflite").write_bytes(quantized.model.content)
    vela = [str(Path(sys.executable).with_name("vela")), "--accelerator-config", "ethos-u55-128"]
    subprocess.run(
        [*vela, "--output-dir", str(tmp_path), str(tmp_path / "model.tflite")],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    assert_one_operator(tflite.read(tmp_path / "model_vela.tflite"), options.heads)


@pytest.mark.tensorflow
def test_averaging_column_by_column_is_the_function_of_the_original_backbone() -> None:
    import keras

    model = build(Options(size=96, heads=ONE_HEAD))
    original = keras.applications.MobileNetV3Small(
        (96, 96, 1), alpha=0.25, include_top=False, include_preprocessing=False, weights=None, pooling="avg"
    )
    original.set_weights(model.get_weights()[: len(original.get_weights())])
    images = np.random.default_rng(0).random((2, 96, 96, 1), np.float32)
    zoo.settle(original, images)
    model.set_weights([*original.get_weights(), *model.get_weights()[len(original.get_weights()) :]])
    features = keras.Model(model.input, model.get_layer("pool").output)(images)
    expected = np.asarray(original(images))
    assert np.abs(expected).max() > 0.1
    assert np.allclose(np.asarray(features)[:, 0, 0], expected, atol=1e-4)
    assert not any(layer.name.endswith("avg_pool") and "Global" in type(layer).__name__ for layer in model.layers)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("npu", ["U55-128", "U55-256", "U65-256"])
@pytest.mark.parametrize(
    "options",
    [
        *([f"alpha={alpha}"] for alpha in BACKBONE),
        ["size=96", "heads=first:10,second:2"],
        ["alpha=1.0", "channels=3", "size=224"],
        ["hidden=1024"],  # not with softmax: untrained, all of its outputs are the same
    ],
    ids=" ".join,
)
def test_every_form_of_it_is_exact_and_all_on_the_npu(
    on_npu: Callable[..., Any], options: list[str], npu: str
) -> None:
    network = on_npu("multihead-mobilenetv3", options)
    assert network.operators(npu) == ["ethos-u"]
    assert set(network.differences(npu).values()) == {0}
