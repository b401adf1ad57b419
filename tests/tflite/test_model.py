"""Reading TFLite files: real ones completely, damaged ones only as a clear error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import tflite
from deploy.errors import BadInputError
from deploy.tflite.generated import DTYPE_NUMBERS


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
