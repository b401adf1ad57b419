"""Made-up values inside a network, and what only they find."""

from __future__ import annotations

import shutil
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
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import read_models
from deploy.judging.samples import Sample
from deploy.tflite import Model
from deploy.tflite.state import initial_resources
from deploy.verifying.build_check import check_build
from deploy.verifying.group_kernels import GroupKernels, Values
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.made_up_values import MadeUpValues
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.operator_check import check_operators
from deploy.verifying.operator_groups import Group

CHANNELS = 16
DEAD = 5
"""A channel of the first convolution that its bias keeps at zero, whatever the input."""


def network(wrong: bool = False) -> Model:
    """Two pointwise convolutions; ``wrong``: the second one has other weights for the dead channel."""
    writer = GraphWriter()
    rng = np.random.default_rng(3)
    x, y = (writer.tensor(name, [1, 8, 8, CHANNELS], "int8", 0.1) for name in "xy")
    a = writer.tensor("a", [1, 8, 8, CHANNELS], "int8", 0.1, -128)
    for number, (source, target) in enumerate([(x, a), (a, y)]):
        weights = rng.integers(-20, 20, (CHANNELS, 1, 1, CHANNELS)).astype(np.int8)
        bias = np.zeros(CHANNELS, np.int32)
        if number == 0:
            bias[DEAD] = -1_000_000
        elif wrong:
            weights[:, 0, 0, DEAD] = -weights[:, 0, 0, DEAD]
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = 1
        options.fusedActivationFunction = 1 if number == 0 else 0
        w = writer.tensor(f"w{number}", list(weights.shape), "int8", 0.01, data=weights)
        b = writer.tensor(f"b{number}", [CHANNELS], "int32", 0.001, data=bias)
        writer.operator("CONV_2D", [source, w, b], [target], options)
    return tflite.load(writer.finish({"x": x}, {"y": y}), source="written")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """Of the network that is right."""
    return _compiled(network(), tmp_path_factory.mktemp("right"))


def _compiled(model: Model, folder: Path) -> BuildFolder:
    path = folder / "network.tflite"
    path.write_bytes(model.content)
    return api.compile(path, "U55-64", output=folder / "build", verify="none")


def samples(count: int) -> list[Sample]:
    rng = np.random.default_rng(1)
    return [{"x": rng.integers(-128, 128, (1, 8, 8, CHANNELS)).astype(np.int8)} for _ in range(count)]


def test_what_is_right_is_right_on_made_up_values_too_and_their_number_is_told(build: BuildFolder) -> None:
    check = check_operators(build, read_models(build), samples(4)).check
    assert (check.made_up, check.unexplained, check.differing) == (256, 0, 0)
    assert "4 inputs, and on 256 sets of made-up values: all equal" in check.sentences[0]


def test_weights_behind_a_channel_that_is_zero_for_every_input_are_found_wrong(
    build: BuildFolder, tmp_path: Path
) -> None:
    wrong = _compiled(network(wrong=True), tmp_path)
    folder = BuildFolder.open(shutil.copytree(build.path, tmp_path / "build-with-wrong"))
    models = read_models(folder)
    inference = NpuInference(wrong.compiled_model, npu_named("U55-64"))
    right = NpuInference(models.compiled, npu_named("U55-64"))
    for sample in samples(16):  # the outputs tell nothing
        np.testing.assert_array_equal(inference.run(sample)["y"], right.run(sample)["y"])
    checked = check_operators(folder, models, samples(16), inference=inference)
    assert checked.check.unexplained == 1
    [fault] = [result for result in checked.results if not result.explained]
    assert fault.made_up
    assert "equals no oracle on made-up values" in fault.fault


def test_a_check_without_time_leaves_made_up_values_out(build: BuildFolder) -> None:
    assert check_build(build, time.monotonic()).check.made_up == 0


@pytest.mark.parametrize(("limit_s", "at_once"), [(None, True), (1000.0, False)])
def test_operators_are_run_at_once_but_where_the_time_is_limited(
    build: BuildFolder, limit_s: float | None, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    reference = GroupKernels.reference

    def asking(self: GroupKernels, group: Group, known: Values) -> dict[int, NDArray[Any]]:
        asked.append(group)
        return reference(self, group, known)

    monkeypatch.setattr(GroupKernels, "reference", asking)
    check = check_operators(build, read_models(build), samples(4), limit_s=limit_s).check
    assert (check.made_up, check.unexplained, check.differing) == (256, 0, 0)
    assert (not asked) == at_once


def test_sets_hold_a_tensors_own_numbers_in_another_order_any_numbers_and_all_numbers_in_turn() -> None:
    model = network()
    tensor = next(tensor for tensor in model.tensors if tensor.name == "a")
    own = np.random.default_rng(2).integers(-128, 20, (8, *tensor.shape)).astype(np.int8)
    made = MadeUpValues(model, 0)(tensor, own)
    assert made is not None
    assert (made.shape, made.dtype) == (own.shape, own.dtype)
    for before, after in zip(own[::3], made[::3], strict=True):
        assert (before != after).any()
        np.testing.assert_array_equal(np.sort(before, axis=None), np.sort(after, axis=None))
    assert made[1::3].max() > 120
    assert np.unique(made[2]).size == 256


def test_the_numbers_of_a_tensor_with_few_elements_are_all_had_over_many_sets() -> None:
    writer = GraphWriter()
    x, a, y = (writer.tensor(name, [1, 3], "int8", 0.1) for name in "xay")
    writer.operator("RELU", [x], [a])
    writer.operator("SOFTMAX", [a], [y], schema.SoftmaxOptionsT())
    model = tflite.load(writer.finish({"x": x}, {"y": y}), source="written")
    values, below = MadeUpValues(model, 0), set[int]()
    for _ in range(2):
        made = values(model.tensors[a], np.full((66, 1, 3), -3, np.int8))
        assert made is not None
        rows = made[1:].reshape(-1, 3)
        assert (rows.max(axis=1) == 127).all()
        below |= {int(number) for number in rows.ravel()}
    assert below == set(range(-128, 128))


def test_numbers_below_the_zero_point_are_only_made_where_a_tensor_has_some() -> None:
    model = network()
    tensor = next(tensor for tensor in model.tensors if tensor.name == "x")
    made = MadeUpValues(model, 0)(tensor, np.full((8, *tensor.shape), 7, np.int8))
    assert made is not None
    assert made.min() == 0
    made = MadeUpValues(model, 0)(tensor, np.full((8, *tensor.shape), -7, np.int8))
    assert made is not None
    assert made.min() == -128


def test_outputs_and_what_is_no_quantized_number_stay() -> None:
    writer = GraphWriter()
    x = writer.tensor("x", [1, 4], "int32")
    y = writer.tensor("y", [1, 4], "int8", 0.1)
    writer.operator("CAST", [x], [y])
    model = tflite.load(writer.finish({"x": x}, {"y": y}), source="written")
    values = MadeUpValues(model, 0)
    given = {"x": np.arange(12, dtype=np.int32).reshape(3, 1, 4)}
    np.testing.assert_array_equal(values.inputs(given, 3)["x"], given["x"])
    assert values(model.tensors[y], np.zeros((2, 1, 4), np.int8)) is None


def test_what_takes_a_tensors_place_is_what_the_next_operator_starts_from(build: BuildFolder) -> None:
    models = read_models(build)
    inference = NpuInference(models.compiled, npu_named("U55-64"))
    given = {"x": np.stack([sample["x"] for sample in samples(2)])}
    inner = next(tensor.index for tensor in models.source.tensors if tensor.name == "a")
    plain = LayerCapture(models.source, build.debug)
    before = inference.run_batch(given, plain)["y"]
    other = LayerCapture(
        models.source, build.debug, lambda tensor, values: values[::-1].copy() if tensor.index == inner else None
    )
    after = inference.run_batch(given, other)["y"]
    np.testing.assert_array_equal(other.replaced[inner], plain.tensors[inner][::-1])
    np.testing.assert_array_equal(other.tensors[inner], plain.tensors[inner])
    np.testing.assert_array_equal(after, before[::-1])


def test_what_variables_hold_is_made_up_where_it_is_read() -> None:
    model = tflite.load(stateful_networks.stream())
    values, initial = MadeUpValues(model, 1), initial_resources(model)
    made = values.variables(initial, 6)
    assert list(made) == ["state"] and made["state"].shape == (6, 12) and made["state"].dtype == np.uint8
    assert (made["state"][::3] == initial["state"]).all()  # its own numbers in another order
    assert all(len(np.unique(row)) > 1 for row in made["state"][2::3])
    assert values.variables({}, 6) == {}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_sets_are_made_up_as_well_as_many(count: int) -> None:
    model = network()
    made = MadeUpValues(model, seed=1)(model.tensors[1 + 1], np.ones((count, 1, 8, 8, CHANNELS), np.int8))
    assert made is not None
    assert made.shape == (count, 1, 8, 8, CHANNELS)
