"""The first operators of a model as a model of its own: what stays, what changes, what is refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tflite_writer import GraphWriter, schema

from deploy.errors import BadInputError
from deploy.tflite import Model, load
from deploy.tflite.prefix import live_after, prefix

SHAPE = (1, 4)


def chain() -> Model:
    """in -> a -> b -> c, with ``late`` as another input of the last one, and a constant in the first."""
    graph = GraphWriter("chain")
    names = ("in", "late", "a", "b", "c")
    first, late, a, b, c = (graph.tensor(name, SHAPE, "int8", 0.1, 0) for name in names)
    constant = graph.tensor("constant", SHAPE, "int8", 0.1, 0, np.arange(4, dtype=np.int8))
    for inputs, output in (([first, constant], a), ([a, first], b), ([b, late], c)):
        graph.operator("ADD", inputs, [output], schema.AddOptionsT())
    return load(graph.finish({"in": first, "late": late}, {"a": a, "c": c}))


def named(model: Model, indices: tuple[int, ...]) -> set[str]:
    return {model.tensors[index].name for index in indices}


@pytest.mark.parametrize(
    ("operator", "expected"),
    [(-1, {"in", "late"}), (0, {"in", "late", "a"}), (1, {"late", "a", "b"}), (2, {"a", "c"})],
)
def test_live_is_what_exists_and_is_needed(operator: int, expected: set[str]) -> None:
    model = chain()
    assert named(model, live_after(model, operator)) == expected


def test_a_prefix_ends_early_and_gives_out_what_the_rest_would_need() -> None:
    model = chain()
    part = load(prefix(model, 1, {}))
    assert [operator.outputs for operator in part.operators] == [op.outputs for op in model.operators[:2]]
    assert named(part, part.outputs) == {"late", "a", "b"}
    assert part.inputs == model.inputs
    assert [tensor.name for tensor in part.tensors] == [tensor.name for tensor in model.tensors]


def test_all_operators_make_the_same_model() -> None:
    model = chain()
    part = load(prefix(model, 2, {}))
    assert (set(part.outputs), part.operators) == (set(model.outputs), model.operators)


@pytest.mark.parametrize("content", [b"\x09\x08\x07\x06", bytes(range(64)), b"\xa7"])
def test_a_constant_gets_another_content_of_any_size_at_an_address_that_the_npu_takes(content: bytes) -> None:
    model = chain()
    constant = next(tensor for tensor in model.tensors if tensor.name == "constant")
    patched = prefix(model, 0, {constant.index: content})
    part = load(patched)
    changed = part.tensors[constant.index]
    assert changed.data is not None and changed.data.tobytes() == content
    assert changed.nbytes == len(content)
    assert patched.index(content, len(model.content)) % 16 == 0
    assert constant.data is not None and constant.data.tobytes() == bytes(range(4))


def test_content_that_several_tensors_share_stays_as_it_is() -> None:
    model = chain()
    with pytest.raises(BadInputError, match=r"the tensor 'a' shares its content"):
        prefix(model, 0, {model.operators[0].outputs[0]: b"1234"})


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_file_is_an_error_of_ours_or_another_model(position: int, value: int) -> None:
    model = chain()
    content = bytearray(model.content)
    content[position % len(content)] = value
    damaged = Model(**{**vars(model), "content": bytes(content)})
    with contextlib.suppress(BadInputError):
        load(prefix(damaged, 1, {5: b"12345678"}))
