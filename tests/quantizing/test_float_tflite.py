"""Float TFLite files are quantized without Keras and without TensorFlow."""

import numpy as np
import pytest
from float_graphs import FloatGraph

from deploy.data.stream import Dataset
from deploy.errors import BadInputError, NotInstalledError
from deploy.quantizing import dataset, float_tflite
from deploy.quantizing.float_tflite import FloatTflite, of_model
from deploy.quantizing.precision import Precision, precision_of
from deploy.quantizing.quantization import quantize, quantized_inputs
from deploy.tflite.arithmetic import float_operators

RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.standard_normal((16, 12)).astype(np.float32)
OTHER = RANDOM.standard_normal((5, 16)).astype(np.float32)


def network() -> FloatTflite:
    graph = FloatGraph((1, 12))
    hidden = graph.dense(graph.x, WEIGHTS, np.linspace(-1, 1, 16), activation=1)
    logits = graph.dense(hidden, OTHER, np.zeros(5))
    return of_model(graph.model(logits=logits, odds=graph.unary("LOGISTIC", logits)), "net.tflite", "net")


def samples(model: FloatTflite, count: int = 60) -> Dataset:
    values = np.random.default_rng(1).random((count, 12)).astype(np.float32)
    return dataset.of_arrays("samples", {"x": values}, model.inputs, count)


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_a_float_file_becomes_an_integer_one_with_the_names_and_types_that_were_asked_for(io: str) -> None:
    model = network()
    result = quantize(model, samples(model), io=io)
    assert float_operators(result.model) == ()
    assert {record.dtype for record in (*result.document.inputs, *result.document.outputs)} == {io}
    assert list(result.model.input_names().values()) == ["x"]
    assert {item.name for item in result.document.agreement} == {"logits", "odds"}
    for item in result.document.agreement:
        assert item.max_abs < 0.03 * (item.float_max - item.float_min)
    assert set(result.document.versions) == {"ai-edge-litert", "ai-edge-quantizer"}


def test_ranges_are_those_of_all_samples_not_an_average_of_them() -> None:
    model = network()
    values = np.random.default_rng(1).random((60, 12)).astype(np.float32)
    values[0, 0], values[1, 0] = 2, -1
    result = quantize(model, dataset.of_arrays("samples", {"x": values}, model.inputs, 60), io="int8")
    assert quantized_inputs(result.model, {"x": values[:1]})["x"].max() == 127
    assert quantized_inputs(result.model, {"x": values[1:2]})["x"].min() == -128
    (record,) = result.document.inputs
    assert record.scales[0] == pytest.approx(3 / 255, rel=1e-5)


def test_activations_of_16_bits_are_closer_to_the_float_model() -> None:
    model = network()
    coarse = {item.name: item.rmse for item in quantize(model, samples(model), io="int8").document.agreement}
    result = quantize(model, samples(model), precision=precision_of("int16x8"))
    assert {record.dtype for record in (*result.document.inputs, *result.document.outputs)} == {"int16"}
    assert result.document.precision == "int16x8"
    assert all(item.rmse < coarse[item.name] for item in result.document.agreement)


@pytest.mark.parametrize("named", ["LOGISTIC", "logistic", "odds_tensor"])
def test_an_operator_stays_float_where_that_is_asked_for(named: str) -> None:
    model = network()
    tensor = model.model.tensors[model.model.outputs[1]].name
    wanted = f"^{tensor};?$" if named == "odds_tensor" else named
    result = quantize(model, samples(model), io="int8", precision=Precision(floating=(wanted,)))
    assert result.document.floating == {"LOGISTIC": 1}
    assert [operator.code for operator in float_operators(result.model)] == ["LOGISTIC"]


def test_tensors_of_one_name_and_of_none_do_not_confuse_the_quantizer() -> None:
    graph = FloatGraph((1, 12))
    y = graph.dense(graph.x, WEIGHTS, np.zeros(16))
    for tensor in graph.writer._graph.tensors:
        tensor.name = "same" if tensor.name != "t0" else ""
    model = of_model(graph.model(y=y), "net.tflite", "net")
    (agreement,) = quantize(model, samples(model), io="int8").document.agreement
    assert agreement.cosine is not None
    assert agreement.cosine > 0.999


def test_an_operator_without_an_integer_form_is_named() -> None:
    graph = FloatGraph((1, 12))
    model = of_model(graph.model(y=graph.unary("FLOOR", graph.dense(graph.x, WEIGHTS, np.zeros(16)))), "n", "n")
    with pytest.raises(BadInputError, match=r"not in int8: FLOOR"):
        quantize(model, samples(model))


def test_a_file_that_is_quantized_is_refused() -> None:
    model = network()
    result = quantize(model, samples(model))
    with pytest.raises(BadInputError, match="cannot be quantized any more"):
        of_model(result.model, "done.tflite", "done")


def test_another_batch_than_1_is_refused_with_the_shape() -> None:
    graph = FloatGraph((4, 12))
    with pytest.raises(BadInputError, match=r"input x has shape \[4, 12\]"):
        of_model(graph.model(y=graph.dense(graph.x, WEIGHTS, np.zeros(16))), "net.tflite", "net")


def test_without_the_quantizer_its_name_and_version_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    model = network()
    with pytest.raises(NotInstalledError) as error:
        quantize(model, samples(model))
    assert float_tflite.INSTALL_QUANTIZER in error.value.hints


@pytest.mark.parametrize(
    ("bits", "floating", "io", "problem"),
    [
        ("int4", (), None, "--precision int4: choose int8 or int16x8"),
        ("int16x8", (), "int8", "inputs and outputs have 16 bits"),
        (None, ("(",), None, "no regular expression"),
    ],
)
def test_what_cannot_be_asked_for_is_said(
    bits: str | None, floating: tuple[str, ...], io: str | None, problem: str
) -> None:
    with pytest.raises(BadInputError, match=problem):
        precision_of(bits, floating, io)
