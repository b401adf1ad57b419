"""A check that begins beside Vela ends like one that begins behind it, or without a trace."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in

from deploy.build_folder import BuildFolder
from deploy.hardware.npus import npu_named
from deploy.judging.verification_record import record_of
from deploy.tflite import load
from deploy.verifying import build_check
from deploy.verifying.begun_check import BegunCheck
from deploy.verifying.build_check import BuildCheck, begun_check
from deploy.verifying.usual_inputs import likely_sample, usual_inputs

SECONDS = 120.0


@pytest.fixture
def build(built: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(shutil.copytree(built, tmp_path / "build"))


def begun(build: BuildFolder) -> BegunCheck:
    source = build.source_model
    return begun_check(source, npu_named(build.document.npu), likely_sample(source))


@pytest.fixture
def check(build: BuildFolder) -> Iterator[BegunCheck]:
    with contextlib.closing(begun(build)) as check:
        yield check


def test_a_check_that_was_begun_beside_vela_finds_and_keeps_what_one_behind_it_does(
    build: BuildFolder, check: BegunCheck
) -> None:
    beside = BuildCheck(build, SECONDS, check).finish()
    assert record_of(build) == beside
    behind = BuildCheck(build, SECONDS).finish()
    assert (beside.check, beside.operators, beside.faults) == (behind.check, behind.operators, behind.faults)
    assert (beside.inputs_sha256, beside.versions) == (behind.inputs_sha256, behind.versions)


def test_a_build_is_checked_before_it_is_written_on_the_inputs_that_it_will_keep(
    build: BuildFolder, check: BegunCheck, tmp_path: Path
) -> None:
    written = BuildCheck(build, SECONDS).finish()
    document = build.document.model_copy(update={"samples": None})
    unwritten = BuildFolder(tmp_path / "unwritten", document)
    unwritten.source_model, unwritten.compiled_model = build.source_model, build.compiled_model
    unwritten.debug = build.debug
    checking = BuildCheck(unwritten, SECONDS, check, usual_inputs(build))
    check._asking.join()
    assert not unwritten.path.exists(), "the check itself writes nothing"
    unwritten.path.mkdir()
    record = checking.finish()
    assert record_of(unwritten) == record
    assert (record.check, record.input_source) == (written.check, written.input_source)
    assert record.inputs_sha256 == written.inputs_sha256 != ""


def test_the_process_that_was_begun_is_the_one_that_checks(
    build: BuildFolder, check: BegunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_check, "check_build", lambda *_: os.abort())  # of a new process
    assert BuildCheck(build, SECONDS, check).finish().check.source == "compile"


def test_one_that_was_begun_for_another_model_is_not_asked(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load(build.source_model.content, source="another object")
    with contextlib.closing(begun_check(other, npu_named(build.document.npu), likely_sample(other))) as check:
        monkeypatch.setattr(check, "go_on", None)
        assert BuildCheck(build, SECONDS, check).finish().check.source == "compile"


def test_one_that_has_ended_meanwhile_is_begun_again(build: BuildFolder, check: BegunCheck) -> None:
    assert check.alive
    os.kill(check._worker._process._child, signal.SIGKILL)
    while check.alive:
        time.sleep(0.01)
    record = BuildCheck(build, SECONDS, check).finish()
    assert (record.check.source, record.check.left_out) == ("compile", ())


def test_one_whose_build_never_comes_ends_and_leaves_nothing(build: BuildFolder, check: BegunCheck) -> None:
    before = sorted(path.name for path in build.path.iterdir())
    assert check.alive
    check.close()
    assert_gone(check._worker._process._child)
    assert sorted(path.name for path in build.path.iterdir()) == before


def test_one_that_is_ended_at_work_says_so_to_who_waits_for_it(
    build: BuildFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(*_: object) -> None:
        (tmp_path / "number").write_text(f"{os.getpid()}\n")
        time.sleep(60)

    monkeypatch.setattr(build_check, "check_build", check)
    checking = BuildCheck(build, SECONDS)
    working = number_in(tmp_path / "number")
    checking.kill()
    assert_gone(working)
    assert "ended the check of operators (SIGKILL)" in checking.finish().check.left_out[0]
