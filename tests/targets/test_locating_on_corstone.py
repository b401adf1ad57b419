"""A wrong operation is found on the machine itself: with Arm's runner, with `npu` firmware, through the verbs."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import pytest
from answers import answered

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.firmware_project.firmware_build import npu_firmware
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.located import Located
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.operations import BlockOperation
from deploy.simulators.fvp_locate import Simulator, find
from deploy.targets import session as sessions
from deploy.targets.locating_report import locate
from deploy.targets.running_simulator import RunningSimulator
from deploy.targets.session import Session, TargetOptions
from deploy.verifying.steps import InferenceSteps, Step

pytestmark = [pytest.mark.early, pytest.mark.system]

WRONG_NPU = Path(__file__).with_name("wrong_npu.py")
ELEMENT = 13


@pytest.fixture
def toolchain() -> None:
    """Skips where the cross compiler is not installed."""
    for program in ("cmake", "arm-none-eabi-gcc"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def steps_of(build: BuildFolder) -> tuple[Step, ...]:
    sample = random_inputs(build.compiled_model, 1).samples[0]
    return InferenceSteps(build.compiled_model, npu_named(build.document.npu), sample).steps


def located(
    monkeypatch: pytest.MonkeyPatch,
    build: BuildFolder,
    firmware: str,
    stream: str,
    place: str,
    element: int = ELEMENT,
) -> Located | None:
    """What is found on a machine whose NPU has a fault."""
    machine = find(npu_named(build.document.npu), "open")
    options = machine.command[machine.command.index("deploy.corstone") + 1 :]
    words = (sys.executable, str(WRONG_NPU), f"{stream}:{place}:{element}", *options)

    def faulty(*_choice: object) -> Simulator:
        return dataclasses.replace(machine, command=words)

    monkeypatch.setattr(sessions, "find", faulty)
    samples = random_inputs(build.compiled_model, 1).samples
    with Session(build, TargetOptions(firmware=firmware)) as session:
        answers = [answer.outputs for answer in session.answers(samples)]
    return locate(session, build, samples, answers)


def check(found: Located | None, build: BuildFolder, step: Step) -> None:
    assert found is not None
    assert (found.kind, found.compiled_operator) == ("operation", step.operator), found.reason
    assert step.operation is not None
    assert (found.operation, found.offset, found.command) == (
        step.operation.index,
        step.operation.offset,
        step.operation.command,
    )
    assert found.differing == 1
    assert isinstance(found.target, int) and isinstance(found.model, int)
    assert abs(found.target ^ found.model) in (1, 0x40)
    assert found.address is not None and found.operator is not None
    source = build.source_model.operators[found.operator]
    assert found.operator_type == source.code
    assert found.operator_name == build.source_model.tensors[source.outputs[0]].name


@pytest.mark.parametrize("number", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_the_runner_is_stopped_and_its_memory_looked_at(
    monkeypatch: pytest.MonkeyPatch, one_operator: BuildFolder, number: int
) -> None:
    step = steps_of(one_operator)[number]
    assert isinstance(step.operation, BlockOperation)
    found = located(monkeypatch, one_operator, "runner", "0", str(step.operation.offset))
    check(found, one_operator, step)
    assert found is not None
    y, x, c = found.position
    assert (y * step.operation.ofm.width + x) * step.operation.ofm.depth + c == ELEMENT
    assert found.target_address == 0x3100_0000 + found.address
    assert found.operator_name in found.reason


@pytest.mark.parametrize(("stream", "which"), [(1, 1), pytest.param(2, 0, marks=pytest.mark.slow)])
def test_between_operators_on_the_cpu_the_runner_is_stopped_as_well(
    monkeypatch: pytest.MonkeyPatch, several_operators: BuildFolder, stream: int, which: int
) -> None:
    step = [step for step in steps_of(several_operators) if step.operator == 2 * stream][which]
    assert step.operation is not None
    found = located(monkeypatch, several_operators, "runner", str(stream), str(step.operation.offset))
    check(found, several_operators, step)


def transfers(build: BuildFolder) -> list[Step]:
    """Transfers into memory that can be looked at."""
    return [
        step
        for step in steps_of(build)
        if isinstance(step.operation, DmaOperation) and step.operation.destination_region is not None
    ]


def test_a_transfer_that_goes_wrong_is_found_in_the_npus_own_memory(
    monkeypatch: pytest.MonkeyPatch, dedicated_memory: BuildFolder
) -> None:
    step = transfers(dedicated_memory)[1]
    assert step.operation is not None
    found = located(monkeypatch, dedicated_memory, "runner", "0", str(step.operation.offset), element=8)
    check(found, dedicated_memory, step)
    assert found is not None and (found.region, found.position) == (2, (8,))
    assert found.target_address == 0x3100_0000 + (found.address or 0)


@pytest.mark.slow
def test_where_all_transfers_go_wrong_the_arena_is_found_all_the_same(
    monkeypatch: pytest.MonkeyPatch, dedicated_memory: BuildFolder
) -> None:
    found = located(monkeypatch, dedicated_memory, "runner", "0", "all", element=8)
    check(found, dedicated_memory, transfers(dedicated_memory)[0])


@pytest.mark.usefixtures("toolchain")
@pytest.mark.parametrize("number", [3, pytest.param(0, marks=pytest.mark.slow)])
def test_firmware_is_stopped_and_read_over_the_protocol(
    monkeypatch: pytest.MonkeyPatch, one_operator: BuildFolder, number: int
) -> None:
    step = steps_of(one_operator)[number]
    assert step.operation is not None
    check(
        located(monkeypatch, one_operator, "npu", "*", str(step.operation.offset)),
        one_operator,
        step,
    )


@pytest.mark.slow
@pytest.mark.usefixtures("toolchain")
@pytest.mark.parametrize("firmware", ["runner", "npu"])
@pytest.mark.parametrize("number", [2, 3])
def test_on_corstone_320_an_operation_is_found_and_what_stayed_inside_the_npu_for_it(
    monkeypatch: pytest.MonkeyPatch, inside_results: BuildFolder, firmware: str, number: int
) -> None:
    """A sum whose first operand never lies in memory, and a transfer."""
    step = steps_of(inside_results)[number]
    assert step.operation is not None and bool(step.inside) == (number == 2)
    stream = "0" if firmware == "runner" else "*"
    found = located(monkeypatch, inside_results, firmware, stream, str(step.operation.offset))
    check(found, inside_results, step)
    assert found is not None
    assert found.unseen == tuple(operation.index for operation in step.inside)


@pytest.mark.slow
@pytest.mark.usefixtures("toolchain")
def test_firmware_shows_the_npus_own_memory_as_well(
    monkeypatch: pytest.MonkeyPatch, dedicated_memory: BuildFolder
) -> None:
    step = transfers(dedicated_memory)[1]
    assert step.operation is not None
    found = located(monkeypatch, dedicated_memory, "npu", "*", str(step.operation.offset), element=8)
    check(found, dedicated_memory, step)
    assert found is not None and found.region == 2


def wrong_simulator(folder: Path, fault: str) -> str:
    path = folder / "FVP_Corstone_SSE-300_Ethos-U55"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {sys.executable} -P -m deploy.corstone --version\n'
        f'exec {sys.executable} {WRONG_NPU} {fault} --npu-family U55 "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


def test_run_fvp_says_it_in_words_and_in_the_document(
    one_operator: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = steps_of(one_operator)[4]
    assert step.operation is not None
    path = wrong_simulator(tmp_path, f"0:{step.operation.offset}:{ELEMENT}")
    document = tmp_path / "verdict.json"
    words = ["run-fvp", str(one_operator.path), "--fvp", path, "--count", "1", "--locate", "--json", str(document)]
    assert run(words) == 1
    said = json.loads(document.read_text())["located"]
    assert (said["kind"], said["operation"]) == ("operation", step.operation.index)
    shown = capsys.readouterr().out
    assert f"located, in {said['runs']} runs: operation {step.operation.index} of " in shown
    assert "--locate finds" not in shown
    assert run(words[:-3]) == 1
    assert "--locate finds the first operation that does" in capsys.readouterr().out


@pytest.mark.usefixtures("toolchain")
def test_run_board_finds_it_over_a_serial_port(one_operator: BuildFolder, tmp_path: Path) -> None:
    step = steps_of(one_operator)[2]
    assert step.operation is not None
    npu = npu_named("U55-128")
    command = (wrong_simulator(tmp_path, f"'*:{step.operation.offset}:{ELEMENT}'"),)
    board = dataclasses.replace(find(npu, "open"), command=command)
    document = tmp_path / "verdict.json"
    with RunningSimulator(board, npu_firmware(one_operator), npu.macs, False, 120) as machine:
        port = f"socket://127.0.0.1:{machine.terminal_port()}"
        run(["run-board", str(one_operator.path), "--port", port, "--locate", "--json", str(document), "-q"])
    said = answered(document.read_text())["located"]
    assert (said["kind"], said["operation"]) == ("operation", step.operation.index)


def test_nothing_is_run_again_where_the_target_is_right(one_operator: BuildFolder, tmp_path: Path) -> None:
    document = tmp_path / "verdict.json"
    words = ["run-fvp", str(one_operator.path), "--fvp", "open", "--locate", "--json", str(document), "-q"]
    assert run(words) == 0
    assert json.loads(document.read_text())["located"] is None
