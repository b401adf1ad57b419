"""A session feeds arrays to a target and yields answers: it chooses first, boots late, leaves nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import stateful_networks

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError, NotInstalledError
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.samples import Sample, stacked
from deploy.targets.session import Session, TargetOptions
from deploy.verifying.host_session import HostSession


@pytest.fixture(scope="module")
def build(built: Path) -> BuildFolder:
    return BuildFolder.open(built)


@pytest.fixture(scope="module")
def samples(build: BuildFolder) -> tuple[Sample, ...]:
    return random_inputs(build.compiled_model, 3).samples


def test_a_board_is_nothing_to_choose_and_has_no_firmware_of_ours(build: BuildFolder) -> None:
    session = Session(build, TargetOptions(port="/dev/ttyNONE"))
    assert session.origin.platform is None
    with session:
        assert session.simulator is None
    platform = session.origin.platform
    assert platform is not None
    assert (platform.kind, platform.executable, platform.npu) == ("board", "/dev/ttyNONE", "U55-128")
    assert session.origin.firmware is None


def test_what_is_missing_is_known_before_anything_boots(build: BuildFolder) -> None:
    missing = Session(build, TargetOptions(fvp="/nonexistent/FVP"))
    with pytest.raises(NotInstalledError, match="no such simulator"), missing:
        pass
    assert missing.origin.platform is None


@pytest.mark.system
def test_firmware_that_is_no_file_is_refused_and_the_simulator_is_known(build: BuildFolder) -> None:
    session = Session(build, TargetOptions(fvp="open", firmware="gone.elf"))
    with pytest.raises(BadInputError, match=r"--firmware gone\.elf: no such file"), session:
        pass
    assert session.origin.platform is not None and session.origin.platform.kind == "open"


@pytest.fixture(scope="module")
def stateful(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """Of a network with resource variables."""
    folder = tmp_path_factory.mktemp("stateful")
    (folder / "m.tflite").write_bytes(stateful_networks.stream())
    words = ["compile", str(folder / "m.tflite"), "--npu", "U55-128", "--verify", "none", "--advice", "none"]
    assert run([*words, "-o", str(folder / "build"), "-q"]) == 0
    return BuildFolder.open(folder / "build")


@pytest.mark.system
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (TargetOptions(fvp="open", sequence=True), "boots anew for every input"),
        (TargetOptions(fvp="open", firmware="npu", sequence=True, scheduler="tcp://nowhere:1"), "for one machine"),
    ],
)
def test_a_sequence_is_refused_where_no_state_would_be_kept(
    stateful: BuildFolder, options: TargetOptions, why: str
) -> None:
    with pytest.raises(BadInputError, match=why), Session(stateful, options):
        pass


@pytest.mark.system
def test_the_runner_is_refused_resource_variables_before_it_boots(stateful: BuildFolder) -> None:
    with pytest.raises(BadInputError, match="no memory for resource variables") as caught:
        Session(stateful, TargetOptions(fvp="open")).__enter__()
    assert "--firmware npu" in caught.value.hints[0]


def test_answers_outside_the_context_are_a_mistake(build: BuildFolder, samples: tuple[Sample, ...]) -> None:
    session = Session(build, TargetOptions(port="/dev/ttyNONE"))
    with pytest.raises(RuntimeError, match="context"):
        session.answers(samples)
    with session:
        pass
    with pytest.raises(RuntimeError, match="context"):
        session.answers(samples)


@pytest.mark.system
def test_one_session_answers_again_and_again_and_as_the_npu_model_does(
    build: BuildFolder, samples: tuple[Sample, ...]
) -> None:
    expected = HostSession(build.compiled_model, npu_named("U55-128")).outputs(stacked(samples))
    with Session(build, TargetOptions(fvp="open", jobs=2)) as session:
        first = [answer.outputs for answer in session.answers(samples)]
        again = [answer.outputs for answer in session.answers(samples[1:])]
        left = session.answers(samples)  # never asked for: ended with the session
    for name, values in expected.items():
        np.testing.assert_array_equal(stacked(first)[name], values)
        np.testing.assert_array_equal(stacked(again)[name], values[1:])
    assert session.origin.firmware is not None and session.origin.firmware.kind == "runner"
    assert "qemu" in session.origin.versions
    assert left is not None


@pytest.mark.system
def test_machines_start_before_the_first_answer_is_asked_for(
    build: BuildFolder, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy.targets import runner_target

    started = threading.Event()
    boot = runner_target.RunnerTarget._answer

    def noticed(self: runner_target.RunnerTarget, index: int, sample: Sample) -> object:
        started.set()
        return boot(self, index, sample)

    monkeypatch.setattr(runner_target.RunnerTarget, "_answer", noticed)
    with Session(build, TargetOptions(fvp="open", jobs=1)) as session:
        arriving = session.answers(samples[:1])
        assert started.wait(10)
        assert len(list(arriving)) == 1
