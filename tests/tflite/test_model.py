"""Reading TFLite files: real ones completely, damaged ones only as a clear error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.errors import BadInputError
from deploy.tflite.generated import DTYPE_NUMBERS
from deploy.tflite.records import unpacked


def test_a_real_model_is_read_completely(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite.read(mlperf_tiny["image_classification"])
    assert [operator.code for operator in model.operators[:4]] == ["CONV_2D", "CONV_2D", "CONV_2D", "ADD"]
    (image,) = model.input_tensors
    assert (image.name, image.shape, image.dtype, image.nbytes) == ("input_1_int8", (1, 32, 32, 3), "int8", 3072)
    assert image.quantization is not None
    assert image.quantization.zero_points == (0,)
    weights = model.tensors[model.operators[0].inputs[1]]
    assert weights.data is not None
    assert weights.data.size == weights.nbytes == 16 * 3 * 3 * 3
    assert weights.quantization is not None
    assert len(weights.quantization.scales) == 16
    assert image.data is None


def test_each_subgraph_is_counted(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite.read(mlperf_tiny["keyword_spotting"])
    assert model.tensor_counts == (len(model.tensors),)


@pytest.mark.tensorflow
def test_the_signature_names_heads_of_equal_size(tiny_tflite: Path) -> None:
    model = tflite.read(tiny_tflite)
    assert model.signature is not None
    assert set(model.signature.outputs) == {"garment", "kind"}
    assert {model.output_names()[index] for index in model.outputs} == {"garment", "kind"}


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 100, b"PK\x03\x04" + b"\x00" * 100])
def test_what_is_no_tflite_file_is_refused(content: bytes) -> None:
    with pytest.raises(BadInputError, match="not a TFLite model"):
        tflite.load(content)


def test_the_numbers_of_tensor_types_are_those_of_the_schema() -> None:
    enum = vars(tflite.schema().TensorType)
    assert {name: enum[name.upper()] for name in DTYPE_NUMBERS} == DTYPE_NUMBERS


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.tflite", tmp_path):
        with pytest.raises(BadInputError, match="cannot read the model"):
            tflite.read(path)


def test_every_truncation_of_a_model_is_refused_or_still_a_model(mlperf_tiny: dict[str, Path]) -> None:
    content = mlperf_tiny["keyword_spotting"].read_bytes()
    refused = 0
    for length in range(16, len(content), 997):
        try:
            tflite.load(content[:length])
        except BadInputError as error:
            refused += 1
            assert "damaged" in error.message
    assert refused > 30


def test_operators_without_what_they_read_or_write_are_damage() -> None:
    def written(code: str, inputs: bool, outputs: bool) -> bytes:
        graph = GraphWriter()
        x, y = graph.tensor("x", (1, 4), "int8", 0.1), graph.tensor("y", (1, 4), "int8", 0.1)
        graph.operator(code, [x] if inputs else [-1], [y] if outputs else [])
        return graph.finish({"x": x}, {"y": y})

    tflite.load(written("RELU", inputs=True, outputs=True))
    for inputs, outputs, lacking in ((True, False, "output"), (False, True, "input")):
        with pytest.raises(BadInputError, match=rf"operator 0 \(RELU\) has no {lacking}"):
            tflite.load(written("RELU", inputs=inputs, outputs=outputs))
    nameless = tflite.load(written("CALL_ONCE", inputs=False, outputs=False))
    assert nameless.name_of(nameless.operators[0]) == ""


def test_a_state_that_is_a_constant_is_damage() -> None:
    graph = GraphWriter()
    x = graph.tensor("x", (1, 4), "int8", 0.1)
    state = graph.tensor("s", (1, 4), "int8", 0.1, data=np.zeros((1, 4), np.int8), variable=True)
    y = graph.tensor("y", (1, 4), "int8", 0.1)
    graph.operator("ADD", [x, state], [y])
    with pytest.raises(BadInputError, match="variable tensor 1 is a constant"):
        tflite.load(graph.finish({"x": x}, {"y": y}))


def test_what_only_a_rewrite_looks_at_is_damage_when_it_is_looked_at() -> None:
    graph = GraphWriter()
    x, y = graph.tensor("x", (1, 4), "int8", 0.1), graph.tensor("y", (1, 4), "int8", 0.1)
    graph.operator("RELU", [x], [y])
    content = bytearray(graph.finish({"x": x}, {"y": y}))
    description = tflite.schema().Model.GetRootAs(content, 0)._tab
    field = description.Offset(10) + description.Pos
    content[field : field + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(BadInputError, match="damaged"):
        unpacked(tflite.load(bytes(content)).content)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(-8000, 2000), st.binary(min_size=1, max_size=4)), max_size=6))
def test_a_mutated_model_is_read_or_refused_and_never_anything_else(
    mlperf_tiny: dict[str, Path], edits: list[tuple[int, bytes]]
) -> None:
    mutant = bytearray(mlperf_tiny["keyword_spotting"].read_bytes())
    for position, replacement in edits:
        start = position % len(mutant)
        mutant[start : start + len(replacement)] = replacement
    try:
        model = tflite.load(bytes(mutant))
    except BadInputError:
        return
    for index in (*model.inputs, *model.outputs):
        assert 0 <= index < len(model.tensors)
    assert len(set(model.output_names().values())) == len(set(model.outputs))
    assert all(tensor.data is None or isinstance(tensor.data, np.ndarray) for tensor in model.tensors)
