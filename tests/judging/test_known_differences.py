"""Which differences are known, and which are not."""

from __future__ import annotations

from dataclasses import replace

from deploy.judging.known_differences import KnownFacts, explain, summarise
from deploy.judging.operator_result import ChannelDifference, FirstDifference, Miscompilation, OperatorResult

SUM = KnownFacts("SUM", "int8", agreeing=(), overflow=0.0, saturated=False)


def test_an_operator_that_equals_no_oracle_has_no_known_cause_however_small_the_difference() -> None:
    for code in ("FULLY_CONNECTED", "CONV_2D", "SUM", "HARD_SWISH"):
        assert explain(replace(SUM, code=code)) is None


def test_exact_agreement_with_other_kernels_is_a_cause_that_names_them() -> None:
    cause = explain(replace(SUM, agreeing=("LiteRT's optimised kernels",)))
    assert cause is not None
    assert "optimised" in cause


def test_an_overflow_of_litert_explains_elements_at_the_ends_of_the_range_alone() -> None:
    assert explain(replace(SUM, code="SUB", overflow=1.9, saturated=True)) is not None
    assert explain(replace(SUM, code="SUB", overflow=1.9, saturated=False)) is None
    assert explain(replace(SUM, code="SUB", overflow=0.9, saturated=True)) is None


def result(**changes: object) -> OperatorResult:
    fields: dict[str, object] = {
        "index": 3,
        "type": "CONV_2D",
        "name": "conv",
        "dtype": "int8",
        "absorbs": (),
        "elements": 10,
        "mismatches": 2,
        "max_lsb": 4.0,
        "first": FirstDifference(input=1, position=(0, 5), npu=7, reference=3),
    }
    return OperatorResult(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_first_operator_without_a_cause_is_named_with_both_values() -> None:
    known = result(index=1, cause="rounding")
    sentences = summarise([known, result(), result(index=5)])
    assert sentences[0] == "rounding (1 operator)"
    assert "operator 3 CONV_2D" in sentences[1]
    assert "NPU 7, reference 3" in sentences[1]
    assert len(sentences) == 2


def test_a_miscompilation_is_said_with_its_way_around_even_where_no_element_differs() -> None:
    known = Miscompilation(name="k", what="SUM: a defect of Vela", way_around="one axis after another")
    found = result(mismatches=0, miscompiled=known)
    assert not found.explained
    assert summarise([found]) == ("SUM: a defect of Vela; way around: one axis after another (1 operator)",)


def test_an_operator_with_another_scale_is_named_beside_one_that_differs() -> None:
    other = ChannelDifference(channel=7, what="shift", written=40, meant=41, channels=1)
    scaled = result(index=1, mismatches=0, first=None, scale_difference=other)
    named = "operator 1 CONV_2D (conv): the shift of channel 7 is 40, by the model it is 41"
    assert summarise([scaled]) == (named,)
    sentences = summarise([scaled, result()])
    assert "operator 3 CONV_2D" in sentences[0]
    assert sentences[1:] == (named,)


def test_nothing_to_explain_is_said() -> None:
    assert summarise([result(mismatches=0)]) == ("every operator computes what the reference computes",)
