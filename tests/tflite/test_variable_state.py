"""What a model keeps from one inference to the next, and what it holds at first."""

from __future__ import annotations

import numpy as np
import pytest
import stateful_networks
from stateful_networks import ZERO_POINT
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.errors import BadInputError
from deploy.tflite import state
from deploy.tflite.initialisation import initialised_first
from deploy.tflite.reading import subgraph

INITIAL = np.arange(12, dtype=np.int8).reshape(1, 3, 1, 4)


def late_call(content: bytes) -> tflite.Model:
    """A model whose CALL_ONCE stands behind what reads the variables, as Vela writes it."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    operators = model.subgraphs[0].operators
    operators.append(operators.pop(0))
    from flatbuffers import Builder

    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return tflite.load(bytes(builder.Output()))


def test_a_variable_tensor_of_int8_begins_at_its_zero_point_and_any_other_at_zero() -> None:
    held = {
        tensor.name: state.initial_variable(tensor)
        for tensor in state.variable_tensors(tflite.load(stateful_networks.lstm()))
    }
    assert held["layer0/state"].tobytes() == bytes([ZERO_POINT & 0xFF]) * 16
    assert held["layer0/cell"].tobytes() == bytes(32)


def test_a_model_without_a_state_has_none() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, [1, 8], "int8", 0.1) for name in "xy")
    writer.operator("RELU", [x], [y])
    model = tflite.load(writer.finish({"x": x}, {"y": y}))
    assert not state.is_stateful(model) and not state.has_resources(model)
    assert state.accesses(model) == () and state.initial_resources(model) == {}


def test_a_resource_variable_begins_with_what_is_assigned_to_it_once() -> None:
    model = tflite.load(stateful_networks.stream(INITIAL))
    assert state.is_stateful(model)
    assert state.default_resources(model)["state"].tobytes() == bytes([ZERO_POINT & 0xFF]) * 12
    assert state.initial_resources(model)["state"].tobytes() == INITIAL.tobytes()
    read, assigned = state.accesses(model)
    assert (read.name, read.assigns, read.tensor.name) == ("state", False, "before")
    assert (assigned.name, assigned.assigns, assigned.tensor.name) == ("state", True, "after")


def test_variables_that_are_initialised_with_more_than_constants_are_refused_by_name() -> None:
    writer = GraphWriter()
    once = writer.further()
    once.operator("RELU", [once.tensor("a", [1], "int8", 0.1)], [once.tensor("b", [1], "int8", 0.1)])
    call = schema.CallOnceOptionsT()
    call.initSubgraphIndex = 1
    writer.operator("CALL_ONCE", [], [], call)
    x, y = (writer.tensor(name, [1, 8], "int8", 0.1) for name in "xy")
    writer.operator("RELU", [x], [y])
    with pytest.raises(BadInputError, match=r"operator 0 \(CALL_ONCE\) initialises variables with RELU"):
        state.initial_resources(tflite.load(writer.finish({"x": x}, {"y": y})))


def test_an_access_to_no_variable_is_refused() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, [1, 8], "int8", 0.1) for name in "xy")
    writer.operator("READ_VARIABLE", [x], [y], schema.ReadVariableOptionsT())
    with pytest.raises(BadInputError, match=r"operator 0 \(READ_VARIABLE\) names no variable"):
        state.accesses(tflite.load(writer.finish({"x": x}, {"y": y})))


def test_further_subgraphs_are_read_by_number_and_one_that_is_not_there_is_damage() -> None:
    model = tflite.load(stateful_networks.stream())
    assert [operator.code for operator in subgraph(model, 1).operators] == ["VAR_HANDLE", "ASSIGN_VARIABLE"]
    for number in (-1, 2):
        with pytest.raises(BadInputError, match="damaged"):
            subgraph(model, number)


def test_what_initialises_variables_is_put_first_and_all_else_stays() -> None:
    late = late_call(stateful_networks.stream(INITIAL))
    assert late.operators[-1].code == "CALL_ONCE"
    first = tflite.load(initialised_first(late))
    assert first.operators[0].code == "CALL_ONCE"
    codes = [(operator.code, operator.inputs, operator.outputs) for operator in late.operators[:-1]]
    assert [(operator.code, operator.inputs, operator.outputs) for operator in first.operators[1:]] == codes
    assert state.initial_resources(first)["state"].tobytes() == INITIAL.tobytes()
    assert len(first.content) == len(late.content)


def test_a_model_in_order_stays_as_it_is() -> None:
    model = tflite.load(stateful_networks.stream())
    assert initialised_first(model) == model.content
