"""Which differences are known, and which are not."""

from __future__ import annotations

from dataclasses import replace

from deploy.judging.known_differences import TFLM, Evidence, explain, summarise
from deploy.judging.operator_result import FirstDifference, Miscompilation, OperatorResult

DENSE = Evidence("FULLY_CONNECTED", "int8", 1, 0.002, (), 0.0)


def test_one_lsb_in_few_elements_of_a_fully_connected_layer_is_known() -> None:
    cause = explain(DENSE)
    assert cause is not None
    assert "rounds once" in cause


def test_two_lsb_or_many_elements_are_not_unless_tflm_agrees() -> None:
    assert explain(replace(DENSE, max_lsb=2)) is None
    assert explain(replace(DENSE, share=0.5)) is None
    assert explain(replace(DENSE, share=0.5, agreeing=(TFLM,))) is not None


def test_a_convolution_has_no_known_difference() -> None:
    assert explain(replace(DENSE, code="CONV_2D")) is None


def test_exact_agreement_with_other_kernels_is_a_cause_that_names_them() -> None:
    cause = explain(replace(DENSE, code="SUM", max_lsb=200, share=1.0, agreeing=("LiteRT's optimised kernels",)))
    assert cause is not None
    assert "optimised" in cause


def test_a_sum_that_overflows_litert_is_known() -> None:
    assert explain(replace(DENSE, code="SUB", max_lsb=126, overflow=1.9)) is not None
    assert explain(replace(DENSE, code="SUB", max_lsb=126, overflow=0.9)) is None


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


def test_nothing_to_explain_is_said() -> None:
    assert summarise([result(mismatches=0)]) == ("every operator computes what the reference computes",)
