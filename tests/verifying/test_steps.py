"""What each step of an inference leaves in memory, and who wrote it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import stateful_networks

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.npu.regions import ARENA, FAST
from deploy.npu.stream.operations import BlockOperation
from deploy.tflite.compiled import ARENA_METADATA, arena_offsets, npu_operators
from deploy.tflite.state import initial_variable, variable_tensors
from deploy.verifying.host_session import HostSession
from deploy.verifying.steps import NOBODY, InferenceSteps


def steps_of(build: BuildFolder) -> InferenceSteps:
    sample = random_inputs(build.compiled_model, 1).samples[0]
    return InferenceSteps(build.compiled_model, npu_named(build.document.npu), sample)


def test_before_the_first_step_memory_holds_the_input(one_operator: BuildFolder) -> None:
    model = one_operator.compiled_model
    sample = random_inputs(model, 1).samples[0]
    contents = steps_of(one_operator).after(0)
    start = arena_offsets(model)[model.inputs[0]]
    held = contents.values[ARENA][start : start + model.input_tensors[0].nbytes]
    assert held.tobytes() == sample["image"].tobytes()
    assert set(contents.writers[ARENA][start : start + held.size]) == {0}
    assert set(contents.writers[ARENA][start + held.size :]) == {NOBODY}


def test_before_the_first_step_memory_holds_the_initial_state_too() -> None:
    npu = npu_named("U55-128")
    model = VELA.compile(tflite.load(stateful_networks.lstm()), compile_options(npu)).model
    steps = InferenceSteps(model, npu, random_inputs(model, 1).samples[0])
    contents, offsets = steps.after(0), arena_offsets(model)
    for tensor in variable_tensors(model):
        place = slice(offsets[tensor.index], offsets[tensor.index] + tensor.nbytes)
        assert contents.values[ARENA][place].tobytes() == initial_variable(tensor).tobytes()
        assert set(contents.writers[ARENA][place]) == {0}


@pytest.mark.parametrize("name", ["one_operator", "several_operators", "dedicated_memory", "inside_results"])
def test_every_step_is_noted_in_the_bytes_that_it_wrote(request: pytest.FixtureRequest, name: str) -> None:
    steps = steps_of(request.getfixturevalue(name))
    for number, step in enumerate(steps.steps, 1):
        contents = steps.after(number)
        own = sum(int((writers == number).sum()) for writers in contents.writers.values())
        if step.operation is not None:
            writes = [access for operation in step.operations for access in operation.writes]
            assert own == sum(access.size for access in writes if access.region is not None)
        assert max(int(writers.max()) for writers in contents.writers.values()) <= number
        before = steps.after(number - 1)
        for region, writers in contents.writers.items():
            if region in before.values:
                same = before.values[region] == contents.values[region]
                assert same[(writers != number) & (writers != NOBODY)].all(), "it changed what it did not write"


def test_results_that_stay_inside_the_npu_are_part_of_the_step_that_stores_what_comes_of_them(
    inside_results: BuildFolder,
) -> None:
    steps = steps_of(inside_results).steps
    operations = [operation for step in steps for operation in step.operations]
    assert [operation.index for operation in operations] == list(range(len(operations)))
    assert any(step.inside for step in steps)
    for step in steps:
        assert all(isinstance(operation, BlockOperation) and not operation.stores for operation in step.inside)
        assert not isinstance(step.operation, BlockOperation) or step.operation.stores


def test_the_last_step_leaves_the_outputs(several_operators: BuildFolder) -> None:
    model = several_operators.compiled_model
    samples = random_inputs(model, 1).samples
    answer = next(iter(HostSession(model, npu_named("U55-128")).answers(samples)))
    last = steps_of(several_operators).last
    start = arena_offsets(model)[model.outputs[0]]
    expected = answer.outputs["scores"]
    assert last.values[ARENA][start : start + expected.nbytes].tobytes() == expected.tobytes()
    assert (last.writers[ARENA][start : start + expected.nbytes] > 0).all()


def test_with_the_next_operator_only_what_is_still_needed_means_something(several_operators: BuildFolder) -> None:
    model = several_operators.compiled_model
    steps = steps_of(several_operators)
    first_on_cpu = next(number for number, step in enumerate(steps.steps, 1) if step.operation is None)
    known = np.flatnonzero(steps.after(first_on_cpu).writers[ARENA] != NOBODY)
    offsets = arena_offsets(model)
    # What the CPU reads, what it computes, and the early result that the end takes up again.
    needed = {*model.operators[1].inputs, *model.operators[1].outputs, *model.operators[0].outputs}
    places = {at for index in needed for at in range(offsets[index], offsets[index] + model.tensors[index].nbytes)}
    assert set(known.tolist()) == places


def test_memory_of_the_npus_own_is_there_where_the_build_has_it(
    one_operator: BuildFolder, dedicated_memory: BuildFolder
) -> None:
    assert set(steps_of(one_operator).last.values) == {ARENA}
    assert set(steps_of(dedicated_memory).last.values) == {ARENA, FAST}


def test_an_npu_that_sees_a_part_of_the_arena_is_refused(one_operator: BuildFolder) -> None:
    model = one_operator.compiled_model
    scratch = npu_operators(model)[0].scratch.index
    offsets = np.frombuffer(model.metadata[ARENA_METADATA], "<i4").copy()
    offsets[3 + scratch] = 16
    moved = dataclasses.replace(model, metadata={**model.metadata, ARENA_METADATA: offsets.tobytes()})
    with pytest.raises(BadInputError, match="a part of the arena"):
        InferenceSteps(moved, npu_named("U55-128"), random_inputs(model, 1).samples[0])
