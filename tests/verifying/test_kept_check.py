"""A check that a build folder keeps stands for one that would be the same, and never hides a fault."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from deploy.build_folder import VERIFICATION_DOCUMENT, BuildFolder
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import VerificationRecord, keep_record, record_of
from deploy.verifying import kept_check, operator_check, verification
from deploy.verifying.build_check import check_build
from deploy.verifying.checked_operators import CheckedOperators
from deploy.verifying.deciding_versions import deciding_versions
from deploy.verifying.kept_check import checked_before, checked_on, keep_for_later
from deploy.verifying.usual_inputs import usual_inputs
from deploy.verifying.verification import Verification, VerifyOptions

SECONDS = 120.0


@pytest.fixture(scope="module")
def verified(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build that was verified once."""
    folder = shutil.copytree(built, tmp_path_factory.mktemp("kept") / "build")
    (folder / VERIFICATION_DOCUMENT).unlink()
    assert Verification(BuildFolder.open(folder), VerifyOptions()).run().verdict == "pass"
    return folder


@pytest.fixture
def build(verified: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(shutil.copytree(verified, tmp_path / "build"))


class Checks:
    """Counts the checks of operators that are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        made = operator_check.check_operators

        def check(*arguments: object, **options: object) -> CheckedOperators:
            self.made += 1
            return made(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(operator_check, "check_operators", check)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    return Checks(monkeypatch)


def verify(build: BuildFolder, **options: object) -> Verdict:
    return Verification(BuildFolder.open(build.path), VerifyOptions(**options)).run()  # type: ignore[arg-type]


def changed(build: BuildFolder, **fields: object) -> None:
    """Change fields of the record, as damage would: its digest stays."""
    path = build.path / VERIFICATION_DOCUMENT
    document = json.loads(path.read_text())
    document["check"] |= {name: value for name, value in fields.items() if name in document["check"]}
    document |= {name: value for name, value in fields.items() if name in document}
    path.write_text(json.dumps(document))


def test_a_verification_takes_over_the_check_that_it_would_make_once_more_and_says_so(
    build: BuildFolder, checks: Checks
) -> None:
    verdict = verify(build)
    assert (verdict.verdict, checks.made) == ("pass", 0)
    assert verdict.operator_check is not None
    assert verdict.operator_check.source == "an earlier run"
    assert "in an earlier run" in verdict.operator_check.sentences[0]
    assert verdict.inputs == len(usual_inputs(build).samples)
    assert record_of(build) is not None


def test_what_compile_checked_to_its_end_on_the_same_inputs_is_taken_over_as_well(
    build: BuildFolder, checks: Checks
) -> None:
    record = keep_record(build, check_build(build, time.monotonic() + SECONDS))
    assert record.in_time
    checked = verify(build).operator_check
    assert (checked, checks.made) == (record.check, 0)
    assert record.check.source == "compile"


def test_other_inputs_and_a_list_of_all_operators_are_checked_anew(build: BuildFolder, checks: Checks) -> None:
    samples = usual_inputs(build).samples
    other = {name: np.stack([sample[name] for sample in samples[::-1]]) for name in samples[0]}
    assert verify(build, layers=True).operators
    assert checks.made == 1
    checked = verify(build, inputs=other).operator_check
    assert checked is not None
    assert (checks.made, checked.source) == (2, "this run")
    assert verify(build, inputs=other).operator_check == checked.model_copy(update={"source": "an earlier run"})
    assert checks.made == 2


def test_a_check_on_few_inputs_does_not_take_the_place_of_one_on_more(build: BuildFolder, checks: Checks) -> None:
    before = record_of(build)
    assert verify(build, count=1).operator_check.inputs == 1  # type: ignore[union-attr]
    assert (checks.made, record_of(build)) == (1, before)
    (build.path / VERIFICATION_DOCUMENT).unlink()
    verify(build, count=1)
    assert record_of(build) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"operators": 7},
        {"sha256": "0" * 64},
        {"deploy": "0.0.1"},
        {"digest": ""},
        {"in_time": False},
        {"inputs": 1},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_record_that_was_damaged_is_of_another_file_or_another_version_is_not_believed(
    build: BuildFolder, checks: Checks, damage: dict[str, object]
) -> None:
    changed(build, **damage)
    assert record_of(build) is None
    checked = verify(build).operator_check
    assert checked is not None
    assert (checks.made, checked.source) == (1, "this run")


def test_other_code_kernels_or_another_npu_model_check_again(
    build: BuildFolder, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = deciding_versions()
    assert {"deploy", "code", "numpy", "ai-edge-litert", "npu-model"} <= set(known)
    monkeypatch.setattr(kept_check, "deciding_versions", lambda: {**known, "npu-model": "another"})
    assert checked_on(build, usual_inputs(build).samples) is None
    verify(build)
    assert checks.made == 1


def fault() -> OperatorResult:
    return OperatorResult(
        index=0,
        type="CONV_2D",
        name="x",
        dtype="int8",
        absorbs=(),
        elements=8,
        mismatches=1,
        max_lsb=1.0,
        first=None,
    )


def test_a_record_of_a_fault_is_checked_again_and_stays(build: BuildFolder, checks: Checks) -> None:
    before = record_of(build)
    assert before is not None
    kept = keep_record(build, before.model_copy(update={"operators": (fault(),)}))
    assert kept.faults
    verify(build)
    assert (checks.made, record_of(build)) == (1, kept)
    known = checked_before(build)
    assert known is not None
    assert known.results == (fault(),)


def test_a_check_that_found_a_fault_or_was_not_made_to_its_end_is_not_kept(build: BuildFolder) -> None:
    (build.path / VERIFICATION_DOCUMENT).unlink()
    check = OperatorCheck(inputs=64, source="this run", sha256=build.document.compiled_sha256)
    keep_for_later(build, CheckedOperators(check, (fault(),)))
    keep_for_later(build, CheckedOperators(check, (), in_time=False))
    assert record_of(build) is None
    keep_for_later(build, CheckedOperators(check, ()))
    assert isinstance(record_of(build), VerificationRecord)


def test_where_outputs_differ_the_operators_are_checked_again(
    build: BuildFolder, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_differing", lambda _opinion: [0])
    verify(build)
    assert checks.made >= 1
