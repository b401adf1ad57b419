"""Which outputs have classes, and which class an output names."""

import numpy as np
import pytest

from deploy.data.heads import Head, check_classes
from deploy.errors import BadInputError
from deploy.evaluating.ranking import NO_CLASS, ranks, top_class


def test_of_equal_values_the_first_class_counts() -> None:
    values = np.array([[1, 3, 3, 2], [5, 5, 5, 5]], np.uint8)
    assert top_class(values).tolist() == [1, 0]
    assert ranks(values, np.array([2, 3])).tolist() == [1, 3]
    assert ranks(values, np.array([1, 0])).tolist() == [0, 0]


def test_rank_zero_is_the_top_class() -> None:
    values = np.random.default_rng(0).integers(0, 4, (500, 6)).astype(np.int8)
    true = np.random.default_rng(1).integers(0, 6, 500)
    assert np.array_equal(ranks(values, true) == 0, top_class(values) == true)
    assert ranks(values, true).max() <= 5


def test_what_is_no_number_is_no_class_and_never_right() -> None:
    values = np.array([[0.1, np.nan, 0.2], [0.1, 0.3, np.inf]], np.float32)
    assert top_class(values).tolist() == [NO_CLASS, 2]
    assert ranks(values, np.array([1, 2])).tolist() == [3, 0]


def test_class_names_must_be_as_many_as_classes() -> None:
    check_classes(Head("kind", 2), (), "x")
    check_classes(Head("kind", 2), ("cat", "dog"), "x")
    with pytest.raises(BadInputError, match=r"labels\.json: 3 class names for kind, which has 2 classes"):
        check_classes(Head("kind", 2), ("a", "b", "c"), "labels.json")
