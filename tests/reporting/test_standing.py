"""How a build stands: the verdicts in plain words, the worst one first, and what to do next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.advising.documents import AdviceDocument, Costs, Hint
from deploy.build_folder import BuildFolder
from deploy.judging.comparison import OutputComparison
from deploy.judging.evidence import Evidence
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.origin import Platform
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import VerificationRecord
from deploy.reporting.data.report import Report, collect
from deploy.reporting.data.standing import Standing, standing_of


@pytest.fixture(scope="module")
def bare(residual: BuildFolder) -> Report:
    """A build that has nothing but its compilation."""
    return replace(collect(residual), verdicts={}, advice=None, evaluation=None, checked=None)


def verdict(
    word: str, *, mismatches: int = 0, lsb: float = 1, kind: str = "host", weak: tuple[str, ...] = ()
) -> Verdict:
    fields: dict[str, Any] = {
        "verdict": word,
        "platform": {"kind": kind, "executable": "x", "version": "1", "npu": "U55-128"},
    }
    return Verdict(
        exit_status=0 if word == "pass" else 1,
        reason="because of this",
        inputs=3,
        reference="kernels",
        tolerance=1,
        build="b",
        firmware=None,
        evidence=Evidence(inputs=3, input_source="", weak=weak),
        outputs=(OutputComparison(name="o", elements=30, mismatches=mismatches, max_lsb=lsb * (mismatches > 0)),),
        **{**fields, "platform": Platform(**fields["platform"])},
    )


def stands(report: Report, **more: Any) -> Standing:
    return standing_of(replace(report, **more))


def commands(standing: Standing) -> list[str]:
    return [command for step in standing.steps for command in step.commands]


def test_a_build_without_a_verdict_is_to_be_tested_first(bare: Report) -> None:
    found = stands(bare)
    assert (found.word, found.stamp) == ("none", "No verdict yet")
    assert commands(found)[:2] == ["deploy verify BUILD --data DATA", "deploy run-fvp BUILD"]
    checked = VerificationRecord(check=OperatorCheck(operators=16, sha256="x"))
    assert "16 operators were compared" in stands(bare, checked=checked).sentence


def test_a_pass_says_how_much_was_equal_and_where(bare: Report) -> None:
    found = stands(bare, verdicts={"verify": verdict("pass")})
    assert found.stamp == "PASS"
    assert found.sentence == (
        "All 30 numbers that it gave for 3 inputs on this computer's model of the NPU are exactly those of the "
        "original."
    )
    near = stands(bare, verdicts={"run-fvp": verdict("pass", mismatches=2, kind="open")})
    assert "2 differ" in near.sentence and "on a simulated board" in near.sentence


def test_the_worst_verdict_stands_for_all_and_of_passes_the_strongest(bare: Report) -> None:
    weak, good = verdict("pass", weak=("one input only",)), verdict("pass")
    assert stands(bare, verdicts={"verify": good, "run-fvp": verdict("fail")}).word == "fail"
    assert stands(bare, verdicts={"verify": good, "run-fvp": verdict("error")}).word == "error"
    assert stands(bare, verdicts={"verify": weak, "run-fvp": good}).word == "pass"
    told = stands(bare, verdicts={"verify": weak})
    assert (told.word, told.stamp) == ("weak", "PASS, weak")
    assert told.sentence.endswith("One input only.")


def test_an_operator_that_vela_miscompiled_is_a_failure_whatever_ran(bare: Report) -> None:
    checked = VerificationRecord(check=OperatorCheck(sha256="x"), unwritten=("output 0 is never written",))
    found = stands(bare, checked=checked, verdicts={"verify": verdict("pass")})
    assert found.word == "fail"
    assert "output 0 is never written" in found.sentence


def test_a_limit_that_is_broken_is_no_wrong_arithmetic(bare: Report) -> None:
    broken = stands(bare, verdicts={"check": verdict("fail")})
    assert "does not keep what was asked" in broken.title
    assert "--layers" not in " ".join(commands(broken))
    wrong = stands(bare, verdicts={"check": verdict("fail", mismatches=2, lsb=5)})
    assert "computes something else" in wrong.title
    assert commands(wrong)[0] == "deploy verify BUILD --layers"


@pytest.mark.parametrize(
    ("command", "word", "first"),
    [
        ("verify", "fail", "deploy report BUILD --advice full"),
        ("run-fvp", "error", "deploy doctor"),
        ("verify", "pass", "deploy run-fvp BUILD"),
        ("run-fvp", "pass", "deploy report BUILD --advice full"),
    ],
)
def test_every_verdict_has_a_next_step(bare: Report, command: str, word: str, first: str) -> None:
    assert commands(stands(bare, verdicts={command: verdict(word)}))[0] == first


def test_operators_on_the_cpu_too_little_memory_and_advice_are_next_steps(
    bare: Report, partly_on_cpu: BuildFolder
) -> None:
    other = stands(replace(collect(partly_on_cpu), sram_limit=1000), verdicts={"run-fvp": verdict("pass")})
    told = " ".join(step.what for step in other.steps)
    assert "more SRAM than there is" in told and "2 operators stay on the CPU" in told
    hint = Hint(
        kind="channels",
        title="conv",
        present=Costs(cycles=9),
        changed=Costs(cycles=5),
        source="Vela",
        action="16 channels",
        outputs="needs retraining",
    )
    advice = AdviceDocument(level="full", compiled_sha256="x", hints=(hint,), notes=())
    assert any("16 channels" in step.what for step in stands(bare, advice=advice).steps)
