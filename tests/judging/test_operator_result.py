"""What is said of an operator that is wrong."""

from __future__ import annotations

from deploy.judging.operator_result import ChannelDifference, OperatorResult

ONE = ChannelDifference(channel=22, what="multiplier", written=1200576726, meant=1200445654, channels=1)
EQUAL = OperatorResult(
    index=47, type="CONV_2D", name="squeeze", dtype="int8", absorbs=(), elements=96, mismatches=0, max_lsb=0
)
SCALED = EQUAL.model_copy(update={"scale_difference": ONE})


def test_an_operator_with_another_scale_is_wrong_though_it_computed_what_it_should() -> None:
    assert EQUAL.explained
    assert not SCALED.explained
    assert SCALED.fault == (
        "operator 47 CONV_2D (squeeze) is scaled otherwise than the model says: the multiplier of channel 22 is "
        "1200576726, by the model it is 1200445654"
    )


def test_a_known_cause_of_another_result_explains_no_other_scale() -> None:
    differs = SCALED.model_copy(update={"mismatches": 3, "max_lsb": 1.0, "cause": "rounds twice"})
    assert not differs.explained
    assert "oracle" not in differs.fault


def test_what_it_computed_is_said_as_well_where_nothing_explains_that() -> None:
    wrong = SCALED.model_copy(update={"mismatches": 3, "max_lsb": 2.0})
    assert wrong.fault.startswith("operator 47 CONV_2D (squeeze) is scaled otherwise than the model says: ")
    assert wrong.fault.endswith(
        "; it equals no oracle: 3 of 96 elements differ by up to 2 LSB, and no known cause explains it"
    )


def test_how_many_further_channels_differ_is_said() -> None:
    assert str(ONE.model_copy(update={"channels": 2})).endswith("1200445654 (1 more channel too)")
    assert str(ONE.model_copy(update={"channels": 16})).endswith("1200445654 (15 more channels too)")
