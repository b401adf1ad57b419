"""The record of ``compile``'s check: bound to the compiled model and this version, and what counts as a fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.build_folder import VERIFICATION_DOCUMENT, BuildFolder
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import FirstDifference, Miscompilation, OperatorResult
from deploy.judging.verification_record import VerificationRecord, keep_record, not_checked, record_of


@pytest.fixture
def build(built: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(shutil.copytree(built, tmp_path / "build"))


def record(build: BuildFolder, *operators: OperatorResult, **changes: object) -> VerificationRecord:
    check = OperatorCheck(operators=3, source="compile", sha256=build.document.compiled_sha256)
    return VerificationRecord(check=check, operators=operators, **changes)  # type: ignore[arg-type]


def differing(**changes: object) -> OperatorResult:
    fields: dict[str, object] = {
        "index": 3,
        "type": "SUM",
        "name": "sum",
        "dtype": "int8",
        "absorbs": (),
        "elements": 10,
        "mismatches": 2,
        "max_lsb": 4.0,
        "first": FirstDifference(input=1, position=(0, 5), npu=7, reference=3),
    }
    return OperatorResult(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_record_that_was_kept_is_found_again(build: BuildFolder) -> None:
    kept = keep_record(build, record(build))
    assert record_of(build) == kept


def test_one_of_another_model_another_version_or_damaged_is_not_used(build: BuildFolder) -> None:
    keep_record(build, VerificationRecord(check=OperatorCheck(sha256="0" * 64)))
    assert record_of(build) is None
    keep_record(build, record(build, deploy="0.0.1"))
    assert record_of(build) is None
    keep_record(build, record(build, schema_version=2))
    assert record_of(build) is None
    (build.path / VERIFICATION_DOCUMENT).write_text("{")
    assert record_of(build) is None
    (build.path / VERIFICATION_DOCUMENT).unlink()
    assert record_of(build) is None


def test_what_was_not_checked_says_why_and_is_no_fault(build: BuildFolder) -> None:
    kept = not_checked(build, "nobody wanted it")
    assert (kept.check.source, kept.check.left_out, kept.faults) == ("none", ("nobody wanted it",), ())


def test_faults_are_operators_without_a_cause_what_vela_is_known_for_and_outputs_that_nothing_writes(
    build: BuildFolder,
) -> None:
    known = Miscompilation(name="k", what="SUM: a defect of Vela", way_around="one axis after another")
    found = record(
        build,
        differing(cause="rounding"),
        differing(index=4),
        differing(index=5, mismatches=0, miscompiled=known),
        unwritten=("output y: nothing writes it",),
    )
    unwritten, unexplained, miscompiled = found.faults
    assert unwritten == "output y: nothing writes it"
    assert unexplained.startswith("operator 4 SUM (sum) equals no oracle: 2 of 10")
    assert miscompiled.endswith("is miscompiled: SUM: a defect of Vela; way around: one axis after another")
