"""What the reference kernels say before there is a build is what they say afterwards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stateful_networks
from numpy.typing import NDArray
from tflite_writer import GraphWriter, schema

from deploy import api, tflite
from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError, TargetError
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import read_models
from deploy.judging.samples import Sample
from deploy.tflite import Model
from deploy.verifying.checked_operators import CheckedOperators
from deploy.verifying.group_kernels import GroupKernels, ModelKernels, Values
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.operator_check import check_operators
from deploy.verifying.operator_groups import Group
from deploy.verifying.reference_ahead import ReferenceAhead

SECONDS = 120.0


def network(rows: int = 4, wrong: bool = False) -> Model:
    """Two fully connected layers; ``wrong``: the second one has a weight of the other sign."""
    writer, rng = GraphWriter(), np.random.default_rng(3)
    x, a, y = (writer.tensor(name, [rows, 16], "int8", 0.1) for name in "xay")
    for number, (source, target) in enumerate([(x, a), (a, y)]):
        weights = rng.integers(-20, 20, (16, 16)).astype(np.int8)
        if wrong and number == 1:
            weights[3] = -weights[3]
        w = writer.tensor(f"w{number}", [16, 16], "int8", 0.01, data=weights)
        b = writer.tensor(f"b{number}", [16], "int32", 0.001, data=np.zeros(16, np.int32))
        writer.operator("FULLY_CONNECTED", [source, w, b], [target], schema.FullyConnectedOptionsT())
    return tflite.load(writer.finish({"x": x}, {"y": y}), source="written")


def sample(rows: int = 4, seed: int = 1) -> Sample:
    return {"x": np.random.default_rng(seed).integers(-128, 128, (rows, 16)).astype(np.int8)}


def ended(model: Model, fed: Sample) -> ReferenceAhead:
    ahead = ReferenceAhead(model, fed, seed=7)
    ahead.end(time.monotonic() + SECONDS)
    return ahead


def compiled(model: Model, folder: Path) -> BuildFolder:
    path = folder / "network.tflite"
    path.write_bytes(model.content)
    return api.compile(path, "U55-64", output=folder / "build", verify="none")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    return compiled(network(), tmp_path_factory.mktemp("ahead"))


def test_the_whole_model_is_answered_for_one_input_with_its_tensors_and_for_no_other_input() -> None:
    model = network()
    ahead, kernels = ended(model, sample()), ModelKernels(model)
    whole = ahead.whole(sample())
    assert whole is not None
    expected, inner = kernels.whole.run(sample()), kernels.whole.tensors(range(len(model.tensors)))
    np.testing.assert_array_equal(whole.answer()["y"], expected["y"])
    kept = whole.tensors(inner)
    assert {model.tensors[index].name for index in kept} == set("xay")
    for index, array in kept.items():
        np.testing.assert_array_equal(array, inner[index])
    assert ahead.whole(sample(seed=2)) is None


def test_every_operator_is_answered_for_made_up_values_and_only_for_these() -> None:
    model = network()
    ahead = ended(model, sample())
    assert (ahead.sets, ahead.is_costly, ahead.inputs["x"].shape) == (3, False, (3, 4, 16))
    first, second = (Group((each,), each.inputs[:1], each.outputs) for each in model.operators)
    start = {first.inputs[0]: ahead.inputs["x"], **ahead.made}
    alone = GroupKernels(ModelKernels(model), 3)
    for group in (first, second):
        found = ahead.behind(group, start)
        assert found is not None
        np.testing.assert_array_equal(found[group.outputs[0]], alone.reference(group, start)[group.outputs[0]])
    assert ahead.behind(second, {index: array[::-1] for index, array in start.items()}) is None
    assert ahead.behind(Group(model.operators, first.inputs, second.outputs), start) is None


def test_of_a_large_network_one_set_is_made_up_and_of_one_with_state_none() -> None:
    ahead = ended(network(rows=1 << 16), sample(rows=1 << 16))
    assert (ahead.sets, ahead.is_costly) == (1, True)
    stateful = tflite.load(stateful_networks.stream())
    fed = {name: np.zeros(stateful.tensors[i].shape, np.int8) for i, name in stateful.input_names().items()}
    assert ended(stateful, fed).inputs == {}


def test_the_operators_of_a_large_network_are_answered_side_by_side_and_where_that_fails_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, asked = network(rows=1 << 16), list[int]()
    reference = GroupKernels.reference

    def noted(kernels: GroupKernels, group: Group, known: Values) -> dict[int, NDArray[Any]]:
        asked.append(group.last.index)
        return reference(kernels, group, known)

    monkeypatch.setattr(GroupKernels, "reference", noted)
    together = ended(model, sample(rows=1 << 16))
    assert asked == []
    monkeypatch.setattr(ModelKernels, "side_by_side", refused)
    alone = ended(model, sample(rows=1 << 16))
    assert asked == [0, 1]
    for ahead in (together, alone):
        start = {model.inputs[0]: ahead.inputs["x"], **ahead.made}
        for operator in model.operators:
            group = Group((operator,), operator.inputs[:1], operator.outputs)
            found = ahead.behind(group, start)
            assert found is not None
            expected = reference(GroupKernels(ModelKernels(model), 1), group, start)
            np.testing.assert_array_equal(found[operator.outputs[0]], expected[operator.outputs[0]])


def refused(*_: object) -> None:
    raise BadInputError("there are no such kernels")


def test_kernels_that_cannot_run_the_model_leave_it_to_who_asks_them_again() -> None:
    ahead = ended(network(), {"x": np.zeros((1, 1), np.int8)})
    assert ahead.whole({"x": np.zeros((1, 1), np.int8)}) is None
    assert ended(network(), sample()).kernels.whole.run(sample())["y"].shape == (4, 16)


def check(
    build: BuildFolder, ahead: ReferenceAhead | None, inference: NpuInference | None = None
) -> CheckedOperators:
    return check_operators(
        build, read_models(build), [sample(), sample(seed=2)], limit_s=SECONDS, ahead=ahead, inference=inference
    )


def test_a_check_that_was_begun_ahead_compares_the_same_operators_on_as_many_values(build: BuildFolder) -> None:
    alone, ahead = check(build, None), check(build, ended(build.source_model, sample()))
    assert ahead.check == alone.check
    assert ahead.check.made_up == 256
    for ours, theirs in zip(ahead.expected, alone.expected, strict=True):
        np.testing.assert_array_equal(ours["y"], theirs["y"])


def test_what_was_not_said_in_time_is_asked_for_afterwards(build: BuildFolder) -> None:
    ahead = ReferenceAhead(build.source_model, sample(), seed=7)
    ahead.end(time.monotonic() - 1)
    found = check(build, ahead).check
    assert (found.operators, found.unexplained) == (2, 0)
    assert found.made_up >= 3


def test_what_is_wrong_is_found_by_what_was_said_ahead(
    build: BuildFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = compiled(network(wrong=True), tmp_path)
    inference = NpuInference(wrong.compiled_model, npu_named("U55-64"))
    ahead = ended(build.source_model, sample())

    def unasked(*_: object) -> None:
        raise TargetError("the operators were asked again")

    monkeypatch.setattr(ahead, "is_costly", True)
    monkeypatch.setattr(ahead, "_began", ahead._began - 10 * SECONDS)  # no time for further values
    monkeypatch.setattr(GroupKernels, "reference", unasked)
    checked = check(build, ahead, inference)
    assert checked.check.made_up == 3
    assert [result.index for result in checked.results if not result.explained] == [1]


def test_what_was_said_ahead_of_another_model_is_not_used(build: BuildFolder) -> None:
    assert check(build, ended(network(wrong=True), sample())).check.unexplained == 0
