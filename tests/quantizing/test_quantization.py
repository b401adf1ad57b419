"""Quantizing with the real converter: names, types, agreement, and what is refused."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from deploy import tflite
from deploy.data.quantized import quantize_values
from deploy.errors import BadInputError
from deploy.judging.reference import ReferenceKernels
from deploy.quantizing import dataset
from deploy.quantizing.float_model import FloatModel
from deploy.quantizing.precision import Precision
from deploy.quantizing.quantization import Quantized, quantize, quantized_inputs
from deploy.tflite import Quantization, Tensor
from deploy.tflite.arithmetic import float_operators
from deploy.zoo import model_source

pytestmark = pytest.mark.early

MODELS = """
import keras
def erf():
    image = keras.Input((6, 6, 2), name="image")
    y = keras.ops.erf(keras.layers.Conv2D(4, 3)(image))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(y))
def gru():
    return keras.Sequential([keras.Input((129, 4), name="image"), keras.layers.GRU(5)])
def recurrent():
    keras.utils.set_random_seed(1)
    image = keras.Input((6, 4), name="image")
    y = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))(image)
    y = keras.layers.GRU(8)(keras.layers.SimpleRNN(8, return_sequences=True)(y))
    return keras.Model(image, {"y": keras.layers.Dense(4)(y)})
def normalized():
    image = keras.Input((4,), name="image")
    return keras.Model(image, keras.layers.Dense(2)(keras.layers.BatchNormalization()(image)))
def one_tensor_twice():
    image = keras.Input((4,), name="image")
    y = keras.layers.Dense(2)(image)
    return keras.Model(image, {"first": y, "second": y})
def logits_at_zero():
    dense = keras.layers.Dense(5, kernel_initializer=keras.initializers.RandomNormal(stddev=1e-9))
    return keras.Sequential([keras.Input((4,), name="image"), dense, keras.layers.Softmax()])
def swish():
    image = keras.Input((6, 6, 2), name="image")
    y = keras.layers.Conv2D(4, 3, activation="swish")(image)
    return keras.Model(image, {"y": keras.layers.GlobalAveragePooling2D()(y)})
class FakeQuant(keras.layers.Layer):
    def call(self, x):
        import tensorflow as tf
        return tf.quantization.fake_quant_with_min_max_args(x, -2.0, 2.0, 8)
    def compute_output_shape(self, shape):
        return shape
def trained_for_int8():
    image = keras.Input((8, 8, 1), name="image")
    return keras.Model(image, {"y": FakeQuant()(keras.layers.Conv2D(4, 3)(image))})
def two_inputs():
    a, b = keras.Input((4,), name="b_first"), keras.Input((4,), name="a_second")
    return keras.Model([a, b], {"y": keras.layers.Dense(3)(a) - keras.layers.Dense(3)(b)})
"""


def tensor(dtype: str, scale: float, zero_point: int) -> Tensor:
    return Tensor(0, "t", (1, 4), dtype, Quantization((scale,), (zero_point,)), None)


def test_values_are_rounded_half_away_from_zero_and_saturate() -> None:
    values = np.array([[0.5, -0.5, 1.5, -1.5, 1000.0, -1000.0]], np.float32)
    assert quantize_values(values, tensor("int8", 1.0, 0)).tolist() == [[1, -1, 2, -2, 127, -128]]
    assert quantize_values(values, tensor("uint8", 1.0, 128)).tolist() == [[129, 127, 130, 126, 255, 0]]


def test_values_are_quantized_exactly_as_tflites_own_quantize_operator(mlperf_tiny: dict[str, Path]) -> None:
    """keyword_spotting begins with a QUANTIZE: its float input and our integers must meet in the same outputs."""
    model = tflite.read(mlperf_tiny["keyword_spotting"])
    operator = model.operators[0]
    assert operator.code == "QUANTIZE"
    stored = model.tensors[operator.outputs[0]]
    assert stored.quantization is not None
    generator = np.random.default_rng(1)
    scale, zero_point = stored.quantization.scales[0], stored.quantization.zero_points[0]
    # Points on, just below and just above the borders between two integers.
    steps = generator.integers(-128, 128, 2000) - zero_point + 0.5
    values = (steps * scale).astype(np.float32) * generator.choice([0.9999999, 1.0, 1.0000001], 2000)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model.content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    for part in values.astype(np.float32).reshape(-1, 1, 50, 10, 1):
        interpreter.set_tensor(model.inputs[0], part)
        interpreter.invoke()
        np.testing.assert_array_equal(quantize_values(part, stored), interpreter.get_tensor(stored.index))


def test_operators_between_quantize_and_dequantize_are_not_float(mlperf_tiny: dict[str, Path]) -> None:
    for path in mlperf_tiny.values():
        assert float_operators(tflite.read(path)) == ()


def load(reference: str, samples: np.ndarray | None = None) -> tuple[FloatModel, dataset.Dataset]:
    model = model_source.load_float(model_source.parse(reference))
    generator = np.random.default_rng(0)
    arrays = {spec.name: generator.random((8, *spec.shape[1:]), dtype=np.float32) for spec in model.inputs}
    return model, dataset.Dataset("random", arrays)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "nets.py"
    path.write_text(MODELS)
    return str(path)


@pytest.fixture(scope="module")
def int8_model(tiny_keras_model: Path) -> Quantized:
    model, data = load(str(tiny_keras_model))
    return quantize(model, data, io="int8")


@pytest.mark.tensorflow
def test_keras_has_nothing_to_remark_on_how_its_first_layers_are_asked(models: str) -> None:
    model, data = load(f"{models}:normalized")
    assert model.spread is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.spread.function([data.arrays["image"]]).shape == (8, 4)


@pytest.mark.tensorflow
def test_the_result_is_integer_throughout_and_keeps_the_names_of_the_heads(int8_model: Quantized) -> None:
    model = int8_model.model
    assert {record.dtype for record in (*int8_model.document.inputs, *int8_model.document.outputs)} == {"int8"}
    assert not any(item.dtype.startswith("float") for item in model.tensors)
    assert set(model.output_names().values()) == {"garment", "kind"}
    assert list(model.input_names().values()) == ["image"]


@pytest.mark.tensorflow
def test_heads_of_equal_size_are_not_swapped(int8_model: Quantized, tiny_keras_model: Path) -> None:
    model, data = load(str(tiny_keras_model))
    agreement = {item.name: item for item in int8_model.document.agreement}
    assert set(agreement) == {"garment", "kind"}
    for item in agreement.values():
        spread = item.float_max - item.float_min
        assert item.max_abs < 0.05 * spread
        assert item.mae <= item.rmse <= item.max_abs
        assert item.cosine is not None and item.cosine > 0.99
        assert item.top1_agreement is not None and item.top1_agreement >= 0.75
    assert int8_model.document.kernels == "LiteRT BUILTIN_REF"
    assert int8_model.document.calibration_samples == int8_model.document.agreement_samples == len(data)
    sample = next(iter(data))
    floats = model.run(sample)
    assert not np.allclose(floats["garment"], floats["kind"], atol=0.02), "the heads must differ for this test"


@pytest.mark.tensorflow
def test_uint8_inputs_take_raw_pixels_when_calibrated_on_unit_range(tiny_tflite: Path) -> None:
    model = tflite.read(tiny_tflite)
    (pixels,) = model.input_tensors
    assert pixels.dtype == "uint8"
    assert pixels.quantization is not None
    assert pixels.quantization.scales[0] == pytest.approx(1 / 255, rel=2e-3)
    assert pixels.quantization.zero_points == (0,)
    outputs = ReferenceKernels(model).run({"image": np.zeros((1, 16, 16, 1), np.uint8)})
    assert {values.dtype for values in outputs.values()} == {np.dtype(np.uint8)}


@pytest.mark.tensorflow
def test_inputs_are_matched_by_name_whatever_their_order(models: str) -> None:
    model, data = load(f"{models}:two_inputs")
    # Ranges far apart: had the converter or we mixed them up, the agreement would be terrible.
    data = dataset.Dataset("scaled", {**data.arrays, "a_second": data.arrays["a_second"] * 100})
    quantized = quantize(model, data)
    (agreement,) = quantized.document.agreement
    assert agreement.cosine is not None and agreement.cosine > 0.999
    inputs = quantized_inputs(quantized.model, next(iter(data)))
    assert set(inputs) == {"b_first", "a_second"}


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("erf", r"nets\.py:erf: cannot be fully quantized; TFLite has no operator for: Erf"),
        ("gru", r"the TFLite converter was killed by SIGSEGV|cannot be fully quantized|converter refuses"),
        ("one_tensor_twice", "the converter loses the name of (first|second)"),
    ],
)
def test_models_that_do_not_become_integer_are_refused(models: str, function: str, message: str) -> None:
    model, data = load(f"{models}:{function}")
    with pytest.raises(BadInputError, match=message) as caught:
        quantize(model, data)
    assert caught.value.hints


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "precision", [Precision("int16x8"), Precision(floating=("CONV_2D",))], ids=["bits", "float"]
)
def test_a_model_with_fake_quantization_becomes_int8_and_nothing_else(models: str, precision: Precision) -> None:
    model, data = load(f"{models}:trained_for_int8")
    assert {tensor.dtype for tensor in quantize(model, data, io="int8").model.output_tensors} == {"int8"}
    with pytest.raises(BadInputError, match="has fake quantization in it") as caught:
        quantize(model, data, precision=precision)
    assert caught.value.hints[0] == "leave out --precision and --float"


@pytest.mark.tensorflow
def test_recurrent_layers_are_unrolled_without_being_asked(models: str) -> None:
    model, data = load(f"{models}:recurrent")
    result = quantize(model, data)
    codes = {operator.code for operator in result.model.operators}
    assert codes.isdisjoint({"WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM"})
    assert float_operators(result.model) == ()
    (agreement,) = result.document.agreement
    assert agreement.cosine is not None
    assert agreement.cosine > 0.99


@pytest.mark.tensorflow
def test_an_untrained_network_on_which_the_reference_aborts_is_quantized_with_a_warning(models: str) -> None:
    model, data = load(f"{models}:logits_at_zero")
    document = quantize(model, data).document
    assert document.kernels == "LiteRT optimised"
    assert "abort on the model (SIGABRT)" in document.warnings[0]
    assert "no verdict will be possible" in document.warnings[0]


@pytest.mark.tensorflow
def test_swish_which_has_a_gradient_of_its_own_is_quantized(models: str) -> None:
    model = model_source.load_float(model_source.parse(f"{models}:swish"))
    result = quantize(model, dataset.random_images(model.inputs, 4), compare=2)
    assert {"LOGISTIC", "MUL"} <= {operator.code for operator in result.model.operators}
    assert result.document.agreement[0].cosine > 0.99


@pytest.mark.tensorflow
def test_an_unknown_type_for_inputs_and_outputs_is_refused(tiny_keras_model: Path) -> None:
    model, data = load(str(tiny_keras_model))
    with pytest.raises(BadInputError, match="--io int16: choose uint8 or int8"):
        quantize(model, data, io="int16")
