"""``--fail-on``: read strictly, applied exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting.compile_documents import build_figures, figure

from deploy.errors import BadInputError
from deploy.reporting.data.comparing import Comparison, compare
from deploy.reporting.data.rules import apply_rules, parse_rules


def comparison(cycles: float = 200, accuracy: float = 0.9, flash: float = 1000, *, others: int = 1) -> Comparison:
    first = build_figures(
        "build/a",
        figure("total_cycles", 200),
        figure("flash", 1000, "bytes"),
        figure("core_clock", 500, "MHz"),
        figure("accuracy_kind", 0.9, "1", "simulated"),
        figure("accuracy_garment", 0.7, "1", "simulated"),
    )
    second = build_figures(
        "build/b",
        figure("total_cycles", cycles),
        figure("flash", flash, "bytes"),
        figure("core_clock", 500, "MHz"),
        figure("accuracy_kind", accuracy, "1", "simulated"),
        figure("accuracy_garment", 0.7, "1", "simulated"),
    )
    return compare([first, *[first] * (others - 1), second])


def broken(text: str, compared: Comparison) -> list[tuple[str, str]]:
    return [(item.figure, item.build) for item in apply_rules(compared, parse_rules(text)) if not item.holds]


@pytest.mark.parametrize(
    ("rule", "cycles", "holds"),
    [
        ("cycles+5%", 210, True),
        ("cycles+5%", 210.001, False),
        ("cycles+0", 200, True),
        ("cycles+0", 201, False),
        ("total_cycles+1", 201, True),
        ("cycles-5%", 191, False),
        ("cycles-5%", 190, True),
        (" cycles + 5% ", 210, True),
    ],
)
def test_of_costs_the_limit_is_a_ceiling(rule: str, cycles: float, holds: bool) -> None:
    assert (broken(rule, comparison(cycles)) == []) == holds


@pytest.mark.parametrize(
    ("rule", "accuracy", "fails"),
    [
        ("accuracy-0.5", 0.895, []),
        ("accuracy-0.5", 0.8949, ["accuracy_kind"]),
        ("accuracy_garment-0.5", 0.1, []),
        ("accuracy_kind+1", 0.909, ["accuracy_kind"]),
        ("accuracy_kind+1", 0.91, []),
    ],
)
def test_of_accuracy_the_limit_is_a_floor_in_percentage_points(
    rule: str, accuracy: float, fails: list[str]
) -> None:
    assert [name for name, _ in broken(rule, comparison(accuracy=accuracy))] == fails


def test_sizes_take_k_and_m() -> None:
    assert broken("flash+1K", comparison(flash=2024)) == []
    assert broken("flash+1K", comparison(flash=2025)) == [("flash", "B")]
    assert broken("flash+1M", comparison(flash=2025)) == []


def test_every_build_is_held_to_the_rules_and_the_one_that_breaks_them_is_named() -> None:
    outcomes = apply_rules(comparison(220, others=2), parse_rules("cycles+5%"))
    assert [(item.build, item.holds) for item in outcomes] == [("B", True), ("C", False)]
    assert outcomes[1].sentence == (
        "cycles+5%: cycles, total of C (build/b) is 220 cycles (estimate), "
        "the limit is at most 210 cycles (A: 200 cycles)"
    )
    assert (outcomes[1].base, outcomes[1].limit, outcomes[1].value) == (200, 210, 220)


@pytest.mark.parametrize(
    ("rules", "message", "hint"),
    [
        ("cycels+5%", "--fail-on cycels+5%: there is no figure cycels", "did you mean cycles?"),
        ("acuracy_kind-1", "there is no figure acuracy_kind", "did you mean accuracy_kind?"),
        ("zzz+1", "there is no figure zzz", "figures: cycles, time"),
        ("cycles", "'cycles' is not a rule", "--fail-on cycles+5%,sram+0"),
        ("cycles+", "'cycles+' is not a rule", ""),
        ("cycles+5%,", "'' is not a rule", ""),
        ("", "'' is not a rule", ""),
        ("cycles+1e9", "'cycles+1e9' is not a rule", ""),
        ("cycles+nan", "'cycles+nan' is not a rule", ""),
        ("cycles+5 %", "'cycles+5 %' is not a rule", ""),
        ("cycles+5G", "cycles+5G: unknown unit G", "%, K, M, or nothing"),
        ("cycles+5K", "K goes with sizes, total_cycles is in cycles", ""),
        ("accuracy-1%", "is a share, of which percent are ambiguous", "accuracy-1: that many percentage points"),
        ("accuracy-1K", "K goes with sizes, accuracy_kind is in percentage points", ""),
        ("core_clock+0", "of core_clock neither more nor less is better", ""),
        ("cycles+1,total_cycles+2", "two rules for total_cycles", ""),
    ],
)
def test_what_is_no_rule_is_refused_by_name(rules: str, message: str, hint: str) -> None:
    with pytest.raises(BadInputError) as caught:
        apply_rules(comparison(), parse_rules(rules))
    assert message in caught.value.message
    assert hint in " ".join(caught.value.hints)


def test_a_figure_that_one_build_lacks_is_refused_with_that_build_and_a_way_to_get_it() -> None:
    known = build_figures("build/a", figure("accuracy_kind", 0.9, "1", "simulated"))
    with pytest.raises(BadInputError) as caught:
        apply_rules(compare([known, build_figures("build/b")]), parse_rules("accuracy-1"))
    assert caught.value.message == "--fail-on accuracy-1: build/b has no accuracy_kind"
    assert caught.value.hints == ("deploy evaluate build/b --data DATASET",)
    for rule in ("accuracy-1", "accuracy_kind-1"):
        with pytest.raises(BadInputError, match="no build has") as caught:
            apply_rules(compare([build_figures("a"), build_figures("b")]), parse_rules(rule))
        assert caught.value.hints == ("deploy evaluate BUILD --data DATASET",)


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_a_clear_error(text: str) -> None:
    try:
        rules = parse_rules(text)
    except BadInputError:
        return
    assert all(rule.figure and abs(rule.amount) < 1e15 for rule in rules)
