"""The first step that a target computes wrong is found, exactly, in few runs; whatever was planted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from wrong_target import Fault, WrongTarget

from deploy.build_folder import BuildFolder
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.samples import Sample
from deploy.npu.execution.destinations import destinations
from deploy.npu.execution.feature_maps import views
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.dma import Transfer
from deploy.npu.stream.operations import BlockOperation, Operation
from deploy.targets.locating import INPUTS, FaultyStep, first_difference
from deploy.tflite.compiled import arena_offsets
from deploy.verifying.steps import InferenceSteps, Step

MULTIPLIER = 8
"""The byte of a scale record that weighs most."""


@pytest.fixture(scope="module", params=["one_operator", "several_operators", "dedicated_memory", "inside_results"])
def build(request: pytest.FixtureRequest) -> BuildFolder:
    found: BuildFolder = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def sample(build: BuildFolder) -> Sample:
    return random_inputs(build.compiled_model, 1).samples[0]


@pytest.fixture(scope="module")
def steps(build: BuildFolder, sample: Sample) -> InferenceSteps:
    return InferenceSteps(build.compiled_model, npu_named(build.document.npu), sample)


def flip(operation: Operation | None, memory: Memory | np.ndarray) -> None:
    """Change one element, or byte, of what an operation wrote."""
    assert isinstance(memory, Memory)
    if isinstance(operation, Transfer) and operation.writes[0].region is not None:
        place = int(destinations(operation, memory)[MULTIPLIER])
        memory.bytes(operation.writes[0].region, place, 1, write=True)[...] ^= 1
    elif isinstance(operation, BlockOperation):
        view = views(memory, operation.ofm)[0].view(np.uint8)
        view[(0, *(size // 2 for size in view.shape[1:]))] ^= 0x40


def at(step: Step) -> Fault:
    """A fault of one step."""

    def fault(operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if operation is not None and (operator, operation.index) == (step.operator, step.operation.index):
            flip(operation, memory)

    return fault


@pytest.mark.parametrize("whole", [True, False])
def test_the_step_that_is_found_is_the_one_that_is_wrong(
    build: BuildFolder, steps: InferenceSteps, sample: Sample, whole: bool
) -> None:
    most = 2 * math.ceil(math.log2(len(steps.steps))) + 3
    for number, step in enumerate(steps.steps, 1):
        if step.operation is None:
            continue
        target = WrongTarget(build, sample, at(step), whole=whole)
        found = first_difference(steps, target)
        assert found is not None and found.number == number, step
        assert found.writers == {number}
        assert target.runs <= most


def found_in(build: BuildFolder, fault: Fault, *, whole: bool = True) -> tuple[FaultyStep | None, InferenceSteps]:
    sample = random_inputs(build.compiled_model, 1).samples[0]
    steps = InferenceSteps(build.compiled_model, npu_named(build.document.npu), sample)
    return first_difference(steps, WrongTarget(build, sample, fault, whole=whole)), steps


def test_several_operators_for_the_npu_and_on_the_cpu_are_one_row_of_steps(several_operators: BuildFolder) -> None:
    _, steps = found_in(several_operators, lambda *_: None)
    on_cpu = [step.operator for step in steps.steps if step.operation is None]
    assert on_cpu == [1, 3]
    assert [step.operator for step in steps.steps] == sorted(step.operator for step in steps.steps)
    assert {step.operator for step in steps.steps} == {0, 1, 2, 3, 4}
    assert len(steps.steps) >= 10


@pytest.mark.parametrize("whole", [True, False])
def test_a_target_that_is_right_has_no_such_step(several_operators: BuildFolder, whole: bool) -> None:
    found, _ = found_in(several_operators, lambda *_: None, whole=whole)
    assert found is None


@pytest.mark.parametrize("operator", [1, 3])
def test_an_operator_on_the_cpu_is_a_step_as_well(several_operators: BuildFolder, operator: int) -> None:
    model = several_operators.compiled_model
    start = arena_offsets(model)[model.operators[operator].outputs[0]]

    def fault(index: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if operation is None and index == operator:
            assert isinstance(memory, np.ndarray)
            memory[0, start + 3] ^= 0x40

    found, steps = found_in(several_operators, fault)
    assert found is not None
    assert steps.steps[found.number - 1] == Step(operator, None)


def test_another_input_in_the_targets_memory_is_no_operation(one_operator: BuildFolder) -> None:
    sample = random_inputs(one_operator.compiled_model, 1).samples[0]
    steps = InferenceSteps(one_operator.compiled_model, npu_named("U55-128"), sample)
    other = {name: array ^ np.int8(1) for name, array in sample.items()}
    for whole in (True, False):
        found = first_difference(steps, WrongTarget(one_operator, other, lambda *_: None, whole=whole))
        assert found is not None and found.number == INPUTS


@pytest.mark.parametrize("whole", [True, False])
def test_of_several_wrong_steps_the_first_is_found(
    build: BuildFolder, steps: InferenceSteps, sample: Sample, whole: bool
) -> None:
    blocks = [n for n, step in enumerate(steps.steps, 1) if isinstance(step.operation, BlockOperation)]
    for first, second in ((blocks[1], blocks[2]), (blocks[0], blocks[-1]), (blocks[2], blocks[-2])):
        faults = at(steps.steps[first - 1]), at(steps.steps[second - 1])

        def fault(operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
            for each in faults:  # noqa: B023 - called before the next round
                each(operator, operation, memory)

        found = first_difference(steps, WrongTarget(build, sample, fault, whole=whole))
        assert found is not None and found.number == first


@pytest.mark.parametrize("whole", [True, False])
def test_an_operation_that_writes_where_it_should_not_is_found_by_what_it_destroyed(
    one_operator: BuildFolder, whole: bool
) -> None:
    sample = random_inputs(one_operator.compiled_model, 1).samples[0]
    steps = InferenceSteps(one_operator.compiled_model, npu_named("U55-128"), sample)
    # The first result is needed until the end, so its bytes still mean something after the fifth step.
    writers = steps.after(5).writers[1]
    victim = int((writers == 1).nonzero()[0][7])

    def fault(operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if operation == steps.steps[4].operation:
            assert isinstance(memory, Memory)
            memory.bytes(1, victim, 1, write=True)[...] ^= 0x40

    found = first_difference(steps, WrongTarget(one_operator, sample, fault, whole=whole))
    assert found is not None and found.number == 5
    assert found.writers == {1}
    assert found.wrong[1].nonzero()[0].tolist() == [victim]


def test_where_reading_takes_time_less_is_read(one_operator: BuildFolder) -> None:
    sample = random_inputs(one_operator.compiled_model, 1).samples[0]
    steps = InferenceSteps(one_operator.compiled_model, npu_named("U55-128"), sample)
    read = {}
    for whole in (True, False):
        target = WrongTarget(one_operator, sample, at(steps.steps[3]), whole=whole)
        assert first_difference(steps, target) is not None
        read[whole] = target.bytes_read / target.runs
    assert read[False] < read[True]
