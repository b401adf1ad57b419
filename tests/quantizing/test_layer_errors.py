"""The operator that loses a model's precision is found, by hand-made networks in which it is known."""

import numpy as np
import pytest
from float_graphs import FloatGraph

from deploy.data.stream import Dataset
from deploy.quantizing import dataset
from deploy.quantizing.float_tflite import FloatTflite, of_model
from deploy.quantizing.layer_errors import layer_errors, worst
from deploy.quantizing.precision import Precision
from deploy.quantizing.quantization import Quantized, quantize

WEIGHTS = np.random.default_rng(5).standard_normal((6, 12)).astype(np.float32)


def lossy() -> FloatTflite:
    """Adds 400 to logits of about 1 and takes it away again: the sum rounds them to one and a half."""
    graph = FloatGraph((1, 12))
    logits = graph.dense(graph.x, WEIGHTS, np.zeros(6))
    large = graph.binary("ADD", logits, graph.constant(400.0))
    return of_model(graph.model(y=graph.binary("SUB", large, graph.constant(400.0))), "net.tflite", "net")


def samples(model: FloatTflite) -> Dataset:
    values = np.random.default_rng(1).random((60, 12)).astype(np.float32)
    return dataset.of_arrays("samples", {"x": values}, model.inputs, 60)


@pytest.fixture(scope="module")
def result() -> Quantized:
    model = lossy()
    return quantize(model, samples(model), io="uint8", debug=True)


def test_each_operator_has_its_own_error_and_what_it_carries(result: Quantized) -> None:
    layers = {layer.operator: layer for layer in result.document.layers}
    assert list(layers) == ["FULLY_CONNECTED", "ADD", "SUB"]
    # The root of a twelfth of a step is that of rounding alone; the weights are rounded, too.
    assert 0.25 < layers["FULLY_CONNECTED"].steps < 0.5
    assert layers["FULLY_CONNECTED"].carried < 0.02
    assert layers["SUB"].carried > 0.1
    assert layers["ADD"].name


def test_the_error_is_of_what_an_operator_is_given_not_of_the_float_model(result: Quantized) -> None:
    subtraction = next(layer for layer in result.document.layers if layer.operator == "SUB")
    assert subtraction.own < 0.3 * subtraction.carried
    assert worst(result.document.layers, 1)[0].operator == "ADD"


def test_an_output_that_agrees_badly_is_a_warning_with_the_operators_that_lose_most(result: Quantized) -> None:
    (agreement,) = result.document.agreement
    assert agreement.top1_agreement is not None
    assert agreement.top1_agreement < 0.95
    warning = next(line for line in result.document.warnings if "the float model's in" in line)
    assert "lose most" in warning
    assert "--precision int16x8" in warning
    model = lossy()
    unasked = quantize(model, samples(model), io="uint8").document
    assert unasked.layers == result.document.layers


def test_sixteen_bits_mend_it_and_nothing_is_measured_unasked() -> None:
    model = lossy()
    document = quantize(model, samples(model), precision=Precision("int16x8")).document
    assert (document.agreement[0].top1_agreement or 0) > 0.95
    assert document.layers == ()
    assert document.warnings == ()


def test_models_of_other_operators_are_not_compared(result: Quantized) -> None:
    graph = FloatGraph((1, 12))
    other = graph.model(y=graph.unary("TANH", graph.x))
    assert layer_errors(other, result.model, []) == ()


def test_the_worst_come_first(result: Quantized) -> None:
    shares = [layer.own for layer in worst(result.document.layers, 3)]
    assert shares == sorted(shares, reverse=True)
