"""Counts are what one would count by hand, and do not depend on how the data is cut into batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deploy.data.heads import Head
from deploy.evaluating.scoring import Tally
from deploy.judging.confidence import wilson_interval

HEAD = Head("pet", 3)
NAMES = ("cat", "dog", "bird")


def one_hot(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.uint8)[list(classes)] * 9


def test_accuracy_confusion_and_classes_by_hand() -> None:
    tally = Tally(HEAD, NAMES, ("reference", "target"), top_k=2)
    said = tally.add({"reference": one_hot(0, 1, 1), "target": one_hot(0, 2, 1)}, np.array([0, 1, 2]))
    assert said["target"].tolist() == [0, 2, 1]
    tally.add({"reference": one_hot(0), "target": one_hot(0)}, np.array([0]))
    result = tally.result()
    target, reference = result.score("target"), result.score("reference")
    assert target and reference and result.score("float") is None
    assert (target.correct, target.count, target.accuracy) == (2, 4, 0.5)
    assert (target.low, target.high) == wilson_interval(2, 4)
    assert target.confusion == ((0, 0, 2), (1, 2, 1), (2, 1, 1))
    assert [(item.name, item.count, item.correct) for item in target.classes] == [
        ("cat", 2, 2),
        ("dog", 1, 0),
        ("bird", 1, 0),
    ]
    assert reference.correct == 3
    # [0, 0, 9] for a dog: bird first, then cat before dog.
    assert (reference.top_k_correct, target.top_k_correct) == (3, 2)
    (pair,) = result.agreements
    assert (pair.first, pair.second, pair.same_class, pair.exact) == ("reference", "target", 3, 3)


def test_a_class_without_inputs_has_no_interval() -> None:
    tally = Tally(HEAD, (), ("target",))
    tally.add({"target": one_hot(0)}, np.array([0]))
    (score,) = tally.result().scores
    assert (score.classes[1].name, score.classes[1].low, score.classes[1].high) == ("1", None, None)
    assert score.top_k_correct is None


def test_the_float_model_agrees_by_class_only() -> None:
    tally = Tally(HEAD, NAMES, ("float", "reference", "target"))
    values = one_hot(0, 1)
    tally.add({"float": values / 9.1, "reference": values, "target": values + 1}, np.array([0, 0]))
    pairs = {(pair.first, pair.second): pair for pair in tally.result().agreements}
    assert pairs["float", "target"].exact is None and pairs["float", "target"].same_class == 2
    assert pairs["reference", "target"].exact == 0 and pairs["reference", "target"].same_class == 2


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30), st.integers(1, 29))
def test_batches_do_not_change_the_counts(cases: list[tuple[int, int]], cut: int) -> None:
    true, values = np.array([case[0] for case in cases]), one_hot(*(case[1] for case in cases))
    whole, parts = Tally(HEAD, NAMES, ("target",), top_k=2), Tally(HEAD, NAMES, ("target",), top_k=2)
    whole.add({"target": values}, true)
    for part in (slice(0, cut), slice(cut, None)):
        parts.add({"target": values[part]}, true[part])
    assert whole.result() == parts.result()
    (score,) = whole.result().scores
    assert sum(count for *_, count in score.confusion) == len(cases)
    assert score.correct == sum(item.correct for item in score.classes)
