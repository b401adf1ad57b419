"""What is said of a step that differs: its operator, where it lies, both values; or why nothing is known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from gated_network import gated
from npu.u85_networks import u85_networks
from tflite_writer import GraphWriter
from wrong_target import Fault, WrongTarget

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import TargetError
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.located import Located
from deploy.judging.oracles import MakeOracle
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.npu.execution.destinations import destinations
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.operations import BlockOperation, Operation
from deploy.npu.stream.u85_operations import RowsDmaOperation
from deploy.targets.locating_report import locate
from deploy.targets.stoppable import Stoppable
from deploy.tflite.compiled import arena_offsets
from deploy.verifying import firmware_kernels
from deploy.verifying.host_session import HostSession


def right(*_step: object) -> None:
    """No fault."""


class FakeSession:
    """Gives the target that a test has made."""

    def __init__(self, target: Callable[[Sample], Stoppable]) -> None:
        self.stoppable = target

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *_error: object) -> None:
        return None


def located(
    build: BuildFolder, fault: Fault, *, whole: bool = True, count: int = 3, differing: int = 1
) -> Located | None:
    """What is said where one of several answers differs."""
    samples = random_inputs(build.compiled_model, count).samples
    npu = npu_named(build.document.npu)
    answers = [dict(answer.outputs) for answer in HostSession(build.compiled_model, npu).answers(samples)]
    if differing < count:
        name, array = next(iter(answers[differing].items()))
        answers[differing][name] = array ^ np.int8(1)
    session = FakeSession(lambda sample: WrongTarget(build, sample, fault, whole=whole))
    return locate(session, build, samples, answers)  # type: ignore[arg-type]


def test_answers_that_equal_the_models_are_not_looked_into(one_operator: BuildFolder) -> None:
    def boots(*_step: object) -> None:
        pytest.fail("the target was run")

    assert located(one_operator, boots, differing=3) is None


def test_the_input_is_named_whose_answer_differs(one_operator: BuildFolder) -> None:
    found = located(one_operator, right, differing=2)
    assert found is not None and (found.kind, found.input) == ("nothing", 2)
    assert found.reason.startswith("after every operation the target's memory holds what the NPU model has there")
    assert found.runs == 1


def test_an_operation_is_named_by_its_operator_its_place_and_both_values(several_operators: BuildFolder) -> None:
    def fault(operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if operator == 2 and isinstance(operation, BlockOperation) and operation.command == "NPU_OP_ELEMENTWISE":
            assert isinstance(memory, Memory)
            address = operation.ofm.address(3, 2, 5)
            memory.bytes(operation.ofm.region, address, 1, write=True)[...] ^= 0x80

    found = located(several_operators, fault)
    assert found is not None
    assert (found.kind, found.compiled_operator, found.command) == ("operation", 2, "NPU_OP_ELEMENTWISE")
    assert (found.operator_type, found.operator_name) == ("ADD", "fifth")
    assert (found.position, found.differing, found.elements) == ((3, 2, 5), 1, 288)
    assert (int(found.target or 0) ^ int(found.model or 0)) & 0xFF == 0x80
    assert found.target_address == 0x3100_0000 + (found.address or 0)
    assert "for ADD fifth, is the first that differs from the NPU model: element [3, 2, 5] at region 1 + " in (
        found.reason
    )


def test_an_operator_on_the_cpu_is_named_and_the_npu_cleared(several_operators: BuildFolder) -> None:
    model = several_operators.compiled_model
    start = arena_offsets(model)[model.operators[1].outputs[0]]

    def fault(operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if operation is None and operator == 1:
            assert isinstance(memory, np.ndarray)
            memory[0, start + 20] ^= 0x40

    found = located(several_operators, fault)
    assert found is not None
    assert (found.kind, found.compiled_operator, found.position) == ("cpu operator", 1, (20,))
    assert (found.operator_type, found.operator_name) == ("LOG_SOFTMAX", "first_softmax")
    assert (
        "the NPU is right up to operator 1 of the compiled model (LOG_SOFTMAX), which runs on the CPU"
        in found.reason
    )


def test_an_operator_on_the_cpu_that_rounds_as_tflm_does_is_no_difference(
    several_operators: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels as the firmware has them: here LiteRT's, made to differ in one element."""

    class OtherKernels(ReferenceKernels):
        def run(self, inputs: Mapping[str, np.ndarray], *, keep_state: bool = False) -> dict[str, np.ndarray]:
            outputs = {name: array.copy() for name, array in super().run(inputs, keep_state=keep_state).items()}
            for array in outputs.values():
                array.reshape(-1)[0] ^= 0x40
            return outputs

    def installed() -> bool:
        return True

    monkeypatch.setattr(firmware_kernels, "TflmKernels", OtherKernels)
    monkeypatch.setattr(firmware_kernels, "tflm_installed", installed)
    npu = npu_named("U55-128")
    model = several_operators.compiled_model
    samples = random_inputs(model, 1).samples

    def answered(kernels: MakeOracle) -> list[Sample]:
        return [dict(answer.outputs) for answer in HostSession(model, npu, kernels=kernels).answers(samples)]

    session = FakeSession(lambda sample: WrongTarget(several_operators, sample, right, whole=True))
    for kernels in (OtherKernels, ReferenceKernels):
        assert locate(session, several_operators, samples, answered(kernels)) is None  # type: ignore[arg-type]
    # This target rounds as LiteRT does, and its NPU is wrong behind an operator that TFLM computes otherwise.
    wrong = FakeSession(lambda sample: WrongTarget(several_operators, sample, late, whole=True))
    found = locate(wrong, several_operators, samples, [{"scores": np.zeros((1, 6, 6, 8), np.int8)}])  # type: ignore[arg-type]
    assert found is not None and (found.kind, found.compiled_operator) == ("operation", 2)


def late(operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
    """A fault behind the first operator on the CPU."""
    if operator == 2 and isinstance(operation, BlockOperation) and operation.command == "NPU_OP_ELEMENTWISE":
        assert isinstance(memory, Memory)
        memory.bytes(operation.ofm.region, operation.ofm.address(3, 2, 5), 1, write=True)[...] ^= 0x80


def test_another_input_in_the_targets_memory_is_named(one_operator: BuildFolder) -> None:
    samples = random_inputs(one_operator.compiled_model, 1).samples
    other = {name: array ^ np.int8(1) for name, array in samples[0].items()}
    answers = [{"scores": np.zeros((1, 6, 6, 8), np.int8)}]
    session = FakeSession(lambda _sample: WrongTarget(one_operator, other, right, whole=True))
    found = locate(session, one_operator, samples, answers)  # type: ignore[arg-type]
    assert found is not None and (found.kind, found.differing) == ("input", 288)
    assert found.reason.startswith(
        "before the first operation the target's memory holds another input: the byte at "
    )


def test_a_transfer_is_named_by_the_operator_that_it_serves(dedicated_memory: BuildFolder) -> None:
    seen: list[DmaOperation] = []

    def fault(_operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if isinstance(operation, DmaOperation) and operation.destination_region == 2:
            assert isinstance(memory, Memory)
            seen.append(operation)
            if operation.index == seen[0].index:
                memory.bytes(2, operation.destination + 8, 1, write=True)[...] ^= 1

    found = located(dedicated_memory, fault)
    assert found is not None
    assert (found.kind, found.command, found.operation) == ("operation", "NPU_OP_DMA_START", seen[0].index)
    assert (found.region, found.position, found.operator_type) == (2, (8,), "CONV_2D")
    assert found.target_address is None  # of this memory nobody knows where it is


def of_u85(content: bytes) -> BuildFolder:
    """A network compiled for U85-256, in the current folder."""
    Path("m.tflite").write_bytes(content)
    words = ["--npu", "U85-256", "-o", "b", "--verify", "none", "--advice", "none", "-q"]
    assert run(["compile", "m.tflite", *words]) == 0
    return BuildFolder.open(Path("b"))


def test_what_stayed_inside_the_npu_for_an_operation_is_named_with_its_tables(in_folder: Path) -> None:
    """Two transfers of tables, a table and a product that stay inside, and a sum whose table comes first."""

    def fault(_operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if isinstance(operation, BlockOperation) and operation.stores:
            assert isinstance(memory, Memory)
            memory.bytes(operation.ofm.region, operation.ofm.address(3, 2, 5), 1, write=True)[...] ^= 0x40

    found = located(of_u85(gated()), fault)
    assert found is not None
    assert (found.kind, found.operation, found.operations, found.position) == ("operation", 4, 5, (3, 2, 5))
    assert (found.operator_type, found.operator_name, found.unseen) == ("TANH", "y", (0, 1, 2, 3))
    assert found.reason.endswith(
        "1 of 576 elements differ; results of operations before it stayed inside the NPU: 2, 3; its table was "
        "filled by operation 0 and 1, in memory that cannot be looked at"
    )


def test_a_row_that_was_scattered_is_found_where_its_index_says(in_folder: Path) -> None:
    def fault(_operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if isinstance(operation, RowsDmaOperation) and operation.destination.indexed:
            assert isinstance(memory, Memory)
            place = int(destinations(operation, memory)[37])
            memory.bytes(operation.destination.region, place, 1, write=True)[...] ^= 0x40

    scatter = next(network for network in u85_networks() if network.name == "scatter")
    found = located(of_u85(scatter.convert()), fault)
    assert found is not None
    assert (found.command, found.position, found.differing, found.elements) == ("NPU_OP_DMA_START", (37,), 1, 96)
    assert found.unseen == ()


def test_a_target_that_fails_leaves_a_sentence(one_operator: BuildFolder) -> None:
    def fault(*_step: object) -> None:
        raise TargetError("the simulator was killed by signal 9")

    found = located(one_operator, fault)
    assert found is not None and found.kind == "nothing"
    assert found.reason == "the difference could not be located: the simulator was killed by signal 9"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """A network whose operators look results up in tables."""
    folder: Path = tmp_path_factory.mktemp("table")
    graph = GraphWriter("table")
    image = graph.tensor("in", (1, 4, 4, 8), "int8", 0.05, 0)
    first = graph.tensor("logistic", (1, 4, 4, 8), "int8", 1 / 256, -128)
    second = graph.tensor("tanh", (1, 4, 4, 8), "int8", 1 / 128, 0)
    graph.operator("LOGISTIC", [image], [first])
    graph.operator("TANH", [first], [second])
    (folder / "table.tflite").write_bytes(graph.finish({"image": image}, {"scores": second}))
    with contextlib.chdir(folder):
        assert run(["compile", "table.tflite", "--npu", "U55-128", "-o", "b", "--advice", "none", "-q"]) == 0
    return BuildFolder.open(folder / "b")


def test_a_table_that_nobody_can_look_at_is_named(table: BuildFolder) -> None:
    transfers: list[int] = []

    def fault(_operator: int, operation: Operation | None, memory: Memory | np.ndarray) -> None:
        if isinstance(operation, DmaOperation):
            transfers.append(operation.index)
        if isinstance(operation, BlockOperation):
            assert isinstance(memory, Memory)
            memory.bytes(1, operation.ofm.address(0, 0, 0), 1, write=True)[...] ^= 0x40

    found = located(table, fault)
    assert found is not None and found.operation is not None
    assert found.unseen == (found.operation - 1,)
    assert transfers[0] == found.operation - 1
    assert (
        f"its table was filled by operation {found.operation - 1}, in memory that cannot be looked at"
        in found.reason
    )
