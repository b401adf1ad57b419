"""run-fvp on the real machine, and every fault that must not pass: exit status, message, nothing left behind.

Faults are injected by a wrapper script around the open Corstone-300 that is named with --fvp: what runs inside is
the real simulator, what goes wrong is real, too.
"""

import json
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import interruptible
import numpy as np
import pytest
from answers import answered
from faults.sandbox import open_version

from deploy.build_folder import COMPILE_DOCUMENT, BuildFolder
from deploy.cli.main import run

pytestmark = [pytest.mark.early, pytest.mark.system]
PS = shutil.which("ps") or "ps"
OPEN = f"{sys.executable} -m deploy.corstone --npu-family U55"


def wrapper(folder: Path, body: str) -> str:
    """A simulator that answers --version as the open one and otherwise does ``body`` (a shell script)."""
    path = folder / "FVP_Corstone_SSE-300_Ethos-U55"
    version = f'[ "$1" = --version ] && echo {shlex.quote(open_version())} && exit\n'
    path.write_text(f'#!/bin/bash\nopen() {{ {OPEN} "$@"; }}\n{version}{body}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def running_in(folder: Path) -> list[str]:
    """Processes whose command line names a file in ``folder``: simulators and QEMUs of a run."""
    listing = subprocess.run([PS, "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(folder) in line]


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    private = tmp_path / "tmp"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path)
    yield
    assert list(private.iterdir()) == [], "temporary files are left"
    deadline = time.monotonic() + 5
    while (left := running_in(private)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def fails(capsys: pytest.CaptureFixture[str], status: int, words: list[str], *messages: str) -> str:
    """Run a command that must fail with that exit status and those words in its message; returns the message."""
    assert run(words) == status
    error = capsys.readouterr().err
    for message in messages:
        assert message in error
    assert "Traceback" not in error
    return error


def test_a_build_runs_and_its_verdict_document_holds_the_evidence(built: Path, tmp_path: Path) -> None:
    assert run(["run-fvp", str(built), "--fvp", "open", "--count", "3", "--json", "v.json"]) == 0
    document = answered((tmp_path / "v.json").read_text())
    assert (document["schema_version"], document["verdict"], document["exit_status"]) == (1, "pass", 0)
    assert (document["inputs"], document["platform"]["kind"], document["platform"]["npu"]) == (
        3,
        "open",
        "U55-128",
    )
    assert document["firmware"]["kind"] == "runner"
    assert {output["name"] for output in document["outputs"]} == {"garment", "kind"}
    # A fully connected head: LiteRT rounds once, the command stream twice, so one LSB is possible.
    assert all(output["elements"] == 12 and output["max_lsb"] <= 1 for output in document["outputs"])
    labels = {figure["label"] for figure in document["figures"]}
    assert labels == {"estimate", "measured"}
    assert {"deploy", "qemu", "ethos-u-vela", "ai-edge-litert"} <= set(document["versions"])


def test_several_machines_side_by_side_give_the_same_answers(built: Path, tmp_path: Path) -> None:
    for jobs in ("1", "3"):
        words = ["run-fvp", str(built), "--fvp", "open", "--count", "4", "--seed", "5", "--jobs", jobs]
        words += ["--json", f"{jobs}.json"]
        assert run(words) == 0
    one, three = (json.loads((tmp_path / f"{jobs}.json").read_text()) for jobs in (1, 3))
    assert one["predictions"] == three["predictions"]
    assert one["input_sha256"] == three["input_sha256"]


def test_a_wrong_output_fails_with_exit_1_and_shows_the_mismatches(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip = (
        'open "$@"; status=$?; for word; do case $word in *outputs.bin*) f=${word#cpu0=}; f=${f%@*};; esac; done\n'
        'python3 -c \'import sys; p=sys.argv[1]; d=bytearray(open(p,"rb").read()); d[0]^=0x40; '
        'open(p,"wb").write(d)\' "$f"; exit $status'
    )
    words = ["run-fvp", str(built), "--count", "1", "--fvp", wrapper(tmp_path, flip), "--json", "v.json"]
    assert run(words) == 1
    assert "verdict: FAIL" in capsys.readouterr().out
    document = json.loads((tmp_path / "v.json").read_text())
    assert document["verdict"] == "fail"
    assert sum(output["mismatches"] for output in document["outputs"]) == 1


def test_the_simulator_is_missing(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, 3, ["run-fvp", str(built), "--fvp", "/nonexistent/FVP"], "no such simulator", "--fvp open")


def test_qemu_is_missing(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fails(capsys, 3, ["run-fvp", str(built)], "qemu-system-arm", "apt-get install qemu-system-arm")


def test_the_simulator_is_killed_in_the_middle(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kill = f'exec {OPEN} "$@" & sleep 0.4; kill -KILL $!; wait $!; exit 137'
    fails(capsys, 4, ["run-fvp", str(built), "--fvp", wrapper(tmp_path, kill)], "input 0: the simulator")


def test_qemu_is_killed_in_the_middle(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kill = f'{OPEN} "$@" & for _ in $(seq 100); do pkill -KILL -P $! qemu && break; sleep 0.05; done; wait $!'
    fails(capsys, 4, ["run-fvp", str(built), "--fvp", wrapper(tmp_path, kill)], "the simulator ended with")


def test_a_lying_exit_status_without_any_output_is_no_answer(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(capsys, 4, ["run-fvp", str(built), "--fvp", wrapper(tmp_path, "exit 0")], "EOT")


def test_no_end_of_transmission_within_the_limit(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A simulator has so long to keep its own time limit.
    monkeypatch.setattr("deploy.targets.runner_process._GRACE_S", 1)
    hang = "exec sleep 60"
    started = time.monotonic()
    fails(
        capsys,
        4,
        ["run-fvp", str(built), "--timeout", "1", "--fvp", wrapper(tmp_path, hang)],
        "no answer within 1 s",
        "--timeout SECONDS",
    )
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(("damage", "message"), [("truncate -s -1", "memory dump has"), ("rm", "was not written")])
def test_the_output_file_is_short_or_absent(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str, message: str
) -> None:
    body = (
        'open "$@"; for word; do case $word in *outputs.bin*) f=${word#cpu0=}; f=${f%@*};; esac; done\n'
        f'{damage} "$f"; exit 0'
    )
    fails(capsys, 4, ["run-fvp", str(built), "--fvp", wrapper(tmp_path, body)], message)


def test_a_dump_of_memory_that_nobody_wrote_is_no_answer(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        'open "$@"; for word; do case $word in *preload.bin*) p=${word%@*};; *outputs.bin*) f=${word#cpu0=}; '
        'f=${f%@*};; esac; done\ncp "$p" "$f"; exit 0'
    )
    fails(capsys, 4, ["run-fvp", str(built), "--fvp", wrapper(tmp_path, body)], "still holds what it held before")


def test_a_model_for_other_macs_surfaces_as_the_drivers_own_error(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "exec " + OPEN + ' "${@/ethosu.num_macs=128/ethosu.num_macs=256}"'
    error = fails(
        capsys, 4, ["run-fvp", str(built), "--fvp", wrapper(tmp_path, body)], "without copying any output"
    )
    assert "Node ethos-u (number 0) failed to invoke" in error


def test_uart_output_that_is_cut_before_the_end_is_no_answer(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        'open "$@"; for word; do case $word in *uart0.out_file=*) u=${word#*=};; esac; done\n'
        'truncate -s -200 "$u"; exit 0'
    )
    fails(
        capsys, 4, ["run-fvp", str(built), "--fvp", wrapper(tmp_path, body)], "EOT", "last lines from the target"
    )


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((1, 7, 7, 1), np.uint8), "has shape [1, 7, 7, 1]"),
        (np.zeros((1, 16, 16, 1), np.int16), "is int16, the model takes uint8 or float"),
    ],
)
def test_inputs_of_the_wrong_shape_or_dtype(
    built: Path, capsys: pytest.CaptureFixture[str], array: np.ndarray, message: str
) -> None:
    np.savez("x.npz", image=array)
    fails(capsys, 2, ["run-fvp", str(built), "--inputs", "x.npz"], "x.npz", message)


def test_an_arena_larger_than_the_firmwares_is_refused_before_the_boot(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    document = json.loads((copy / COMPILE_DOCUMENT).read_text())
    for figure in document["figures"]:
        if figure["name"] == "sram_peak":
            figure["value"] = 2 * 1024 * 1024
    (copy / COMPILE_DOCUMENT).write_text(json.dumps(document))
    fails(capsys, 2, ["run-fvp", str(copy)], "arena", "needs 2099200 bytes", "--optimise Size")


def test_a_model_that_was_replaced_since_the_compile_is_refused(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    with BuildFolder.open(copy).compiled.open("ab") as stream:
        stream.write(b"\0")
    fails(capsys, 2, ["run-fvp", str(copy)], "not the file that compile.json describes")


def test_an_error_leaves_a_verdict_document_too(built: Path, tmp_path: Path) -> None:
    words = ["run-fvp", str(built), "--fvp", wrapper(tmp_path, "exit 0"), "--json", "v.json"]
    assert run(words) == 4
    document = json.loads((tmp_path / "v.json").read_text())
    assert (document["verdict"], document["exit_status"], document["inputs"]) == ("error", 4, 0)
    assert "EOT" in document["reason"]


def test_ctrl_c_ends_every_machine(built: Path, tmp_path: Path) -> None:
    running = tmp_path / "running"
    machine = wrapper(tmp_path, f'touch {running}; open "$@"; sleep 30')
    command = [sys.executable, "-m", "deploy", "run-fvp", str(built), "--fvp", machine]
    process = interruptible.started(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not running.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = interruptible.said(process, 20)
    assert process.returncode == 130
    assert error.strip() == "deploy: interrupted"


def test_without_a_build_the_one_compiled_last_is_run(
    tiny_tflite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(tiny_tflite), "--npu", "U55-64"]) == 0
    assert run(["run-fvp", "--fvp", "open", "--quiet"]) == 0
    assert "verdict: PASS" in capsys.readouterr().out


def test_deploy_toml_makes_the_everyday_commands_complete(
    tiny_tflite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deploy.toml").write_text(f'model = "{tiny_tflite}"\nfvp = "open"\ncount = 2\n')
    assert run(["compile", "--npu", "U55-128"]) == 0
    assert run(["run-fvp"]) == 0
    out = capsys.readouterr().out
    assert "2 of 2 inputs answered" in out
    assert "verdict: PASS" in out
