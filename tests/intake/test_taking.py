"""What a user's .tflite becomes: one signature, names, outputs of their own, fixed shapes; and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partly_float import detector
from tflite_writer import GraphWriter, schema
from two_signatures import doubled, negated, two_signatures

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.intake.taking import take
from deploy.judging.reference import ReferenceKernels
from deploy.tflite.records import packed, unpacked


def changed(content: bytes, change: Callable[[Any], None]) -> bytes:
    """A file whose ModelT was changed."""
    record = unpacked(content)
    change(record)
    return packed(record)


def without_names(record: Any) -> None:
    record.signatureDefs = []
    for tensor in record.subgraphs[0].tensors:
        tensor.name = None


def answers(model: tflite.Model, value: int) -> dict[str, Any]:
    """What LiteRT computes of inputs that hold one number everywhere."""
    inputs = {
        name: np.full(model.tensors[i].shape, value, model.tensors[i].dtype)
        for i, name in model.input_names().items()
    }
    return {name: array.ravel().tolist() for name, array in ReferenceKernels(model).run(inputs).items()}


def test_an_ordinary_model_stays_as_it_is_to_the_last_byte() -> None:
    model = tflite.load(doubled())
    taken = take(model, "m.tflite")
    assert taken.model is model
    assert taken.notes == ()


@pytest.mark.parametrize(("key", "inputs", "outputs"), [("double", "first", "sum"), ("size", "second", "size")])
def test_the_chosen_signature_alone_is_left_and_the_others_are_named(key: str, inputs: str, outputs: str) -> None:
    taken = take(tflite.load(two_signatures()), "m.tflite", key)
    assert list(taken.model.input_names().values()) == [inputs]
    assert list(taken.model.output_names().values()) == [outputs]
    assert taken.model.tensor_counts == (2,)
    assert len(unpacked(taken.model.content).operatorCodes) == 1
    [note] = taken.notes
    other = {"double": "size", "size": "double"}[key]
    assert note == f"signature {key} is taken; --signature chooses another one: {other}"
    assert take(taken.model, "again").model is taken.model


def test_serving_default_is_chosen_wherever_it_stands() -> None:
    model = take(tflite.load(two_signatures("training", "serving_default")), "m.tflite").model
    assert list(model.input_names().values()) == ["second"]


def test_an_only_signature_of_a_later_subgraph_is_what_runs() -> None:
    def drop_first(record: Any) -> None:
        record.signatureDefs = record.signatureDefs[1:]

    taken = take(tflite.load(changed(two_signatures(), drop_first)), "m.tflite")
    assert list(taken.model.input_names().values()) == ["second"]
    assert taken.notes == ()


def test_several_signatures_without_a_default_and_unknown_ones_are_errors_that_name_them() -> None:
    model = tflite.load(two_signatures())
    with pytest.raises(BadInputError, match=r"holds 2 signatures \(double, size\)") as found:
        take(model, "m.tflite")
    assert found.value.hints == ("choose one: --signature double",)
    with pytest.raises(BadInputError, match=r"m.tflite: no signature encode \(its signatures: double, size\)"):
        take(model, "m.tflite", "encode")
    with pytest.raises(BadInputError, match=r"no signature encode \(its signatures: none\)"):
        take(tflite.load(changed(doubled(), without_names)), "m.tflite", "encode")


def test_subgraphs_that_control_flow_refers_to_stay_and_are_found_under_their_new_numbers() -> None:
    record = unpacked(two_signatures())
    record.subgraphs.append(unpacked(negated()).subgraphs[0])
    options = schema.IfOptionsT()
    options.thenSubgraphIndex = options.elseSubgraphIndex = 2
    record.subgraphs[1].operators[0].builtinOptionsType = schema.BuiltinOptions.IfOptions
    record.subgraphs[1].operators[0].builtinOptions = options
    kept = unpacked(take(tflite.load(packed(record)), "m.tflite", "size").model.content)
    assert len(kept.subgraphs) == 2
    assert kept.subgraphs[0].operators[0].builtinOptions.thenSubgraphIndex == 1


def test_a_signature_of_a_subgraph_that_is_not_there_is_damage() -> None:
    def point_nowhere(record: Any) -> None:
        record.signatureDefs[1].subgraphIndex = 7

    with pytest.raises(BadInputError, match="damaged"):
        take(tflite.load(changed(two_signatures(), point_nowhere)), "m.tflite", "double")


def test_one_input_and_one_output_need_no_names() -> None:
    taken = take(tflite.load(changed(doubled(), without_names)), "m.tflite")
    assert list(taken.model.input_names().values()) == ["input"]
    assert list(taken.model.output_names().values()) == ["output"]
    assert taken.notes == (
        "input tensor 0 has no name in the file: it is called input",
        "output tensor 1 has no name in the file: it is called output",
    )


def test_several_unnamed_inputs_go_by_position_and_namesakes_are_told_apart() -> None:
    writer = GraphWriter()
    a, b = writer.tensor("", (1, 8), "int8", 0.1), writer.tensor("", (1, 8), "int8", 0.1)
    y, z = writer.tensor("y", (1, 8), "int8", 0.2), writer.tensor("y", (1, 8), "int8", 0.2)
    writer.operator("ADD", [a, b], [y], schema.AddOptionsT(), version=2)
    writer.operator("ADD", [b, b], [z], schema.AddOptionsT(), version=2)
    content = writer.finish({"a": a, "b": b}, {"y": y, "z": z})

    def unsigned(record: Any) -> None:
        record.signatureDefs = []

    taken = take(tflite.load(changed(content, unsigned)), "m.tflite")
    assert list(taken.model.input_names().values()) == ["input_0", "input_1"]
    assert list(taken.model.output_names().values()) == ["y", "y_1"]
    assert taken.notes[-1] == "output tensor 3 shares the name y: it is called y_1"
    assert take(tflite.load(content), "m.tflite").notes == ()  # the signature has the names


def passing() -> bytes:
    """Outputs: the sum, the input itself, and the sum again."""

    def more(record: Any) -> None:
        graph, [definition] = record.subgraphs[0], record.signatureDefs
        graph.outputs = [1, 0, 1]
        for name, index in (("same", 0), ("again", 1)):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name, index
            definition.outputs.append(entry)

    return changed(doubled(), more)


def test_an_input_passed_through_and_an_output_named_twice_become_copies() -> None:
    taken = take(tflite.load(passing()), "m.tflite")
    assert len(set(taken.model.outputs)) == 3
    assert not set(taken.model.outputs) & set(taken.model.inputs)
    assert answers(taken.model, 3) == {"sum": [3] * 8, "same": [3] * 8, "again": [3] * 8}
    assert taken.notes == (
        "output 1 (same) is an input passed through: it is compiled as a copy (RESHAPE)",
        "output 2 (again) is another output again: it is compiled as a copy (RESHAPE)",
    )


def open_batch() -> bytes:
    """A network as a converter writes it that was not told the batch: [batch, 4, 2] -> [4 * batch, 2] -> back."""
    writer = GraphWriter()
    x = writer.tensor("x", (1, 4, 2), "int8", 0.1)
    shape, batch = writer.tensor("shape", (3,), "int32"), writer.tensor("batch", (), "int32")
    marks = [writer.tensor(f"mark{i}", (1,), "int32", data=np.int32([i])) for i in (0, 1)]
    two = writer.tensor("two", (), "int32", data=np.int32(2))
    minus_one = writer.tensor("minus_one", (), "int32", data=np.int32(-1))
    rows = writer.tensor("rows", (2,), "int32")
    # A guess, as a converter leaves it: with batch 1 it is [4, 2].
    flat, positive = (writer.tensor(name, (1, 1), "int8", 0.1) for name in ("flat", "positive"))
    back, y = writer.tensor("back", (2,), "int32"), writer.tensor("y", (1, 8), "int8", 0.1)
    strided = schema.StridedSliceOptionsT()
    strided.shrinkAxisMask = 1
    kind = schema.ShapeOptionsT()
    kind.outType = schema.TensorType.INT32
    writer.operator("SHAPE", [x], [shape], kind)
    writer.operator("STRIDED_SLICE", [shape, marks[0], marks[1], marks[1]], [batch], strided)
    pack = schema.PackOptionsT()
    pack.valuesCount = 2
    writer.operator("PACK", [minus_one, two], [rows], pack)
    writer.operator("RESHAPE", [x, rows], [flat], schema.ReshapeOptionsT())
    writer.operator("ABS", [flat], [positive], schema.AbsOptionsT())
    writer.operator("PACK", [batch, minus_one], [back], pack)
    writer.operator("RESHAPE", [positive, back], [y], schema.ReshapeOptionsT())

    def opened(record: Any) -> None:
        record.subgraphs[0].tensors[x].shapeSignature = [-1, 4, 2]

    return changed(writer.finish({"x": x}, {"y": y}), opened)


def test_an_open_batch_is_fixed_to_1_and_what_follows_from_it_is_constant() -> None:
    before = tflite.load(open_batch())
    taken = take(before, "m.tflite")
    assert [operator.code for operator in taken.model.operators] == ["RESHAPE", "ABS", "RESHAPE"]
    assert {tensor.name: tensor.shape for tensor in taken.model.tensors}["positive"] == (4, 2)
    assert answers(taken.model, -5) == answers(before, -5) == {"y": [5] * 8}
    assert taken.notes == ("open shapes are fixed, batch 1: x [-1, 4, 2]",)


def test_other_sizes_that_are_open_are_said() -> None:
    def opened(record: Any) -> None:
        record.subgraphs[0].tensors[0].shapeSignature = [-1, -1]

    taken = take(tflite.load(changed(doubled(), opened)), "m.tflite")
    assert taken.notes == ("sizes that the file leaves open are compiled as 1: first [-1, -1]",)


def without_shapes(content: bytes) -> bytes:
    """A detector as its converter leaves it: what its lists are like is known when it runs."""

    def forget(record: Any) -> None:
        for index in record.subgraphs[0].outputs:
            record.subgraphs[0].tensors[index].shape = []

    return changed(content, forget)


def test_lists_without_a_shape_get_the_one_that_litert_makes() -> None:
    taken = take(tflite.load(without_shapes(detector(most=6))), "m.tflite")
    shapes = {name: taken.model.tensors[i].shape for i, name in taken.model.output_names().items()}
    assert shapes == {"box": (1, 6, 4), "kind": (1, 6), "score": (1, 6), "number": (1,)}
    assert taken.notes == (
        "outputs without a shape in the file get the one that LiteRT makes: box, kind, score, number",
    )


def test_lists_of_an_operator_that_litert_does_not_have_are_said_to_have_no_shape() -> None:
    writer = GraphWriter()
    x, size = (writer.tensor(name, (1, 8), "int8", 0.1) for name in ("x", "size"))
    y = writer.tensor("poses", (), "float32")
    writer.operator("ABS", [x], [size], schema.AbsOptionsT())
    writer.operator("PoseDecoder", [size], [y], custom=b"")
    taken = take(tflite.load(writer.finish({"x": x}, {"poses": y})), "m.tflite")
    assert taken.notes == ("outputs have no shape in the file, and LiteRT cannot say it: poses",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (two_signatures(), ["--signature", "size"]),
        (changed(doubled(), without_names), []),
        (passing(), []),
        (open_batch(), []),
        (without_shapes(detector()), []),
    ],
    ids=["signatures", "unnamed", "passing", "open", "detector"],
)
def test_such_models_compile_report_verify_and_rewrite(content: bytes, words: list[str], in_folder: Path) -> None:
    Path("m.tflite").write_bytes(content)
    assert run(["compile", "m.tflite", "--npu", "U55-128", "-o", "out", "-q", *words]) == 0
    assert run(["report", "out", "-q"]) == 0
    assert run(["verify", "out", "-q"]) == 0
    notes = take(tflite.load(content), "m.tflite", words[-1] if words else None).notes
    assert set(notes) <= set(BuildFolder.open(Path("out")).document.warnings)
    assert run(["optimize", "m.tflite", "--npu", "U55-128", "-o", "o.tflite", "-q", *words]) == 0
