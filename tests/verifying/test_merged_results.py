"""Results of several rounds are those of one round with all inputs."""

from deploy.judging.operator_result import FirstDifference, OperatorResult
from deploy.verifying.merged_results import merged, with_faults


def result(mismatches: int = 0, cause: str | None = None, agrees_with: tuple[str, ...] = ()) -> OperatorResult:
    first = FirstDifference(input=1, position=(0,), npu=1, reference=2) if mismatches else None
    return OperatorResult(
        index=3,
        type="ADD",
        name="sum",
        dtype="int8",
        absorbs=(),
        elements=10,
        mismatches=mismatches,
        max_lsb=float(mismatches),
        first=first,
        cause=cause,
        agrees_with=agrees_with,
    )


def test_elements_and_mismatches_add_up_and_inputs_are_counted_on() -> None:
    (joined,) = merged([(result(),), (result(2, "rounds twice"),)], [4, 8])
    assert (joined.elements, joined.mismatches, joined.max_lsb) == (20, 2, 2.0)
    assert joined.first is not None
    assert joined.first.input == 5
    assert joined.explained


def test_one_round_without_a_cause_is_enough_to_fail() -> None:
    for rounds in ([result(1, "known"), result(3)], [result(3), result(1, "known")]):
        (joined,) = merged([(each,) for each in rounds], [4, 4])
        assert not joined.explained
        assert joined.mismatches == 4


def test_kernels_explain_a_difference_only_where_they_agree_in_all_rounds() -> None:
    one, other = result(1, "agrees", ("TFLM",)), result(1, "agrees", ("optimised",))
    both = result(1, "agrees", ("TFLM", "optimised"))
    (joined,) = merged([(one,), (other,)], [4, 4])
    assert not joined.explained
    (joined,) = merged([(one,), (both,)], [4, 4])
    assert joined.explained
    assert joined.agrees_with == ("TFLM",)


def test_an_operator_that_a_later_round_did_not_reach_keeps_its_result() -> None:
    assert merged([(result(),), ()], [4, 4]) == (result(),)


def test_results_on_made_up_values_take_the_place_of_others_only_where_nothing_explains_them() -> None:
    assert with_faults((result(),), (result(5, "rounds twice"),)) == (result(),)
    assert with_faults((result(),), ()) == (result(),)
    (fault,) = with_faults((result(),), (result(5),))
    assert (fault.made_up, fault.mismatches, fault.explained) == (True, 5, False)
    assert with_faults((result(3),), (result(5),)) == (result(3),)
