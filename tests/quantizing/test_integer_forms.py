"""Normalization, NEG and SQUARE in forms of which integers can be computed: the same function, nothing float."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from float_graphs import FloatGraph

from deploy.models.datasets import fashion_mnist
from deploy.quantizing import dataset
from deploy.quantizing.float_model import import_keras
from deploy.quantizing.integer_forms import with_integer_forms
from deploy.quantizing.quantization import quantize
from deploy.quantizing.tensor_values import TensorValues, tensor_ranges
from deploy.tflite import Model
from deploy.tflite.arithmetic import float_operators
from deploy.zoo import model_source

pytestmark = pytest.mark.early

GENERATOR = np.random.default_rng(3)
GAMMA, BETA = GENERATOR.uniform(0.5, 1.5, 12), GENERATOR.uniform(-1, 1, 12)


def layer_normalization(shape: tuple[int, ...], beta: str = "ADD", *, gamma: bool = True) -> Model:
    """As TensorFlow's converter writes it; ``beta`` says whether the mean is negated or subtracted."""
    graph = FloatGraph(shape)
    mean = graph.reduce("MEAN", graph.x)
    variance = graph.reduce("MEAN", graph.binary("SQUARED_DIFFERENCE", graph.x, mean))
    scale = graph.unary("RSQRT", graph.binary("ADD", variance, graph.constant(1e-3)))
    if gamma:
        scale = graph.binary("MUL", scale, graph.constant(GAMMA.reshape(*[1] * (len(shape) - 1), 12)))
    scaled = graph.binary("MUL", graph.x, scale)
    if beta == "ADD":
        shift = graph.binary("MUL", graph.unary("NEG", mean), scale)
        y = graph.binary("ADD", scaled, graph.binary("ADD", shift, graph.constant(BETA)))
    elif beta == "SUB":
        shift = graph.binary("SUB", graph.constant(BETA), graph.binary("MUL", mean, scale))
        y = graph.binary("ADD", scaled, shift)
    elif beta == "negated":
        y = graph.binary("ADD", scaled, graph.binary("MUL", graph.unary("NEG", mean), scale))
    else:
        y = graph.binary("SUB", scaled, graph.binary("MUL", mean, scale))
    return graph.model(y=y)


def rms_normalization(shape: tuple[int, ...]) -> Model:
    graph = FloatGraph(shape)
    squares = graph.reduce("MEAN", graph.unary("SQUARE", graph.x))
    root = graph.unary("RSQRT", graph.binary("ADD", squares, graph.constant(1e-6)))
    return graph.model(y=graph.binary("MUL", graph.binary("MUL", graph.x, root), graph.constant(GAMMA)))


def unit_normalization(shape: tuple[int, ...]) -> Model:
    graph = FloatGraph(shape)
    root = graph.unary("RSQRT", graph.reduce("SUM", graph.unary("SQUARE", graph.x)))
    return graph.model(y=graph.binary("MUL", graph.x, graph.binary("MINIMUM", root, graph.constant(1e6))))


ROWS, MAP = (1, 16, 12), (1, 4, 4, 12)
NORMALIZATIONS = {
    "layer": layer_normalization(ROWS),
    "layer, beta - mean * r": layer_normalization(ROWS, "SUB"),
    "layer without beta": layer_normalization(ROWS, "none"),
    "layer without beta, negated": layer_normalization(ROWS, "negated"),
    "layer without gamma": layer_normalization(ROWS, gamma=False),
    "layer without either": layer_normalization(ROWS, "negated", gamma=False),
    "layer of a map": layer_normalization(MAP),
    "RMS": rms_normalization(ROWS),
    "unit": unit_normalization(ROWS),
    "unit of a map": unit_normalization(MAP),
}


def samples(model: Model, *, uneven: bool) -> list[dict[str, np.ndarray]]:
    """Uneven ones have vectors of very different length."""
    shape = model.input_tensors[0].shape
    values = np.random.default_rng(0).standard_normal((10, 16, 12)).astype(np.float32)
    if uneven:
        values *= np.float32(10.0) ** np.linspace(-1.1, 0, 16, dtype=np.float32)[:, None]
    return [{"x": value.reshape(shape)} for value in values]


def form_of(model: Model, data: list[dict[str, np.ndarray]]) -> Model:
    return with_integer_forms(model, lambda graph, tensors: tensor_ranges(graph, tensors, data))


def outputs(model: Model, data: list[dict[str, np.ndarray]]) -> Iterator[np.ndarray]:
    inside = TensorValues(model, model.outputs)
    return (inside.run(sample)[model.outputs[0]] for sample in data)


@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_the_form_of_a_normalization_is_the_same_function(name: str, uneven: bool) -> None:
    model = NORMALIZATIONS[name]
    data = samples(model, uneven=uneven)
    form = form_of(model, data)
    codes = [operator.code for operator in form.operators]
    assert set(codes) <= {"MEAN", "SUB", "MUL", "ADD", "RSQRT", "RESHAPE"}
    assert codes.count("RSQRT") == (2 if uneven else 1)
    # Constants that differ from 1 by less than a quarter of an 8-bit step are left out.
    np.testing.assert_allclose(list(outputs(form, data)), list(outputs(model, data)), rtol=6e-3, atol=2e-3)


def test_reductions_are_of_rows_which_the_npu_can_do() -> None:
    model = NORMALIZATIONS["layer of a map"]
    form = form_of(model, samples(model, uneven=True))
    reduced = [operator for operator in form.operators if operator.code == "MEAN"]
    assert [form.tensors[operator.inputs[0]].shape for operator in reduced] == [ROWS] * 3


def test_vectors_of_zeros_stay_zeros_and_do_not_ask_for_a_step_of_their_own() -> None:
    model = NORMALIZATIONS["unit"]
    data = [
        {"x": sample["x"] * (np.arange(16) > 3).astype(np.float32)[None, :, None]}
        for sample in samples(model, uneven=False)
    ]
    form = form_of(model, data)
    found = np.array(list(outputs(form, data)))
    assert not found[:, :, :4].any()
    roots = [operator.outputs[0] for operator in form.operators if operator.code == "RSQRT"]
    assert len(roots) == 2
    for low, high in tensor_ranges(form, roots, data).values():
        assert high < 17 * low


def test_a_tensor_inside_that_something_else_reads_is_left_alone() -> None:
    graph = FloatGraph(ROWS)
    squares = graph.reduce("MEAN", graph.binary("MUL", graph.x, graph.x))
    root = graph.unary("RSQRT", graph.binary("ADD", squares, graph.constant(1e-3)))
    model = graph.model(y=graph.binary("MUL", graph.x, root), root=root)
    assert form_of(model, []) is model


def test_a_root_that_is_no_normalization_is_left_alone() -> None:
    graph = FloatGraph(ROWS)
    other = graph.binary("MUL", graph.x, graph.constant(GAMMA))
    squares = graph.reduce("MEAN", graph.binary("MUL", graph.x, graph.x))
    root = graph.unary("RSQRT", graph.binary("ADD", squares, graph.constant(1e-3)))
    model = graph.model(y=graph.binary("MUL", other, root))
    assert form_of(model, []) is model


def test_negation_and_square_become_products() -> None:
    graph = FloatGraph(ROWS)
    model = graph.model(y=graph.binary("ADD", graph.unary("NEG", graph.x), graph.unary("SQUARE", graph.x)))
    data = samples(model, uneven=False)
    form = form_of(model, data)
    assert sorted(operator.code for operator in form.operators) == ["ADD", "MUL", "MUL"]
    np.testing.assert_array_equal(list(outputs(form, data)), list(outputs(model, data)))


def test_a_fully_connected_layer_of_rows_becomes_a_convolution_that_rounds_as_the_npu_does() -> None:
    graph = FloatGraph((1, 28, 12))
    weights, bias = GENERATOR.standard_normal((5, 12)), GENERATOR.standard_normal(5)
    model = graph.model(y=graph.dense(graph.x, weights, bias, activation=1))
    data = [{"x": GENERATOR.standard_normal((1, 28, 12)).astype(np.float32)}]
    form = form_of(model, data)
    assert [operator.code for operator in form.operators] == ["RESHAPE", "CONV_2D", "RESHAPE"]
    assert form.tensors[form.operators[1].inputs[0]].shape == (1, 4, 7, 12)
    np.testing.assert_allclose(next(outputs(form, data)), next(outputs(model, data)), rtol=1e-5, atol=1e-6)


def test_a_fully_connected_layer_of_one_row_stays_one() -> None:
    graph = FloatGraph((1, 12))
    model = graph.model(y=graph.dense(graph.x, GENERATOR.standard_normal((5, 12)), np.zeros(5)))
    assert form_of(model, []) is model


def test_a_constant_that_is_split_becomes_constants() -> None:
    graph = FloatGraph(ROWS)
    values = np.arange(24, dtype=np.float32).reshape(2, 12)
    parts = [graph.tensor((1, 12)), graph.tensor((1, 12))]
    graph.writer.operator(
        "SPLIT", [graph.constant(0, "int32"), graph.constant(values)], parts, schema.SplitOptionsT()
    )
    model = graph.model(y=graph.binary("ADD", graph.binary("MUL", graph.x, parts[0]), parts[1]))
    data = samples(model, uneven=False)
    form = form_of(model, data)
    assert [operator.code for operator in form.operators] == ["MUL", "ADD"]
    x = data[0]["x"]
    np.testing.assert_allclose(next(outputs(form, data)), x * values[0] + values[1], rtol=1e-6)


def test_of_a_split_of_which_parts_are_not_read_those_that_are_become_slices() -> None:
    graph = FloatGraph(ROWS)
    parts = [graph.tensor((1, 16, 4)) for _ in range(3)]
    graph.writer.operator("SPLIT", [graph.constant(-1, "int32"), graph.x], parts, schema.SplitOptionsT())
    model = graph.model(y=graph.binary("SUB", parts[2], parts[0]))
    data = samples(model, uneven=False)
    form = form_of(model, data)
    assert sorted(operator.code for operator in form.operators) == ["SLICE", "SLICE", "SUB"]
    x = data[0]["x"]
    np.testing.assert_array_equal(next(outputs(form, data)), x[..., 8:] - x[..., :4])


@pytest.mark.tensorflow
def test_a_trained_transformer_is_integer_throughout_and_answers_as_the_float_model(tmp_path: Path) -> None:
    """Pictures as sequences of rows, many of them empty: what layer normalization blows up most."""
    keras = import_keras()
    layers = keras.layers
    keras.utils.set_random_seed(1)
    rows = keras.Input((28, 28), name="rows")
    x = layers.Dense(16)(rows)
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(y, y)])
    y = layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.Dense(16, activation="swish")(layers.Add()([x, layers.Dense(16)(y)]))
    network = keras.Model(rows, {"garment": layers.Dense(10)(layers.Flatten()(x))})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile("adam", {"garment": loss})
    training = fashion_mnist.load_training()
    pictures = (training.images / np.float32(255)).astype(np.float32)
    network.fit(pictures[:3000], {"garment": training.garments[:3000].astype(np.int32)}, epochs=2, verbose=0)
    network.save(tmp_path / "rows.keras")
    model = model_source.load_float(model_source.parse(str(tmp_path / "rows.keras")))
    data = dataset.of_arrays("pictures", {"rows": pictures[8000:8300]}, model.inputs, 300)
    result = quantize(model, data, io="int8", compare=300)
    codes = {operator.code for operator in result.model.operators}
    assert float_operators(result.model) == ()
    assert codes.isdisjoint({"QUANTIZE", "DEQUANTIZE"})
    assert {"BATCH_MATMUL", "GELU", "LOGISTIC", "RSQRT", "SOFTMAX"} <= codes
    (agreement,) = result.document.agreement
    assert agreement.top1_agreement is not None
    assert agreement.top1_agreement >= 0.98
