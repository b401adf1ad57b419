"""Groups of operators at once compute what they compute one by one; what cannot be run so is left to that."""

from __future__ import annotations

import os

import numpy as np
import pytest
import stateful_networks
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.debug_database import DebugDatabase
from deploy.judging import kernel_process
from deploy.judging.interpreters import Interpreter, Order
from deploy.tflite import Model
from deploy.tflite.state import is_stateful
from deploy.verifying.group_kernels import GroupKernels, ModelKernels, Values
from deploy.verifying.groups_at_once import GroupsAtOnce
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import Walk, walk
from deploy.verifying.operator_groups import groups

BATCH = 5


def network(last: str = "RELU") -> Model:
    """Four operators in a row on eight int8 numbers; the second one reads the input, too."""
    writer = GraphWriter()
    x, a, b, c, y = (
        writer.tensor(name, [1, 8], "int8", scale) for name, scale in zip("xabcy", (1, 2, 3, 1, 5), strict=True)
    )
    writer.operator("RELU", [x], [a])
    writer.operator("ADD", [a, x], [b], schema.AddOptionsT())
    writer.operator("MUL", [b, b], [c], schema.MulOptionsT())
    writer.operator(last, [c], [y])
    return tflite.load(writer.finish({"x": x}, {"y": y}), source="written")


def values(model: Model, *hidden: str) -> Values:
    """Made-up values of all tensors but some."""
    rng = np.random.default_rng(7)
    made = {each.index: rng.integers(-128, 128, (BATCH, *each.shape)).astype(np.int8) for each in model.tensors}
    return {index: array for index, array in made.items() if model.tensors[index].name not in hidden}


@pytest.mark.parametrize("hidden", ["", "a", "b", "ab", "abc"])
def test_groups_compute_at_once_what_they_compute_one_by_one(hidden: str) -> None:
    model = network()
    known = values(model, *hidden)
    found, unseen = groups(model, known)
    kernels = ModelKernels(model)
    alone, together = GroupKernels(kernels, BATCH), GroupsAtOnce(kernels)
    assert (len(found), unseen) == (4 - len(hidden), ())
    for _ in range(2):  # what is prepared serves several batches
        made = together.computed(found, known, BATCH)
        for group in found:
            for index, expected in alone.reference(group, known).items():
                np.testing.assert_array_equal(made[index], expected)


def test_operators_that_the_reference_kernels_lack_are_not_among_them_and_neither_is_their_part() -> None:
    writer = GraphWriter()
    x, a, y = (writer.tensor(name, [1, 8], "float32") for name in "xay")
    writer.operator("RELU", [x], [a])
    writer.operator("ELU", [a], [y])
    model = tflite.load(writer.finish({"x": x}, {"y": y}), source="written")
    known = {index: np.ones((BATCH, 1, 8), np.float32) for index in (x, a, y)}
    found, _ = groups(model, known)
    assert GroupsAtOnce(ModelKernels(model)).computed(found, known, BATCH) == {}
    assert GroupsAtOnce(ModelKernels(model)).computed(found[:1], known, BATCH).keys() == {a}


def test_operators_that_keep_a_state_are_not_among_them() -> None:
    model = tflite.load(stateful_networks.svdf(), source="written")
    assert is_stateful(model)
    rng = np.random.default_rng(7)
    known = {
        each.index: rng.integers(-9, 9, (BATCH, *each.shape)).astype(each.dtype)
        for each in model.tensors
        if each.data is None and not each.is_variable
    }
    found, _ = groups(model, known)
    made = GroupsAtOnce(ModelKernels(model)).computed(found, known, BATCH)
    states = {index for each in model.operators if each.code == "SVDF" for index in each.outputs}
    assert states and states.isdisjoint(made)


def walked(model: Model, known: Values, kernels: ModelKernels, at_once: GroupsAtOnce | None) -> Walk:
    """Through the operators of a model whose values were all made up: the results differ nearly everywhere."""
    [x], [y] = model.inputs, model.outputs
    inner = {index: array for index, array in known.items() if index not in (x, y)}
    capture = LayerCapture(model, DebugDatabase(""), tensors=inner, replaced=inner)
    return walk(model, capture, {"x": known[x]}, {"y": known[y]}, kernels=kernels, at_once=at_once)


@pytest.mark.parametrize("last", ["RELU", "ELU"])
def test_a_walk_finds_at_once_what_it_finds_one_by_one(last: str) -> None:
    model = network(last)
    known = values(model)
    kernels = ModelKernels(model)
    found = walked(model, known, kernels, GroupsAtOnce(kernels))
    assert found == walked(model, known, kernels, None)
    assert found.compared == {0, 1, 2, 3}
    assert all(result.mismatches for result in found.results)


def test_where_the_kernels_crash_on_all_together_they_are_asked_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = kernel_process.made

    def crashing(order: Order, content: bytes) -> Interpreter:
        if len(tflite.load(content).operators) > 1:
            os.abort()
        return made(order, content)

    monkeypatch.setattr(kernel_process, "made", crashing)
    model = network()
    known = values(model)
    kernels = ModelKernels(model)
    at_once = GroupsAtOnce(kernels)
    assert at_once.computed(groups(model, known)[0], known, BATCH) == {}
    assert walked(model, known, kernels, at_once) == walked(model, known, kernels, None)


def test_what_is_found_at_once_is_not_asked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    known, kernels = values(model), ModelKernels(model)
    right = {**known, **GroupsAtOnce(kernels).computed(groups(model, known)[0], known, BATCH)}
    [x], [y] = model.inputs, model.outputs
    own = {index: array for index, array in right.items() if index not in (x, y)}
    replaced = {index: known[index] for index in own}
    capture = LayerCapture(model, DebugDatabase(""), tensors=own, replaced=replaced)

    def asked(*_words: object) -> None:
        raise AssertionError("one by one")

    monkeypatch.setattr(GroupKernels, "reference", asked)
    found = walk(model, capture, {"x": right[x]}, {"y": right[y]}, kernels=kernels, at_once=GroupsAtOnce(kernels))
    assert [result.mismatches for result in found.results] == [0, 0, 0, 0]
