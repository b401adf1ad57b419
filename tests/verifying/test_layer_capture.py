"""What is captured of operators that Vela spreads over several command streams."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from gated_network import gated
from tflite_writer import GraphWriter, schema

from deploy.cli.main import run


def spread() -> bytes:
    """Halves of a tensor, each of which meets what the CPU makes of it.

    Vela computes UNPACK in two parts, in different streams: when the second runs, the memory of the first is
    another tensor's.
    """
    writer = GraphWriter()
    shape = (17,)
    x = writer.tensor("x", (17, 2), "int8", 0.1)
    soft = writer.tensor("soft", (17, 2), "int8", 16 / 256, 127)
    halves = [writer.tensor(name, shape, "int8", 16 / 256, 127) for name in ("one", "two")]
    unpack = schema.UnpackOptionsT()
    unpack.num, unpack.axis = 2, 1
    writer.operator("LOG_SOFTMAX", [x], [soft], schema.LogSoftmaxOptionsT())
    writer.operator("UNPACK", [soft], halves, unpack)
    sums = []
    for half in halves[::-1]:
        real, whole = (writer.tensor(f"{name}{half}", shape, "float32") for name in ("real", "whole"))
        narrow, added = (writer.tensor(f"{name}{half}", shape, "int8", 0.1, 3) for name in ("narrow", "added"))
        writer.operator("DEQUANTIZE", [half], [real])
        writer.operator("NEG", [real], [whole])
        writer.operator("QUANTIZE", [whole], [narrow])
        writer.operator("ADD", [narrow, half], [added], schema.AddOptionsT(), version=2)
        sums.append(added)
    y = writer.tensor("y", shape, "int8", 0.2)
    writer.operator("ADD", sums, [y], schema.AddOptionsT(), version=2)
    return writer.finish({"x": x}, {"y": y})


def test_parts_of_an_operator_are_taken_when_they_are_computed(in_folder: Path) -> None:
    Path("m.tflite").write_bytes(spread())
    words = ["compile", "m.tflite", "--npu", "U55-128", "-o", "out", "--advice", "none", "--verify", "none", "-q"]
    assert run(words) == 0
    assert run(["verify", "out", "--json", "verdict.json", "-q"]) == 0
    check = json.loads(Path("verdict.json").read_text())["operator_check"]
    assert (check["unexplained"], check["left_out"]) == (0, [])


def test_operators_that_are_chained_inside_the_npu_are_compared_all_the_same(in_folder: Path) -> None:
    Path("m.tflite").write_bytes(gated())
    words = ["compile", "m.tflite", "--npu", "U85-256", "-o", "out", "--advice", "none", "--verify", "none", "-q"]
    assert run(words) == 0
    assert run(["verify", "out", "--layers", "--json", "verdict.json", "-q"]) == 0
    verdict = json.loads(Path("verdict.json").read_text())
    check = verdict["operator_check"]
    assert (check["operators"], check["unexplained"], check["left_out"]) == (4, 0, [])


def test_what_prepares_an_input_is_no_result_of_an_operator_that_is_fused_into_the_next(in_folder: Path) -> None:
    """A product of square matrices, behind a table: the second one, transposed, is as large as the product."""
    writer = GraphWriter()
    shape = (1, 1, 6, 6)
    a, b = (writer.tensor(name, shape, "int8", 0.02, 3) for name in "ab")
    product, y = (
        writer.tensor("product", shape, "int8", 0.05, -9),
        writer.tensor("y", shape, "int8", 1 / 256, -128),
    )
    writer.operator("BATCH_MATMUL", [a, b], [product], schema.BatchMatMulOptionsT(), version=3)
    writer.operator("LOGISTIC", [product], [y])
    check(writer.finish({"a": a, "b": b}, {"y": y}))


def test_two_operators_that_become_one_are_compared_as_one(in_folder: Path) -> None:
    """Transposed there and back: one copy, which is the second one's."""
    writer = GraphWriter()
    shape = (1, 6, 6, 5)
    x, there, back = (writer.tensor(name, shape, "int8", 0.02, 3) for name in ("x", "there", "back"))
    axes = writer.tensor("axes", (4,), "int32", data=np.array([0, 2, 1, 3], np.int32))
    for source, result in ((x, there), (there, back)):
        writer.operator("TRANSPOSE", [source, axes], [result], schema.TransposeOptionsT(), version=4)
    check(writer.finish({"x": x}, {"y": back}))


def test_a_transpose_that_also_prepares_an_operand_is_compared_with_the_product(in_folder: Path) -> None:
    """Keys of attention: heads are brought to the front, and for the product to rows; Vela does both at once.

    What lies in memory then is as large as the keys in front of the product, and something else.
    """
    writer = GraphWriter()
    queries = writer.tensor("queries", (1, 2, 6, 6), "int8", 0.02, 3)
    keys = writer.tensor("keys", (1, 6, 2, 6), "int8", 0.02, 3)
    front = writer.tensor("front", (1, 2, 6, 6), "int8", 0.02, 3)
    product = writer.tensor("product", (1, 2, 6, 6), "int8", 0.05, -9)
    axes = writer.tensor("axes", (4,), "int32", data=np.array([0, 2, 1, 3], np.int32))
    writer.operator("TRANSPOSE", [keys, axes], [front], schema.TransposeOptionsT(), version=4)
    options = schema.BatchMatMulOptionsT()
    writer.operator("BATCH_MATMUL", [queries, front], [product], options, version=3)
    check(writer.finish({"queries": queries, "keys": keys}, {"product": product}))


def check(content: bytes) -> None:
    """All of a network's operators compute what they should, says compile."""
    Path("m.tflite").write_bytes(content)
    assert run(["compile", "m.tflite", "--npu", "U85-256", "-o", "out", "--advice", "none", "-q"]) == 0
    found = json.loads(Path("out/verification.json").read_text())["check"]
    assert (found["operators"], found["unexplained"], found["left_out"]) == (2, 0, [])
