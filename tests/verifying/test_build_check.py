"""The check behind a compilation: what it keeps, that nothing takes it along, and that it keeps its time."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from division_network import division

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.compiling.compilation import compile_model
from deploy.compiling.compile_options import compile_options
from deploy.hardware.npus import npu_named
from deploy.judging.verification_record import SKIPPED, keep_record, not_checked, record_of
from deploy.verifying import build_check
from deploy.verifying.build_check import BuildCheck, check_build, time_for
from deploy.verifying.kept_check import checked_before

SECONDS = 120.0
"""That Vela may be said to have taken: more than enough for the check, on a busy computer, too."""


@pytest.fixture
def build(built: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(shutil.copytree(built, tmp_path / "build"))


def test_every_operator_of_a_small_network_is_compared_on_all_kept_inputs_and_the_record_kept(
    build: BuildFolder,
) -> None:
    record = BuildCheck(build, SECONDS).finish()
    check, kept = record.check, build.document.samples
    assert kept is not None
    assert kept.count > 4
    assert (check.source, check.inputs, check.unexplained, record.faults) == ("compile", kept.count, 0, ())
    assert check.sha256 == build.document.compiled_sha256
    assert check.operators == len(build.document.operators) or check.left_out
    assert 0 < record.seconds < record.limit_s < SECONDS
    assert record_of(build) == record


def test_kernels_that_end_their_process_leave_a_record_that_says_so(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_check, "check_build", lambda *_: os.abort())
    record = BuildCheck(build, SECONDS).finish()
    assert (record.check.source, record.faults) == ("none", ())
    assert record.check.left_out == ("the kernels ended the check of operators (SIGABRT)",)
    assert record_of(build) == record


def test_a_check_that_takes_too_long_is_ended_in_time(build: BuildFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_check, "check_build", lambda *_: time.sleep(60))
    began = time.monotonic()
    record = BuildCheck(build, 0.5).finish()
    assert time.monotonic() - began < 30
    assert record.check.left_out == ("the time of 0.5 s was up before the first operators had been compared",)


def test_a_check_takes_no_longer_than_vela_and_a_part_of_its_time_for_large_networks() -> None:
    assert [time_for(vela_s) for vela_s in (0.2, 1.0, 20.0)] == pytest.approx([0.17, 0.5, 8.0])


def test_what_the_time_did_not_suffice_for_is_left_out_by_name(build: BuildFolder) -> None:
    record = check_build(build, time.monotonic())
    assert record.check.operators < len(build.document.operators)
    assert any("the time limit was reached before" in sentence for sentence in record.check.left_out)
    assert record.faults == ()


def test_an_old_record_does_not_stand_for_a_check_that_failed(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BuildCheck(build, SECONDS).finish().check.source == "compile"
    monkeypatch.setattr(build_check, "check_build", lambda *_: 1 / 0)
    assert BuildCheck(build, SECONDS).finish().check.source == "none"


def test_a_later_run_takes_over_what_compile_checked_and_what_its_user_did_not_want_checked(
    build: BuildFolder,
) -> None:
    record = BuildCheck(build, SECONDS).finish()
    found = checked_before(build)
    assert found is not None
    assert (found.check, found.results) == (record.check, record.operators)
    keep_record(build, not_checked(build, SKIPPED))
    found = checked_before(build)
    assert found is not None
    assert (found.check.source, found.check.left_out) == ("none", (SKIPPED,))


def test_a_later_run_makes_a_check_that_compile_could_not_make_or_not_to_its_end(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_record(build, check_build(build, time.monotonic()))
    assert checked_before(build) is None
    monkeypatch.setattr(build_check, "check_build", lambda *_: os.abort())
    BuildCheck(build, SECONDS).finish()
    assert checked_before(build) is None


def test_a_build_for_u85_is_checked_operator_by_operator(mlperf_tiny: dict[str, Path], tmp_path: Path) -> None:
    model = tflite.read(mlperf_tiny["image_classification"])
    options = compile_options(npu_named("U85-256"))
    build = compile_model(model, options, tmp_path / "build", name="ic", source="ic.tflite")
    record = check_build(build, time.monotonic() + SECONDS)
    # The operators between a convolution and an addition are chained: their tensors never are in memory.
    assert (record.check.operators, record.check.unexplained, record.check.left_out) == (16, 0, ())


def test_an_operation_that_the_model_refuses_is_said_to_be_unchecked_and_named(tmp_path: Path) -> None:
    """Vela makes integer divisions of quantized ones on U85, and nothing says how these are rounded."""
    options = compile_options(npu_named("U85-256"))
    build = compile_model(tflite.load(division()), options, tmp_path / "build", name="div", source="div.tflite")
    record = check_build(build, time.monotonic() + SECONDS)
    assert record.check.source == "none"
    assert "NPU_OP_ELEMENTWISE" in record.check.left_out[0] and "mode=DIV" in record.check.left_out[0]
    [fault] = record.faults
    assert "DIV: a defect of Vela, its command stream divides integers and leaves out the factor 50" in fault


def test_missing_kernels_are_said_and_what_the_commands_tell_is_told_all_the_same(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    record = check_build(build, time.monotonic() + SECONDS)
    assert (record.check.source, record.faults) == ("none", ())
    assert "need ai-edge-litert" in record.check.left_out[0]
