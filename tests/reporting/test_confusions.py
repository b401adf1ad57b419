"""Confusion tables: float model or truth first, labels bounded, every input counted."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.judging.verdict import Prediction, Verdict
from deploy.reporting.charts.outputs import _confusion
from deploy.reporting.data.confusions import MAX_LABELS, confusions_of


def verdict_of(*predictions: Prediction) -> Verdict:
    return Verdict(
        verdict="pass",
        exit_status=0,
        reason="",
        inputs=len(predictions),
        reference="LiteRT",
        tolerance=1,
        build="b",
        platform=None,
        firmware=None,
        predictions=predictions,
    )


def test_without_labels_the_quantized_reference_stands_in() -> None:
    predictions = [Prediction(input=0, output="y", target="1", reference="2")]
    (confusion,) = confusions_of(verdict_of(*predictions))
    assert (confusion.against, confusion.counts, confusion.agreement) == (
        "quantized reference",
        {("2", "1"): 1},
        0,
    )


def test_float_model_and_truth_each_get_a_table() -> None:
    predictions = [
        Prediction(input=0, output="y", target="cat", reference="cat", true="cat", float_model="dog"),
        Prediction(input=1, output="y", target="dog", reference="dog", true="dog", float_model="dog"),
    ]
    found = {confusion.against: confusion for confusion in confusions_of(verdict_of(*predictions))}
    assert found["float model"].counts == {("dog", "cat"): 1, ("dog", "dog"): 1}
    assert found["true label"].agreement == 1.0


def test_class_numbers_stand_in_their_own_order() -> None:
    predictions = [Prediction(input=i, output="y", target=str(i), reference=str(i)) for i in (10, 9, 2)]
    (confusion,) = confusions_of(verdict_of(*predictions))
    assert confusion.labels == ("2", "9", "10")


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=200))
def test_every_input_is_counted_or_said_to_be_left_out(pairs: list[tuple[int, int]]) -> None:
    predictions = [
        Prediction(input=i, output="y", target=str(b), reference=str(a)) for i, (a, b) in enumerate(pairs)
    ]
    (confusion,) = confusions_of(verdict_of(*predictions))
    assert sum(confusion.counts.values()) + confusion.left_out == len(pairs)
    assert len(confusion.labels) <= MAX_LABELS
    assert {label for pair in confusion.counts for label in pair} <= set(confusion.labels)
    assert len(_confusion("c", confusion).spec["data"]["values"]) == len(confusion.counts)
