"""The numbers between which made-up data makes sense, read from what a model does with its inputs."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.judging.input_ranges import input_ranges


def test_a_quantized_input_takes_all_its_type_holds_around_its_zero_point() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, (1, 4), "int8", 0.5, -3) for name in "xy")
    writer.operator("RELU", [x], [y])
    found = input_ranges(tflite.load(writer.finish({"x": x}, {"y": y})))["x"]
    assert (found.low, found.high, found.zero, found.drawn) == (-128, 127, -3, True)


def test_a_float_input_has_the_range_of_the_quantize_behind_it() -> None:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 4), "float32"), writer.tensor("y", (1, 4), "int8", 0.5, -128)
    writer.operator("QUANTIZE", [x], [y])
    found = input_ranges(tflite.load(writer.finish({"x": x}, {"y": y})))["x"]
    assert (found.low, found.high, found.zero) == (0, 127.5, 0)


def test_indices_stay_within_what_is_indexed_however_they_get_there() -> None:
    writer = GraphWriter()
    ids = writer.tensor("ids", (1, 6), "int32")
    flat = writer.tensor("flat", (6,), "int32")
    table = writer.tensor("table", (40, 8), "int8", 0.5, 0, np.ones((40, 8), np.int8))
    rows = writer.tensor("rows", (6, 8), "int8", 0.5, 0)
    writer.operator("RESHAPE", [ids], [flat], schema.ReshapeOptionsT())
    writer.operator("GATHER", [table, flat], [rows], schema.GatherOptionsT())
    found = input_ranges(tflite.load(writer.finish({"ids": ids}, {"rows": rows})))["ids"]
    assert (found.low, found.high, found.drawn) == (0, 39, False)


def test_whole_numbers_that_index_nothing_take_all_their_type_holds() -> None:
    writer = GraphWriter()
    x, y = (writer.tensor(name, (1, 4), "int32") for name in "xy")
    writer.operator("ABS", [x], [y])
    found = input_ranges(tflite.load(writer.finish({"x": x}, {"y": y})))["x"]
    assert (found.low, found.high, found.zero) == (-(2**31), 2**31 - 1, 0)


def test_indices_that_a_choice_stands_in_front_of_stay_within_what_is_indexed() -> None:
    """As Keras' Embedding makes it: negative numbers count from the end."""
    writer = GraphWriter()
    ids, chosen, shifted = (writer.tensor(name, (1, 6), "int32") for name in ("ids", "chosen", "shifted"))
    below = writer.tensor("below", (1, 6), "bool")
    zero = writer.tensor("zero", (), "int32", data=np.int32(0))
    rows = writer.tensor("rows", (), "int32", data=np.int32(40))
    table = writer.tensor("table", (40, 8), "int8", 0.5, 0, np.ones((40, 8), np.int8))
    y = writer.tensor("y", (1, 6, 8), "int8", 0.5, 0)
    writer.operator("LESS", [ids, zero], [below])
    writer.operator("ADD", [ids, rows], [shifted], schema.AddOptionsT())
    writer.operator("SELECT", [below, shifted, ids], [chosen])
    writer.operator("GATHER", [table, chosen], [y], schema.GatherOptionsT())
    found = input_ranges(tflite.load(writer.finish({"ids": ids}, {"y": y})))["ids"]
    assert (found.low, found.high, found.drawn) == (0, 39, False)


def test_a_place_to_cut_from_stays_within_what_is_cut() -> None:
    writer = GraphWriter()
    begin = writer.tensor("begin", (2,), "int32")
    sizes = writer.tensor("sizes", (2,), "int32", data=np.int32([4, 8]))
    table = writer.tensor("table", (40, 16), "int8", 0.5, 0, np.ones((40, 16), np.int8))
    y = writer.tensor("y", (4, 8), "int8", 0.5, 0)
    writer.operator("SLICE", [table, begin, sizes], [y], schema.SliceOptionsT())
    found = input_ranges(tflite.load(writer.finish({"begin": begin}, {"y": y})))["begin"]
    assert (found.low, found.high) == (0, 8)
