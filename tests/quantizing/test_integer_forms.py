"""Normalization, NEG and SQUARE in forms of which integers can be computed: the same function, nothing left float."""

from pathlib import Path

import numpy as np
import pytest

from deploy import tflite
from deploy.judging.reference import ReferenceKernels
from deploy.quantizing import dataset
from deploy.quantizing.converter import convert
from deploy.quantizing.dataset import Dataset
from deploy.quantizing.float_model import FloatModel
from deploy.quantizing.float_tensors import tensor_ranges, tensor_values
from deploy.quantizing.integer_forms import with_integer_forms
from deploy.quantizing.quantization import dequantized_outputs, quantize, quantized_inputs
from deploy.tflite.model import float_operators
from deploy.zoo import model_source

pytestmark = [pytest.mark.tensorflow]

NETWORKS = """
import keras
layers = keras.layers
def trained(x, **arguments):
    layer = layers.LayerNormalization(**arguments)
    y = layer(x)
    random = keras.random.SeedGenerator(5)
    for weight in layer.weights:
        weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5, seed=random))
    return y
def model(shape, body):
    keras.utils.set_random_seed(3)
    x = keras.Input(shape, name="x")
    return keras.Model(x, {"y": body(x)})
def fresh():
    return model((16, 12), lambda x: layers.Dense(4)(layers.LayerNormalization()(x)))
def layer():
    return model((16, 12), lambda x: layers.Dense(4)(trained(x)))
def no_beta():
    return model((16, 12), lambda x: layers.Dense(4)(trained(x, center=False)))
def no_gamma():
    return model((16, 12), lambda x: layers.Dense(4)(trained(x, scale=False)))
def map():
    return model((6, 5, 8), lambda x: layers.Conv2D(4, 1)(trained(x)))
def rms():
    return model((16, 12), lambda x: layers.Dense(4)(layers.RMSNormalization()(x)))
def unit():
    return model((16, 12), lambda x: layers.Dense(4)(layers.UnitNormalization()(x)))
def negative():
    return model((16, 12), lambda x: layers.Dense(4)(-x * keras.ops.square(x)))
def attention():
    keras.utils.set_random_seed(3)
    x = keras.Input((17, 16), name="x")
    y = layers.Add()([layers.MultiHeadAttention(4, 4)(x, x), x])
    y = layers.Dense(16, activation="swish")(layers.Dense(32, activation="gelu")(layers.LayerNormalization()(y)))
    return keras.Model(x, {"y": layers.Dense(3)(layers.GlobalAveragePooling1D()(y))})
"""
NORMALIZED = ["fresh", "layer", "no_beta", "no_gamma", "map", "rms", "unit"]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "nets.py"
    path.write_text(NETWORKS)
    return path


def loaded(networks: Path, name: str, *, uneven: bool = False) -> tuple[FloatModel, Dataset]:
    """A network and samples; uneven ones have vectors of very different length, some of zeros alone."""
    model = model_source.load_float(model_source.parse(f"{networks}:{name}"))
    values = np.random.default_rng(0).standard_normal((40, *model.inputs[0].shape[1:])).astype(np.float32)
    if uneven:
        values *= np.float32(10.0) ** np.linspace(-3, 1, values.shape[1], dtype=np.float32)[:, None]
        values[:, 0] = 0
    return model, dataset.of_arrays("samples", {"x": values}, model.inputs, 40)


@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
@pytest.mark.parametrize("name", [*NORMALIZED, "negative"])
def test_the_form_is_the_same_function(networks: Path, name: str, uneven: bool) -> None:
    model, data = loaded(networks, name, uneven=uneven and name != "map")
    content = convert(model, data, "int8", floating=True).floating
    assert content is not None
    written = tflite.load(content)
    form = with_integer_forms(written, lambda graph, tensors: tensor_ranges(graph, tensors, data))
    codes = [operator.code for operator in form.operators]
    assert not {"NEG", "SQUARE", "SQUARED_DIFFERENCE", "SUM", "MINIMUM"} & set(codes)
    if name in NORMALIZED:
        assert codes.count("RSQRT") == (2 if uneven and name != "map" else 1)
    before = [values[written.outputs[0]] for values in tensor_values(written, written.outputs, data)]
    after = [values[form.outputs[0]] for values in tensor_values(form, form.outputs, data)]
    # Constants that differ by less than a quarter of an 8-bit step are left as they are.
    np.testing.assert_allclose(after, before, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", NORMALIZED)
def test_normalization_of_uneven_vectors_keeps_its_precision_in_int8(networks: Path, name: str) -> None:
    model, data = loaded(networks, name, uneven=name != "map")
    result = quantize(model, data, io="int8", compare=20)
    assert float_operators(result.model) == {}
    kernels = ReferenceKernels(result.model)
    sample = next(iter(data))
    found = dequantized_outputs(result.model, kernels.run(quantized_inputs(result.model, sample)))["y"]
    # The longest vector fills its 8 bits; the shorter ones have fewer, down to none.
    wanted = model.run(sample)["y"]
    rows = slice(None) if name == "map" else slice(-3, None)
    assert np.abs(found - wanted)[0, rows].max() < 0.04 * np.abs(wanted).max()


def test_attention_layer_normalization_gelu_and_swish_are_integer_throughout(networks: Path) -> None:
    model, data = loaded(networks, "attention")
    result = quantize(model, data, io="int8")
    assert float_operators(result.model) == {}
    assert {operator.code for operator in result.model.operators}.isdisjoint({"QUANTIZE", "DEQUANTIZE", "NEG"})
    (agreement,) = result.document.agreement
    assert agreement.cosine is not None
    assert agreement.cosine > 0.99
