"""Operators side by side compute what each computes alone."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.errors import BadInputError
from deploy.tflite import Model
from deploy.verifying.group_kernels import GroupKernels, ModelKernels
from deploy.verifying.operator_groups import Group
from deploy.verifying.side_by_side import inputs_of, parts


def network() -> Model:
    """A fully connected layer, what is added to it, and an output that both of them make."""
    writer, rng = GraphWriter(), np.random.default_rng(5)
    x, a, b, y = (writer.tensor(name, [4, 16], "int8", 0.1) for name in "xaby")
    w = writer.tensor("w", [16, 16], "int8", 0.01, data=rng.integers(-20, 20, (16, 16)).astype(np.int8))
    bias = writer.tensor("bias", [16], "int32", 0.001, data=np.zeros(16, np.int32))
    writer.operator("FULLY_CONNECTED", [x, w, bias], [a], schema.FullyConnectedOptionsT())
    writer.operator("ADD", [a, x], [b], schema.AddOptionsT())
    writer.operator("MUL", [b, b], [y], schema.MulOptionsT())
    return tflite.load(writer.finish({"x": x}, {"y": y}), source="written")


def test_operators_side_by_side_compute_what_each_computes_alone_from_the_same_values() -> None:
    model, rng, batch = network(), np.random.default_rng(6), 3
    kernels = ModelKernels(model)
    together, alone = kernels.side_by_side(model.operators), GroupKernels(kernels, batch)
    assert [model.tensors[index].name for index in together.inputs] == ["x", "a", "b"]
    values = {index: rng.integers(-128, 128, (batch, 4, 16)).astype(np.int8) for index in together.inputs}
    found = together.run_batch(values, batch)
    assert {model.tensors[index].name for index in found} == {"a", "b", "y"}
    for operator in model.operators:
        group = Group((operator,), inputs_of([operator], model), operator.outputs)
        for index, expected in alone.reference(group, values).items():
            assert found[index].dtype == expected.dtype
            np.testing.assert_array_equal(found[index], expected)


def test_no_other_kernels_answer_where_the_reference_kernels_lack_one_of_them() -> None:
    writer = GraphWriter()
    x, y, z = (writer.tensor(name, [1, 8], "float32") for name in "xyz")
    writer.operator("ELU", [x], [y])
    writer.operator("RELU", [y], [z])
    model = tflite.load(writer.finish({"x": x}, {"z": z}), source="written")
    with pytest.raises(BadInputError, match="would answer for all of them"):
        ModelKernels(model).side_by_side(model.operators)
    assert ModelKernels(model).side_by_side(model.operators[1:]).inputs == (y,)


def test_a_network_is_divided_into_parts_of_little_work_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    assert list(parts(model, model.operators)) == [model.operators]
    monkeypatch.setattr("deploy.verifying.side_by_side._MOST_MACS", 4 * 16 * 16)
    first, second = parts(model, model.operators)
    assert (first, second) == (model.operators[:1], model.operators[1:])
