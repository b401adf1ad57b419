"""State that a model hands out and takes in again."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.errors import BadInputError
from deploy.judging.external_state import handed_back, links_of, with_states
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.tflite import Model, Quantization, Tensor


def counter(*, state_out: str = "next", shape: tuple[int, ...] = (1, 4)) -> Model:
    """Adds its input to its state: both are handed out."""
    graph = GraphWriter()
    x = graph.tensor("x", (1, 4), "int8", 0.5, 0)
    state = graph.tensor("state", (1, 4), "int8", 0.5, -3)
    after = graph.tensor("after", shape, "int8", 0.5, -3)
    graph.operator("ADD", [x, state], [after], schema.AddOptionsT(), version=2)
    return tflite.load(graph.finish({"x": x, "state": state}, {state_out: after}))


def ones(count: int) -> list[Sample]:
    return [{"x": np.full((1, 4), 2, np.int8)} for _ in range(count)]


def test_a_sequence_begins_at_real_zero_and_goes_on_with_what_was_handed_out() -> None:
    model = counter()
    kernels = ReferenceKernels(model)
    links = links_of(["state=next"], model, sequence=True)
    samples = with_states(ones(4), links, model, lambda sample, _keep: kernels.run(sample))
    assert [int(sample["state"][0, 0]) for sample in samples] == [-3, -1, 1, 3]
    assert all((sample["x"] == 2).all() for sample in samples)


def test_what_data_holds_for_a_state_is_not_used() -> None:
    model = counter()
    given = [{**sample, "state": np.full((1, 4), 99, np.int8)} for sample in ones(2)]
    kernels = ReferenceKernels(model)
    links = links_of(["state=next"], model, sequence=True)
    samples = with_states(given, links, model, lambda sample, _keep: kernels.run(sample))
    assert [int(sample["state"][0, 0]) for sample in samples] == [-3, -1]


def test_the_first_inference_keeps_nothing_and_all_others_do() -> None:
    model, kept = counter(), list[bool]()

    def infer(_sample: Sample, keep: bool) -> Sample:
        kept.append(keep)
        return {"next": np.zeros((1, 4), np.int8)}

    with_states(ones(3), links_of(["state=next"], model, sequence=True), model, infer)
    assert kept == [False, True, True]


@pytest.mark.parametrize("text", ["state", "state=", "=next", "x=y", "state=x"])
def test_what_names_no_input_and_output_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(BadInputError, match="no INPUT=OUTPUT of this model") as caught:
        links_of([text], counter(), sequence=True)
    assert list(caught.value.hints) == ["inputs: state, x", "outputs: next"]


def test_an_input_has_one_output_and_names_may_hold_the_sign() -> None:
    assert links_of(["state=a=b"], counter(state_out="a=b"), sequence=True) == {"state": "a=b"}
    with pytest.raises(BadInputError, match="given twice"):
        links_of(["state=next", "state=next"], counter(), sequence=True)


def test_shapes_have_to_be_the_same() -> None:
    with pytest.raises(BadInputError, match=r"the input is \[1, 4\], the output \[4\]"):
        links_of(["state=next"], counter(shape=(4,)), sequence=True)


@pytest.mark.parametrize(
    ("given", "taken", "value", "expected"),
    [
        (("int8", 0.5, 0), ("int8", 0.5, 0), 7, 7),
        (("int8", 0.5, 2), ("int8", 0.25, -1), 7, 9),
        (("int8", 0.5, 2), ("uint8", 0.5, 130), 7, 135),
        (("int8", 2.0, 0), ("int8", 0.5, 0), 100, 127),
        (("int8", 0.5, 2), ("float32", None, 0), 7, 2.5),
        (("float32", None, 0), ("int16", 0.5, 0), 2.5, 5),
    ],
)
def test_a_state_is_handed_back_in_the_quantization_of_the_input(
    given: tuple, taken: tuple, value: float, expected: float
) -> None:
    def tensor(dtype: str, scale: float | None, zero: int) -> Tensor:
        quantization = None if scale is None else Quantization((scale,), (zero,))
        return Tensor(0, "t", (1,), dtype, quantization, None)

    result = handed_back(np.array([value], given[0]), tensor(*taken), tensor(*given))
    assert (result.dtype.name, result[0]) == (taken[0], expected)
