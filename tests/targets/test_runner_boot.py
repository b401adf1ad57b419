"""Arm's runner answers many inputs after one boot of the open machine, as it does after a boot for each."""

from __future__ import annotations

import dataclasses
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from started import qemus

from deploy.build_folder import BuildFolder
from deploy.corstone.applications import Range
from deploy.corstone.resident import ResidentMachine
from deploy.errors import TargetError
from deploy.hardware.npus import npu_named
from deploy.judging.answer import Answer
from deploy.judging.inputs import random_inputs
from deploy.judging.samples import Sample
from deploy.processes.python import module_command
from deploy.simulators.fvp_locate import Simulator, find
from deploy.targets import runner_firmware
from deploy.targets.expectations import Expectations
from deploy.targets.runner_boot import runner_boots
from deploy.targets.runner_process import SimulatorRunner
from deploy.targets.runner_resident import ResidentRunner
from deploy.targets.runner_run import RunnerSettings
from deploy.targets.runner_target import RunnerTarget

pytestmark = pytest.mark.system
NPU = npu_named("U55-128")


@pytest.fixture(scope="module")
def build(built: Path) -> BuildFolder:
    return BuildFolder.open(built)


@pytest.fixture(scope="module")
def samples(build: BuildFolder) -> tuple[Sample, ...]:
    return random_inputs(build.compiled_model, 6).samples


def as_a_program(simulator: Simulator) -> Simulator:
    """The same machine by its command line, as any simulator is run."""
    board, family = simulator.fvp.board.id, simulator.fvp.npu_family
    command = module_command("deploy.corstone", "--npu-family", family, "--board", board)
    return dataclasses.replace(simulator, command=("/usr/bin/env", *command))


def settings(simulator: Simulator, timeout_s: float = 60) -> RunnerSettings:
    return RunnerSettings(simulator, runner_firmware.runner_path(NPU, simulator.fvp), NPU.macs, False, timeout_s)


def target_of(build: BuildFolder, simulator: Simulator) -> RunnerTarget:
    expected = Expectations.of(build.compiled_model)
    return RunnerTarget(
        simulator,
        runner_firmware.runner_path(NPU, simulator.fvp),
        build.compiled,
        macs=NPU.macs,
        inputs=expected.inputs,
        outputs=expected.outputs,
        npu_expected=True,
        timeout_s=60,
    )


def answers(build: BuildFolder, simulator: Simulator, samples: tuple[Sample, ...], jobs: int) -> list[Answer]:
    target = target_of(build, simulator)
    try:
        return list(target.answers(samples, jobs))
    finally:
        target.close()


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[ResidentMachine]:
    """The machines that were started."""
    started: list[ResidentMachine] = []
    start = ResidentMachine._start

    def noticed(self: ResidentMachine) -> object:
        started.append(self)
        return start(self)

    monkeypatch.setattr(ResidentMachine, "_start", noticed)
    return started


def test_answers_and_counters_after_a_reset_are_those_after_a_boot(
    build: BuildFolder, samples: tuple[Sample, ...], starts: list[ResidentMachine]
) -> None:
    own = find(NPU, "open")
    by_reset = answers(build, own, samples, 1)
    assert len(starts) == 1
    by_boot = answers(build, as_a_program(own), samples[:3], 2)
    assert len(starts) == 1
    assert by_reset[0].counters["NPU TOTAL"] > 0
    for reset, boot in zip(by_reset, by_boot, strict=False):
        assert reset.counters == boot.counters
        assert {name: value.tobytes() for name, value in reset.outputs.items()} == {
            name: value.tobytes() for name, value in boot.outputs.items()
        }
    assert qemus(os.getpid()) == []


def test_machines_side_by_side_give_the_same_answers_in_order(
    build: BuildFolder, samples: tuple[Sample, ...], starts: list[ResidentMachine]
) -> None:
    own = find(NPU, "open")
    one, three = answers(build, own, samples, 1), answers(build, own, samples, 3)
    assert 2 <= len(starts) <= 4
    for a, b in zip(one, three, strict=True):
        assert a.counters == b.counters
        assert all(np.array_equal(a.outputs[name], b.outputs[name]) for name in a.outputs)


def test_a_machine_that_got_ready_before_there_were_inputs_answers_as_any_other(
    build: BuildFolder, samples: tuple[Sample, ...], starts: list[ResidentMachine]
) -> None:
    own = find(NPU, "open")
    expected, target = answers(build, own, samples[:2], 1), target_of(build, own)
    starts.clear()
    try:
        target.get_ready()
        found = list(target.answers(samples[:2], 1))
    finally:
        target.close()
    assert len(starts) == 1
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.counters == theirs.counters
        assert all(np.array_equal(ours.outputs[name], theirs.outputs[name]) for name in theirs.outputs)
    assert qemus(os.getpid()) == []


def test_a_machine_that_got_ready_for_nothing_leaves_nothing_and_a_failed_start_is_told_by_the_first_run(
    build: BuildFolder, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = target_of(build, find(NPU, "open"))
    target.get_ready()
    target.close()
    assert qemus(os.getpid()) == []

    def broken(_machine: ResidentMachine) -> object:
        raise TargetError("QEMU died")

    monkeypatch.setattr(ResidentMachine, "_start", broken)
    target = target_of(build, find(NPU, "open"))
    target.get_ready()
    with pytest.raises(TargetError, match="input 0: QEMU died"):
        list(target.answers(samples[:1], 1))
    target.close()


def test_only_this_installations_open_machine_runs_within_this_process() -> None:
    own = find(NPU, "open")
    assert isinstance(runner_boots(settings(own)), ResidentRunner)
    assert isinstance(runner_boots(settings(as_a_program(own))), SimulatorRunner)
    assert isinstance(runner_boots(settings(dataclasses.replace(own, command=("/opt/FVP",)))), SimulatorRunner)


def test_a_run_that_fails_costs_its_machine_and_not_the_others(
    build: BuildFolder, starts: list[ResidentMachine]
) -> None:
    boots = runner_boots(settings(find(NPU, "open")))
    expected = Expectations.of(build.compiled_model)
    inputs = bytes(sum(tensor.nbytes for tensor in expected.inputs.values()))
    boot = boots.boot(build.compiled, inputs, dumps=[Range(runner_firmware.MODEL_ADDRESS, 16)])
    assert boot.dumped == (build.compiled.read_bytes()[:16],)
    with pytest.raises(TargetError, match="no memory"):
        boots.boot(build.compiled, inputs, data={0x1: b"", 0x5000: bytes(1 << 20)})
    assert boots.boot(build.compiled, inputs).sent == boot.sent
    assert len(starts) == 2
    boots.cancel()
    assert qemus(os.getpid()) == []


def test_a_time_that_is_over_is_one_message_and_cancelling_ends_what_runs(build: BuildFolder) -> None:
    expected = Expectations.of(build.compiled_model)
    inputs = bytes(sum(tensor.nbytes for tensor in expected.inputs.values()))
    with pytest.raises(TargetError, match=r"no answer within 0\.01 s: the firmware never sent"):
        runner_boots(settings(find(NPU, "open"), 0.01)).boot(build.compiled, inputs)
    boots = runner_boots(settings(find(NPU, "open")))
    threading.Timer(0.2, boots.cancel).start()
    with pytest.raises(TargetError):
        for _ in range(1000):
            boots.boot(build.compiled, inputs)
    assert qemus(os.getpid()) == []
