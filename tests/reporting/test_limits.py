"""``--limit``: read strictly, applied exactly."""

import pytest
from reporting.compile_documents import figure

from deploy.errors import BadInputError
from deploy.reporting.data.limits import apply_limits, parse_limits

FIGURES = {
    item.name: item
    for item in (
        figure("sram_peak", 204_800, "bytes"),
        figure("inference_time", 2.0, "ms"),
        figure("total_cycles", 1000),
        figure("cpu_operators", 1, "operators"),
        figure("npu_operators", 9, "operators"),
        figure("accuracy_kind", 0.9, "1", "simulated"),
        figure("accuracy_garment", 0.7, "1", "simulated"),
    )
}


def broken(*texts: str) -> list[str]:
    return [outcome.figure for outcome in apply_limits(parse_limits(texts), FIGURES) if not outcome.holds]


@pytest.mark.parametrize(
    ("limit", "holds"),
    [
        ("sram<=200K", True),
        ("sram <= 200 KiB", True),
        ("sram_peak<=204800", True),
        ("sram<=204799B", False),
        ("sram<=0.1M", False),
        ("time<=2ms", True),
        ("time<=2", True),
        ("inference_time<=1999us", False),
        ("time<=0.002s", True),
        ("cycles<=1000", True),
        ("cycles<=999", False),
        ("cycles<=1000cycles", True),
        ("cpu_operators<=0", False),
        ("npu_operators>=9", True),
        ("npu_operators<=8", False),
        ("accuracy_kind>=90%", True),
        ("accuracy_kind>=90.001%", False),
    ],
)
def test_a_limit_holds_up_to_its_very_value(limit: str, holds: bool) -> None:
    assert (broken(limit) == []) == holds


def test_accuracy_stands_for_that_of_every_output() -> None:
    assert broken("accuracy>=75%") == ["accuracy_garment"]
    assert broken("accuracy>=95%") == ["accuracy_kind", "accuracy_garment"]


def test_the_outcome_says_value_limit_and_how_the_value_was_obtained() -> None:
    [outcome] = apply_limits(parse_limits(["sram<=100K"]), FIGURES)
    assert outcome.sentence == (
        "sram<=100K: SRAM peak is 204,800 bytes (estimate), the limit is at most 102,400 bytes"
    )
    assert (outcome.value, outcome.bound, outcome.label) == (204_800, 102_400, "estimate")


@pytest.mark.parametrize(
    ("limit", "says", "hint"),
    [
        ("sram", "'sram' is not a limit", "sram<=200K"),
        ("", "'' is not a limit", "sram<=200K"),
        ("sram<200K", "is not a limit", "sram<=200K"),
        ("sram<=-1", "is not a limit", "sram<=200K"),
        ("srm<=1", "there is no figure srm", "did you mean sram?"),
        ("inference<=1ms", "there is no figure inference", "did you mean inference_time?"),
        ("xyzzy<=1", "there is no figure xyzzy", "figures: cycles, time"),
        ("sram>=1K", "of SRAM peak less is better", "--limit 'sram<=1K'"),
        ("accuracy<=90%", "of accuracy more is better", "--limit 'accuracy>=90%'"),
    ],
)
def test_what_is_no_limit_is_refused_before_anything_is_compiled(limit: str, says: str, hint: str) -> None:
    with pytest.raises(BadInputError, match="--limit") as error:
        parse_limits([limit])
    assert says in error.value.message
    assert any(hint in each for each in error.value.hints)


def test_a_second_limit_for_a_figure_is_refused_but_a_range_where_neither_end_is_better() -> None:
    with pytest.raises(BadInputError, match="a second limit for the same figure"):
        parse_limits(["sram<=1K", "sram_peak<=2K"])
    assert broken("npu_operators>=9", "npu_operators<=9") == []


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("sram<=2ms", "sram_peak is a number alone, or with B, K"),
        ("cycles<=1K", "total_cycles is a number alone, or with cycles"),
        ("accuracy>=0.9", "accuracy_kind is a number with %"),
        ("accuracy_colour>=9%", "this build has no accuracy_colour"),
        ("flash<=1K", "this build has no flash"),
    ],
)
def test_a_value_of_another_kind_and_a_figure_that_is_not_there_are_refused(limit: str, says: str) -> None:
    with pytest.raises(BadInputError) as error:
        broken(limit)
    assert says in error.value.message


def test_an_accuracy_that_is_not_there_is_asked_for() -> None:
    with pytest.raises(BadInputError) as error:
        apply_limits(parse_limits(["accuracy>=90%"]), {"sram_peak": FIGURES["sram_peak"]})
    assert any("labels" in hint for hint in error.value.hints)
