"""The walk operator by operator: what it compares, what it leaves out, and what counts as equal."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.debug_database import DebugDatabase
from deploy.errors import BadInputError
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.reference import InnerTensors, ReferenceKernels
from deploy.judging.samples import Stacked
from deploy.tflite import Model
from deploy.verifying import group_kernels
from deploy.verifying.group_kernels import ModelKernels
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import Walk, walk
from deploy.verifying.operator_groups import groups


def network(first: str = "RELU") -> Model:
    """Three operators one behind the other on eight int8 numbers: ``first``, ADD, and RELU."""
    writer = GraphWriter()
    x, a, b, y = (writer.tensor(name, [1, 8], "int8", 0.1) for name in "xaby")
    one = writer.tensor("one", [1, 8], "int8", 0.1, data=np.arange(8, dtype=np.int8))
    writer.operator(first, [x], [a])
    writer.operator("ADD", [a, one], [b], schema.AddOptionsT())
    writer.operator("RELU", [b], [y])
    return tflite.load(writer.finish({"x": x}, {"y": y}), source="written")


INPUTS: Stacked = {"x": np.random.default_rng(5).integers(-60, 60, (3, 1, 8)).astype(np.int8)}


def captured(model: Model, change: Callable[[dict[int, np.ndarray]], None]) -> tuple[LayerCapture, Stacked]:
    """A capture that holds what the reference computes, changed: as if an NPU had computed that."""
    kernels = InnerTensors(model)
    runs = []
    for sample in INPUTS["x"]:
        kernels.run({"x": sample})
        runs.append(kernels.tensors(operator.outputs[0] for operator in model.operators))
    tensors = {index: np.stack([run[index] for run in runs]) for index in runs[0]}
    change(tensors)
    outputs = {name: tensors[index] for index, name in model.output_names().items()}
    return LayerCapture(model, DebugDatabase(""), tensors=tensors), outputs


def walked(model: Model, change: Callable[[dict[int, np.ndarray]], None], until: float = float("inf")) -> Walk:
    capture, outputs = captured(model, change)
    return walk(model, capture, INPUTS, outputs, until=until)


def nothing(_tensors: dict[int, np.ndarray]) -> None:
    """No change."""


def test_what_equals_the_reference_is_compared_on_every_input_and_nothing_is_left_out() -> None:
    found = walked(network(), nothing)
    assert (found.inputs, found.compared, found.left_out) == (3, {0, 1, 2}, ())
    assert [(result.type, result.mismatches, result.elements) for result in found.results] == [
        ("RELU", 0, 24),
        ("ADD", 0, 24),
        ("RELU", 0, 24),
    ]
    assert len(found.expected) == 3


def test_a_difference_is_blamed_on_its_operator_and_not_on_those_behind_it() -> None:
    model = network()
    [_, add, relu] = model.operators

    def wrong(tensors: dict[int, np.ndarray]) -> None:
        # What follows computes from the wrong number, as a device would.
        tensors[add.outputs[0]][2, 0, 4] = 50
        tensors[relu.outputs[0]][2, 0, 4] = 50

    found = walked(model, wrong)
    assert [(result.index, result.mismatches) for result in found.results] == [(0, 0), (1, 1), (2, 0)]
    bad = found.results[1]
    assert bad.first is not None
    assert (bad.first.input, bad.first.position, bad.first.npu) == (2, (0, 4), 50)
    assert not bad.explained


def test_an_operator_without_a_result_of_its_own_is_answered_for_by_the_next() -> None:
    model = network()
    add = model.operators[1]

    def hidden(tensors: dict[int, np.ndarray]) -> None:
        del tensors[add.outputs[0]]

    found = walked(model, hidden)
    assert [(result.index, result.absorbs) for result in found.results] == [(0, ()), (2, ("1 ADD",))]
    assert found.compared == {0, 1, 2}


def test_after_the_time_limit_nothing_is_begun_and_all_is_named() -> None:
    found = walked(network(), nothing, until=time.monotonic() - 1)
    assert (found.results, found.compared) == ((), frozenset())
    [sentence] = found.left_out
    assert sentence == "0 RELU, 1 ADD, 2 RELU: the time limit was reached before"


def test_operators_whose_results_were_never_seen_are_named() -> None:
    model = network()
    known, unseen = groups(model, {model.inputs[0]})
    assert known == ()
    assert [operator.code for operator in unseen] == ["RELU", "ADD", "RELU"]


def test_what_no_oracle_can_run_is_left_out_by_name_and_the_rest_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    class Refuses(ReferenceKernels):
        def __init__(self, model: Model, *, process: KernelProcess | None = None) -> None:
            if any(operator.code == "ADD" for operator in model.operators):
                raise BadInputError("there is no such kernel")
            super().__init__(model, process=process)

    model = network()
    capture, outputs = captured(model, nothing)
    monkeypatch.setattr(group_kernels, "InnerTensors", Refuses)
    monkeypatch.setattr(group_kernels, "ReferenceKernels", Refuses)
    monkeypatch.setattr(group_kernels, "alternatives", dict)
    found = walk(model, capture, INPUTS, outputs)
    assert [result.index for result in found.results] == [0, 2]
    assert found.left_out == ("1 ADD: there is no such kernel",)


def test_what_is_no_number_on_both_sides_is_equal() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, [1, 4], "float32") for name in "xy")
    writer.operator("SQRT", [x], [y])
    model = tflite.load(writer.finish({"x": x}, {"y": y}), source="written")
    inputs = {"x": np.array([[[-1, 4, 9, -4]]], np.float32)}
    outputs = {"y": np.array([[[np.nan, 2, 3, np.nan]]], np.float32)}
    found = walk(model, LayerCapture(model, DebugDatabase("")), inputs, outputs)
    assert [result.mismatches for result in found.results] == [0]
    outputs["y"][0, 0, 0] = 1
    [result] = walk(model, LayerCapture(model, DebugDatabase("")), inputs, outputs).results
    assert (result.mismatches, result.explained) == (1, False)


def test_an_inference_of_the_reference_that_has_begun_is_waited_for_and_the_others_are_run() -> None:
    model = network()
    capture, outputs = captured(model, nothing)
    kernels = ModelKernels(model)
    begun = kernels.begin({"x": INPUTS["x"][0]})
    found = walk(model, capture, INPUTS, outputs, kernels=kernels, begun=begun)
    alone = walk(model, capture, INPUTS, outputs)
    assert found.results == alone.results
    for ours, theirs in zip(found.expected, alone.expected, strict=True):
        np.testing.assert_array_equal(ours["y"], theirs["y"])


def test_after_the_time_limit_what_has_begun_is_compared() -> None:
    model = network()
    capture, outputs = captured(model, nothing)
    kernels = ModelKernels(model)
    begun = kernels.begin({"x": INPUTS["x"][0]})
    found = walk(model, capture, INPUTS, outputs, until=time.monotonic() - 1, kernels=kernels, begun=begun)
    assert (found.inputs, found.compared) == (1, {0, 1, 2})


def test_kernels_that_fail_say_so_to_who_waits_and_what_is_no_reference_is_not_taken_for_one() -> None:
    with pytest.raises(BadInputError, match="input x"):
        ModelKernels(network()).begin({"x": INPUTS["x"][0, 0]}).answer()
    model = network("ELU")
    kernels = ModelKernels(model)
    begun = kernels.begin({"x": INPUTS["x"][0]})
    capture, outputs = captured(model, nothing)
    found = walk(model, capture, INPUTS, outputs, kernels=kernels, begun=begun)
    assert (found.compared, found.expected) == ({0, 1, 2}, ())
