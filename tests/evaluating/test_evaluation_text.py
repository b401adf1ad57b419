"""What an evaluation prints: everyone who classified, the classes that matter, a verdict only with limits."""

import io

import numpy as np
import pytest
from rich.console import Console

from deploy.data.heads import Head
from deploy.evaluating.documents import EvaluationDocument
from deploy.evaluating.scoring import Tally
from deploy.judging.origin import Platform
from deploy.reporting.text.evaluation import print_evaluation


@pytest.fixture
def evaluation() -> EvaluationDocument:
    """25 classes, two inputs each but none of the last; the target says 0 for classes 7 and 9."""
    true = np.repeat(np.arange(24), 2)
    said = np.where(np.isin(true, (7, 9)), 0, true)
    tally = Tally(Head("sign", 25), [f"sign {i}" for i in range(25)], ("float", "reference", "target"), top_k=3)
    values = {"float": np.eye(25)[true], "reference": np.eye(25)[true], "target": np.eye(25)[said]}
    tally.add(values, true)  # type: ignore[arg-type]
    return EvaluationDocument(
        verdict=None,
        exit_status=0,
        reason="on target sign 91.67%",
        build="b",
        model_sha256="m",
        inputs=48,
        data="signs.npz",
        input_sha256="i",
        platform=Platform(kind="host", executable="deploy.npu", version="NPU model", npu="U55-128"),
        reference="LiteRT BUILTIN_REF",
        float_model="signs.keras",
        outputs=(tally.result(),),
        wrong_only_on_target={"sign": 4},
        notes=("a note",),
    )


def printed(evaluation: EvaluationDocument, *, every_class: bool = False) -> str:
    stream = io.StringIO()
    print_evaluation(evaluation, Console(file=stream, width=80, soft_wrap=True), every_class=every_class)
    return stream.getvalue()


def test_accuracy_and_agreement_stand_beside_each_other(evaluation: EvaluationDocument) -> None:
    text = printed(evaluation)
    for row in (
        "sign float model 48 / 48 100.00%",
        "sign target 44 / 48 91.67%",
        "sign reference and target 91.67% 44 / 48",
        "wrong on target and right on the reference: 4 on sign",
        "note: a note",
        "float model: signs.keras",
    ):
        assert row in " ".join(text.split())
    assert "verdict" not in text and text.endswith("no limits asked for: on target sign 91.67%\n")
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_of_many_classes_those_with_most_errors_are_shown(evaluation: EvaluationDocument) -> None:
    text = printed(evaluation)
    assert "Classes of sign: the 20 of 25 with most errors on target" in text
    rows = [line for line in text.splitlines() if line.startswith(" sign ") and line.split()[1].isdecimal()]
    assert [row.split()[1] for row in rows[:2]] == ["7", "9"] and len(rows) == 20
    every = printed(evaluation, every_class=True)
    (empty,) = [line for line in every.splitlines() if line.startswith(" sign 24 ")]
    assert empty.split()[2:] == ["0", "-", "-", "-", "-"]


@pytest.mark.parametrize(("verdict", "last"), [("pass", "verdict: PASS - why"), ("fail", "verdict: FAIL - why")])
def test_with_limits_the_last_line_is_the_verdict(evaluation: EvaluationDocument, verdict: str, last: str) -> None:
    judged = evaluation.model_copy(update={"verdict": verdict, "reason": "why"})
    assert printed(judged).splitlines()[-1] == last
