"""A check that begins beside Vela ends like one that begins behind it, or without a trace."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.judging.verification_record import record_of
from deploy.tflite import load
from deploy.verifying import build_check
from deploy.verifying.begun_check import BegunCheck
from deploy.verifying.build_check import BuildCheck, begun_check
from deploy.verifying.usual_inputs import likely_sample

SECONDS = 120.0


@pytest.fixture
def build(built: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(shutil.copytree(built, tmp_path / "build"))


def begun(build: BuildFolder) -> BegunCheck:
    return begun_check(build.source_model, likely_sample(build.source_model))


def test_a_check_that_was_begun_beside_vela_finds_and_keeps_what_one_behind_it_does(build: BuildFolder) -> None:
    beside = BuildCheck(build, SECONDS, begun(build)).finish()
    assert record_of(build) == beside
    behind = BuildCheck(build, SECONDS).finish()
    assert (beside.check, beside.operators, beside.faults) == (behind.check, behind.operators, behind.faults)
    assert (beside.inputs_sha256, beside.versions) == (behind.inputs_sha256, behind.versions)


def test_the_process_that_was_begun_is_the_one_that_checks(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = begun(build)
    monkeypatch.setattr(build_check, "check_build", lambda _build, _until: os.abort())  # of a new process
    assert BuildCheck(build, SECONDS, check).finish().check.source == "compile"


def test_one_that_was_begun_for_another_model_is_not_asked(build: BuildFolder) -> None:
    other = load(build.source_model.content, source="another object")
    check = begun_check(other, likely_sample(other))
    assert BuildCheck(build, SECONDS, check).finish().check.source == "compile"
    check.child.kill()


def test_one_that_has_ended_meanwhile_is_begun_again(build: BuildFolder) -> None:
    check = begun(build)
    check.child.kill()
    record = BuildCheck(build, SECONDS, check).finish()
    assert (record.check.source, record.check.left_out) == ("compile", ())


def test_one_whose_build_never_comes_ends_and_leaves_nothing(build: BuildFolder) -> None:
    check = begun(build)
    before = sorted(path.name for path in build.path.iterdir())
    check.close()
    assert check.child.fatal_signal(until=time.monotonic() + SECONDS) is None
    assert sorted(path.name for path in build.path.iterdir()) == before
