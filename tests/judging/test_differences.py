"""How differences are spread: exact bars where values are few, equal-width bars beyond, the worst inputs first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deploy.judging.comparison import OutputScale, compare_output
from deploy.judging.differences import MAX_BINS, MAX_WORST, lsb_differences, lsb_histogram, worst_inputs


def test_equal_outputs_are_one_bar_at_zero_and_no_worst_input() -> None:
    same = np.zeros((3, 4), np.int8)
    compared = compare_output("y", same, same, OutputScale(1.0, 0, 1.0))
    assert [(b.low, b.high, b.elements) for b in compared.lsb_histogram] == [(0, 0, 12)]
    assert compared.worst_inputs == ()


def test_few_values_each_get_their_own_bar_with_their_sign() -> None:
    bars = lsb_histogram(np.array([[-1, 0, 0, 2]]))
    assert [(b.low, b.high, b.elements) for b in bars] == [(-1, -1, 1), (0, 0, 2), (2, 2, 1)]


def test_differences_of_bytes_do_not_wrap_around() -> None:
    differences = lsb_differences(np.array([[0]], np.uint8), np.array([[255]], np.uint8), 1.0)
    assert differences is not None
    assert differences.tolist() == [[-255]]


def test_floats_are_counted_in_units_of_the_last_place() -> None:
    differences = lsb_differences(np.float32([[0.3]]), np.float32([[0.1]]), 0.1)
    assert differences is not None
    assert differences.tolist() == [[2.0]]


def test_without_a_unit_or_a_number_there_is_no_histogram() -> None:
    assert lsb_differences(np.float32([[0.3]]), np.float32([[0.1]]), 0.0) is None
    assert lsb_differences(np.float32([[np.nan]]), np.float32([[0.1]]), 0.1) is None
    compared = compare_output("y", np.float32([[np.nan]]), np.float32([[0.1]]), OutputScale(1.0, 0, 0.1))
    assert compared.lsb_histogram == ()


def test_the_worst_inputs_come_first_and_those_that_agree_not_at_all() -> None:
    differences = np.array([[0, 0], [1, -1], [0, -3], [1, 0]])
    worst = worst_inputs(differences)
    assert [(w.input, w.mismatches, w.max_lsb) for w in worst] == [(2, 1, 3.0), (1, 2, 1.0), (3, 1, 1.0)]


@given(arrays.arrays(np.int64, (5, 60), elements=st.integers(-70000, 70000)))
def test_every_element_is_counted_once_and_everything_is_bounded(differences: np.ndarray) -> None:
    bars = lsb_histogram(differences)
    assert sum(b.elements for b in bars) == differences.size
    assert len(bars) <= MAX_BINS
    assert min(b.low for b in bars) == differences.min()
    assert max(b.high for b in bars) == differences.max()
    assert len(worst_inputs(differences)) <= MAX_WORST
