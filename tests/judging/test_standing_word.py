"""Several verdicts in one word: a failure stands for all, else the one that says most, nearest to the hardware."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.judging.evidence import Evidence
from deploy.judging.standing_word import decisive, stamp_of, word_of
from deploy.judging.verdict import Verdict


def verdict(word: Any, *weak: str) -> Verdict:
    return Verdict(
        verdict=word,
        exit_status=0,
        reason="r",
        inputs=1,
        reference="k",
        tolerance=1,
        build="b",
        platform=None,
        firmware=None,
        evidence=Evidence(inputs=1, input_source="", weak=weak),
    )


def test_a_pass_on_weak_evidence_is_weak_and_a_failure_is_not() -> None:
    assert word_of(verdict("pass", "one input")) == "weak"
    assert word_of(verdict("fail", "one input")) == "fail"
    assert word_of(None) == "none"


@pytest.mark.parametrize(
    ("verdicts", "command"),
    [
        ({}, ""),
        ({"verify": verdict("pass"), "run-fvp": verdict("pass")}, "run-fvp"),
        ({"verify": verdict("pass"), "run-fvp": verdict("pass", "w")}, "verify"),
        ({"verify": verdict("pass"), "run-board": verdict("error"), "check": verdict("fail")}, "check"),
        ({"verify": verdict("no_reference"), "run-board": verdict("error")}, "run-board"),
    ],
)
def test_which_verdict_stands_for_all(verdicts: dict[str, Verdict], command: str) -> None:
    assert decisive(verdicts) == (command, verdicts.get(command))


def test_stamps_are_for_people() -> None:
    assert [stamp_of(word) for word in ("pass", "weak", "fail", "none", "no_reference")] == [
        "PASS",
        "PASS, weak",
        "FAIL",
        "No verdict yet",
        "No verdict",
    ]
