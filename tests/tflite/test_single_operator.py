"""Files of one operator each."""

from __future__ import annotations

from pathlib import Path

from tflite_writer import GraphWriter

from deploy.judging.reference import ReferenceKernels
from deploy.tflite import load, read
from deploy.tflite.single_operator import OperatorFiles


def test_the_file_of_one_operator_holds_no_other_operators_weights(mlperf_tiny: dict[str, Path]) -> None:
    model = read(mlperf_tiny["keyword_spotting"])
    dense = next(operator for operator in model.operators if operator.code == "FULLY_CONNECTED")
    content = OperatorFiles(model).content(dense)
    weights = model.tensors[dense.inputs[1]].nbytes
    assert weights < len(content) < weights + 4096
    assert len(content) < len(model.content) / 4
    single = load(content, source="dense")
    assert len({tensor.buffer for tensor in single.tensors}) == len(single.tensors)
    assert max(tensor.buffer for tensor in single.tensors) == len(single.tensors)
    for tensor in single.tensors:
        [whole] = [each for each in model.tensors if each.name == tensor.name]
        assert (tensor.data is None) == (whole.data is None)
        assert tensor.data is None or (tensor.data == whole.data).all()


def test_an_operator_has_the_reference_kernels_whatever_else_the_model_needs() -> None:
    writer = GraphWriter()
    x = writer.tensor("x", [1, 8], "float32")
    y, z = (writer.tensor(name, [1, 8], "float32") for name in "yz")
    writer.operator("ELU", [x], [y])  # LiteRT has no reference kernel for it
    writer.operator("RELU", [y], [z])
    model = load(writer.finish({"x": x}, {"z": z}), source="written")
    relu = load(OperatorFiles(model).content(model.operators[1]), source="relu")
    assert ReferenceKernels(relu).name == ReferenceKernels.name
    assert ReferenceKernels(model).name != ReferenceKernels.name
