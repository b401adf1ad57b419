"""The real firmware on the open Corstone-300: answers, and every fault that ends in exit status 4."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from host_compiler import HERE
from tflite_writer import GraphWriter, schema

from deploy import api
from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import TargetError
from deploy.firmware_project.firmware_build import build_project, npu_firmware, write_project
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import read_models
from deploy.judging.inputs import random_inputs
from deploy.judging.samples import Sample
from deploy.simulators.fvp_locate import Simulator, find
from deploy.targets import runner_firmware
from deploy.targets.expectations import Expectations
from deploy.targets.firmware_target import FirmwareTarget
from deploy.targets.mailbox import FileMailbox, Mailbox
from deploy.targets.protocol import Type
from deploy.verifying.host_session import HostSession
from deploy.verifying.npu_inference import NpuInference

pytestmark = [pytest.mark.early, pytest.mark.system, pytest.mark.usefixtures("toolchain")]


def expectations(build: BuildFolder) -> Expectations:
    models = read_models(build)
    return Expectations(build.document.compiled_sha256, models.inputs, models.outputs, npu_expected=True)


def samples(build: BuildFolder, count: int) -> tuple[Sample, ...]:
    return random_inputs(read_models(build).compiled, count).samples


def failure(
    build: BuildFolder,
    firmware: Path,
    *,
    simulator: Simulator | None = None,
    macs: int = 128,
    expected: Expectations | None = None,
) -> TargetError:
    simulator = simulator or find(npu_named("U55-128"), "open")
    target = FirmwareTarget(simulator, firmware, expected or expectations(build), macs=macs, timeout_s=30)
    with pytest.raises(TargetError) as caught:
        list(target.answers(samples(build, 3), 1))
    return caught.value


def faulty(fault: str) -> Simulator:
    """The open Corstone-300 with an NPU that has a fault."""
    command = (sys.executable, str(HERE / "faulty_corstone.py"), fault)
    return dataclasses.replace(find(npu_named("U55-128"), "open"), command=command)


@pytest.fixture(scope="module")
def impatient(small_build: BuildFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firmware that gives the NPU half a second."""
    folder = tmp_path_factory.mktemp("impatient")
    write_project(small_build, "npu", folder=folder)
    lists = folder / "CMakeLists.txt"
    lists.write_text(lists.read_text().replace("NPU_TIMEOUT_MS 5000", "NPU_TIMEOUT_MS 500"))
    return build_project(folder)


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("name", ["stream_build", "lstm_build"])
def test_a_state_is_reset_for_every_input_or_kept_in_a_sequence_as_the_npu_model_does(
    request: pytest.FixtureRequest, name: str, sequence: bool
) -> None:
    build: BuildFolder = request.getfixturevalue(name)
    npu, compiled = npu_named("U55-128"), build.compiled_model
    given = samples(build, 6)
    target = FirmwareTarget(
        find(npu, "open"),
        npu_firmware(build),
        Expectations.of(compiled),
        macs=npu.macs,
        timeout_s=30.0,
        sequence=sequence,
    )
    expected = [answer.outputs for answer in HostSession(compiled, npu, sequence=sequence).answers(given)]
    for answer, outputs in zip(target.answers(given, 1), expected, strict=True):
        for output, array in outputs.items():
            np.testing.assert_array_equal(answer.outputs[output], array)


@pytest.mark.parametrize("name", ["U55-128", "U65-256"])
def test_one_boot_answers_many_inputs_as_the_host_model_does(request: pytest.FixtureRequest, name: str) -> None:
    build: BuildFolder = request.getfixturevalue("small_build" if name == "U55-128" else "u65_build")
    npu = npu_named(name)
    given = samples(build, 20)
    target = FirmwareTarget(
        find(npu, "open"), npu_firmware(build), expectations(build), macs=npu.macs, timeout_s=60
    )
    answers = list(target.answers(given, 1))
    model = NpuInference(read_models(build).compiled, npu)
    assert len(answers) == 20
    for sample, answer in zip(given, answers, strict=True):
        for output, array in model.run(sample).items():
            np.testing.assert_array_equal(answer.outputs[output], array)
        assert answer.counters["NPU ACTIVE"] > 0


def test_run_fvp_renders_builds_boots_and_judges(small_build: BuildFolder, tmp_path: Path) -> None:
    document = tmp_path / "verdict.json"
    words = ["run-fvp", str(small_build.path), "--firmware", "npu", "--fvp", "open", "--count", "4", "-q"]
    assert run([*words, "--json", str(document)]) == 0
    verdict = json.loads(document.read_text())
    assert (verdict["verdict"], verdict["inputs"], verdict["firmware"]["kind"]) == ("pass", 4, "npu")
    assert verdict["platform"]["kind"] == "open"


def test_a_network_with_an_input_of_one_byte_is_built_and_answers(tmp_path: Path) -> None:
    writer = GraphWriter()
    x, y = writer.tensor("x", [1, 1], "int8", 0.1), writer.tensor("y", [1, 4], "int8", 0.1)
    weights = writer.tensor("w", [4, 1], "int8", 0.01, data=np.array([[50], [-50], [100], [7]], np.int8))
    writer.operator("FULLY_CONNECTED", [x, weights, -1], [y], schema.FullyConnectedOptionsT())
    (tmp_path / "byte.tflite").write_bytes(writer.finish({"x": x}, {"y": y}))
    build = api.compile(tmp_path / "byte.tflite", "U55-128", output=tmp_path / "build")
    assert api.run(build, fvp="open", firmware="npu").verdict.verdict == "pass"


def test_an_elf_of_ones_own_that_speaks_the_protocol_works(small_build: BuildFolder, tmp_path: Path) -> None:
    own = tmp_path / "my firmware, v1@home.elf"
    shutil.copy(npu_firmware(small_build), own)
    words = ["run-fvp", str(small_build.path), "--firmware", str(own), "--fvp", "open", "--count", "2", "-q"]
    assert run(words) == 0


def test_an_elf_without_the_protocol_gets_told_so(
    small_build: BuildFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    runner = runner_firmware.runner_path(npu_named("U55-128"))
    words = ["run-fvp", str(small_build.path), "--firmware", str(runner), "--fvp", "open", "--timeout", "1", "-q"]
    assert run(words) == 4
    assert "does not speak deploy's protocol: no hello within 1 s" in capfd.readouterr().err


def test_a_model_for_another_npu_is_refused_by_the_driver(small_build: BuildFolder) -> None:
    error = failure(small_build, npu_firmware(small_build), macs=256)
    assert "compiled for Ethos-U55-128" in error.message
    assert "this is Ethos-U55-256" in error.message


def test_firmware_of_another_model_is_refused(small_build: BuildFolder) -> None:
    other = dataclasses.replace(expectations(small_build), model_sha256="f" * 64)
    error = failure(small_build, npu_firmware(small_build), expected=other)
    assert "the firmware holds another model" in error.message


def test_an_npu_that_never_raises_its_interrupt(small_build: BuildFolder, impatient: Path) -> None:
    error = failure(small_build, impatient, simulator=faulty("no-interrupt"))
    assert "input 0: the target says: NPU: no interrupt within 500 ms; STATUS 0x" in error.message
    assert "bytes of command stream" in error.message


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("bus", "bus error on AXI port 1, channel 3"),
        ("weights", "the weight stream cannot be decoded"),
        ("ecc", "ECC error in the NPU's memory"),
        ("dead", "no Ethos-U55 or U65 answers at this address: ID 0x00000000"),
    ],
)
def test_a_fault_of_the_npu_reaches_the_user_in_words(small_build: BuildFolder, fault: str, expected: str) -> None:
    error = failure(small_build, npu_firmware(small_build), simulator=faulty(fault))
    assert expected in error.message
    assert error.exit_status == 4


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("*(volatile uint32_t *)0xE0200000 = 1;", "the firmware crashed: MemManage fault at pc 0x"),
        ('__asm volatile("udf #0");', "the firmware crashed: UsageFault at pc 0x"),
        ("for (;;) { volatile uint8_t stack[4096]; stack[0] = 1; runtime_infer(report); }", "crashed: UsageFault"),
    ],
)
def test_a_crash_is_reported_by_the_fault_handler(
    small_build: BuildFolder, tmp_path: Path, code: str, expected: str
) -> None:
    write_project(small_build, "npu", folder=tmp_path)
    source = tmp_path / "source" / "runtime_npu.c"
    text = source.read_text()
    place = "    npu_counters_clear();\n"
    assert place in text
    source.write_text(text.replace(place, f"    {code}\n{place}"))
    lists = tmp_path / "CMakeLists.txt"
    lists.write_text(lists.read_text().replace("-Werror", "-Wno-error -w -fno-optimize-sibling-calls"))
    assert expected in failure(small_build, build_project(tmp_path)).message


def test_a_target_that_is_reset_in_the_middle_is_noticed(small_build: BuildFolder, tmp_path: Path) -> None:
    write_project(small_build, "npu", folder=tmp_path)
    source = tmp_path / "source" / "runtime_npu.c"
    reset = (
        "    static int runs; if (runs++ == 1) { *(volatile uint32_t *)0xE000ED0C = 0x05FA0004; for (;;) {} }\n"
    )
    source.write_text(source.read_text().replace("    npu_counters_clear();\n", reset))
    error = failure(small_build, build_project(tmp_path))
    assert error.message.startswith("input 1: the target was reset while it worked")


def test_a_simulator_that_dies_is_reported(small_build: BuildFolder) -> None:
    simulator = dataclasses.replace(
        find(npu_named("U55-128"), "open"), command=(sys.executable, "-c", "print('out of licences'); exit(7)")
    )
    error = failure(small_build, npu_firmware(small_build), simulator=simulator)
    assert "the simulator ended in the middle of the work (exit status 7)" in error.message
    assert any("out of licences" in line for line in error.log)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small_build", "cpu_build", "u65_build", "stream_build", "lstm_build"])
def test_tflm_firmware_gives_the_same_answers(request: pytest.FixtureRequest, name: str) -> None:
    """Needs a TFLM build, which this repository does not hold: ``DEPLOY_TFLM`` names its root."""
    tflm = os.environ.get("DEPLOY_TFLM")
    if not tflm:
        pytest.skip("DEPLOY_TFLM names no TFLM build")
    build: BuildFolder = request.getfixturevalue(name)
    assert run(["firmware", str(build.path), "--runtime", "tflm", "--tflm", tflm, "--build", "-q"]) == 0
    words = ["run-fvp", str(build.path), "--firmware", "tflm", "--fvp", "open", "--count", "10", "-q"]
    assert run(words) == 0
    assert run([*words, "--sequence"]) == 0


@pytest.mark.parametrize(
    ("own", "killed", "message"),
    [
        (False, b"deploy.corstone", r"the simulator ended in the middle of the work \(signal 9\)"),
        (True, b"qemu-system-arm", r"QEMU died while the simulation ran \(killed by SIGKILL\)"),
    ],
    ids=["a program", "within this process"],
)
def test_a_simulator_that_is_killed_in_the_middle_is_named_as_the_cause(
    small_build: BuildFolder, own: bool, killed: bytes, message: str
) -> None:
    simulator = find(npu_named("U55-128"), "open")
    if not own:
        simulator = dataclasses.replace(simulator, command=("/usr/bin/env", *simulator.command))
    firmware = npu_firmware(small_build)
    target = FirmwareTarget(simulator, firmware, expectations(small_build), macs=128, timeout_s=30)
    answers = target.answers(samples(small_build, 200), 1)
    next(answers)
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [int(pid) for each in children for pid in each.read_text().split()]
    machines = [pid for pid in pids if killed in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(machines) == 1
    os.kill(machines[0], signal.SIGKILL)
    with pytest.raises(TargetError, match=message):
        list(answers)


def test_frames_go_through_the_mailbox_where_the_machine_runs_within_this_process(
    small_build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[bytes] = []
    monkeypatch.setattr(
        Mailbox, "put", lambda self, frame, put_=Mailbox.put: (put.append(frame), put_(self, frame))[1]
    )
    simulator, few = find(npu_named("U55-128"), "open"), samples(small_build, 4)
    by_program = dataclasses.replace(simulator, command=("/usr/bin/env", *simulator.command))
    found = []
    for each in (simulator, by_program):
        target = FirmwareTarget(each, npu_firmware(small_build), expectations(small_build), macs=128, timeout_s=30)
        found.append([(answer.outputs, answer.counters) for answer in target.answers(few, 1)])
    assert [frame[2] for frame in put] == [Type.INFER] * 4 + [Type.BYE]
    for (outputs, counters), (others, their) in zip(*found, strict=True):
        assert counters == their
        assert all(np.array_equal(outputs[name], others[name]) for name in outputs)


@pytest.mark.parametrize("served", [True, False], ids=["served", "refused"])
def test_frames_go_through_files_of_a_simulator_that_is_a_program_and_serves_some(
    small_build: BuildFolder, monkeypatch: pytest.MonkeyPatch, served: bool
) -> None:
    put: list[bytes] = []
    monkeypatch.setattr(
        FileMailbox, "put", lambda self, frame, put_=FileMailbox.put: (put.append(frame), put_(self, frame))[1]
    )
    simulator, few = find(npu_named("U55-128"), "open"), samples(small_build, 4)
    # The last one counts, and without semihosting its breakpoint is a fault on the target.
    words = ("/usr/bin/env", *simulator.command) if served else ("/bin/sh", "-c", UNSERVED, *simulator.command)
    found = []
    for each in (simulator, dataclasses.replace(simulator, command=words)):
        target = FirmwareTarget(each, npu_firmware(small_build), expectations(small_build), macs=128, timeout_s=30)
        found.append([(answer.outputs, answer.counters) for answer in target.answers(few, 1)])
    proof, *frames = put
    assert len(proof) == 16
    assert [frame[2] for frame in frames] == ([Type.INFER] * 4 + [Type.BYE] if served else [])
    for (outputs, counters), (others, their) in zip(*found, strict=True):
        assert counters == their
        assert all(np.array_equal(outputs[name], others[name]) for name in outputs)


UNSERVED = 'exec "$0" "$@" -C cpu0.semihosting-enable=0'
