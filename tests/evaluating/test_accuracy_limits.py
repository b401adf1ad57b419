"""``--fail-below`` and ``--max-drop`` are read strictly and applied to every output."""

import numpy as np
import pytest

from deploy.data.heads import Head
from deploy.errors import BadInputError
from deploy.evaluating.accuracy_limits import AccuracyLimits, broken_limits, parse_limits
from deploy.evaluating.documents import Contestant, OutputEvaluation
from deploy.evaluating.scoring import Tally


def outcome(name: str, **right: int) -> OutputEvaluation:
    """Ten inputs, of which each contestant gets so many right."""
    who: tuple[Contestant, ...] = tuple(right)  # type: ignore[assignment]
    tally = Tally(Head(name, 2), (), who)
    values = {key: np.eye(2)[[0] * count + [1] * (10 - count)] for key, count in right.items()}
    tally.add(values, np.zeros(10, np.int64))  # type: ignore[arg-type]
    return tally.result()


@pytest.mark.parametrize(
    ("below", "drop", "limits"),
    [
        ("90%", None, AccuracyLimits(0.9)),
        ("90", "0.5", AccuracyLimits(0.9, 0.5)),
        (" 99.5 % ", "0", AccuracyLimits(0.995, 0)),
        ("0%", "100", AccuracyLimits(0, 100)),
        ("0.5%", None, AccuracyLimits(0.005)),
        (None, None, AccuracyLimits()),
    ],
)
def test_limits_are_read(below: str | None, drop: str | None, limits: AccuracyLimits) -> None:
    assert parse_limits(below, drop) == limits


@pytest.mark.parametrize(
    ("below", "drop", "message", "hint"),
    [
        ("0.9", None, "--fail-below 0.9: a share of one, or percent?", "--fail-below 90%"),
        ("ninety", None, "--fail-below ninety: not a percentage", "--fail-below 90%"),
        ("101%", None, "--fail-below 101%: not a percentage", ""),
        ("-1%", None, "--fail-below -1%: not a percentage", ""),
        ("nan", None, "--fail-below nan: not a percentage", ""),
        (None, "0.5%", "--max-drop 0.5%: not a number of percentage points", "--max-drop 0.5"),
        (None, "101", "--max-drop 101: not a number of percentage points", ""),
    ],
)
def test_what_is_no_limit_is_refused(below: str | None, drop: str | None, message: str, hint: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_limits(below, drop)
    assert caught.value.message == message
    assert hint in " ".join(caught.value.hints)


def test_every_output_must_reach_the_accuracy() -> None:
    outputs = [outcome("kind", reference=9, target=9), outcome("garment", reference=9, target=8)]
    assert broken_limits(AccuracyLimits(0.9), outputs) == ["garment: 80.00% on target, below the 90% asked for"]
    assert broken_limits(AccuracyLimits(0.8), outputs) == []


def test_the_drop_is_from_the_float_model_and_without_one_from_the_reference() -> None:
    with_float, without = outcome("a", float=9, reference=8, target=7), outcome("b", reference=8, target=7)
    assert broken_limits(AccuracyLimits(drop=10), [with_float, without]) == [
        "a: 70.00% on target is 20.00 points below the float model (90.00%), at most 10 are allowed"
    ]
    assert len(broken_limits(AccuracyLimits(drop=9.9), [with_float, without])) == 2
    assert broken_limits(AccuracyLimits(drop=0), [outcome("c", float=5, reference=5, target=6)]) == []
