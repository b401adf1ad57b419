"""Parsing what Vela writes, with the shapes that its output really has."""

import pytest

from deploy.compiling.vela_reports import Fallback, VelaLayer, parse_fallbacks, parse_layers, parse_summary
from deploy.debug_database import DebugDatabase

LOG = """Tensor 'x' has a dynamic signature in axis 0. Setting shape axis 0 to 1 and proceeding.

Warning (supported operators) operator: DEQUANTIZE, ofm: 'it's; a, name'
Reason: Unsupported opType

Warning (supported operators) operator: QUANTIZE, ofm: 'input_1_int8'
Reason: Operation has tensor with unsupported DataType Float32 (input_1)
Feature-map dataTypes must be one of {"INT16", "INT32"}

CPU operators = 2 (4.9%)
"""

PER_LAYER = """Original Operator,NNG Operator,Target,Op Cycles,MAC Count,Name
Conv2D,Conv2D,NPU,100,5000,"a,b"
Conv2D,Relu,NPU,0,0,"a,b"
Dequantize,Passthrough,CPU,0,0,c
"""

DEBUG = """<?xml version='1.0' encoding='UTF-8'?>
<debug source="m">
<table name="perf_debug">
<![CDATA[
"id"
]]>
</table>
<table name="perf">
<![CDATA[
"id","source_id","optimised_id","operator","name","op_cycles"
7,2,1,"Conv2D","a,b",100
9,2,2,"Relu","a,b",0
4,3,5,"Passthrough","c",0
]]>
</table>
<table name="source">
<![CDATA[
"id","operator","ext_key"
2,"Conv2D",0
3,"Dequantize",5
]]>
</table>
</debug>
"""


def test_fallbacks_keep_odd_names_and_join_the_lines_of_a_reason() -> None:
    assert parse_fallbacks(LOG) == (
        Fallback("DEQUANTIZE", "it's; a, name", "Unsupported opType"),
        Fallback(
            "QUANTIZE",
            "input_1_int8",
            "Operation has tensor with unsupported DataType Float32 (input_1); "
            'Feature-map dataTypes must be one of {"INT16", "INT32"}',
        ),
    )


def test_layers_are_joined_with_the_index_of_their_source_operator() -> None:
    layers = parse_layers(PER_LAYER, DebugDatabase(DEBUG).operations)
    assert [layer.source_operator for layer in layers] == [0, 0, 5]
    assert [layer.on_cpu for layer in layers] == [False, False, True]
    assert layers[0].number("Op Cycles") == 100
    assert layers[0].number("no such column") == 0


@pytest.mark.parametrize(
    "debug", ["", DEBUG.replace('"c",0', '"d",0'), DEBUG.replace('9,2,2,"Relu","a,b",0\n', "")]
)
def test_layers_that_the_debug_database_does_not_match_stay_without_index(debug: str) -> None:
    layers = parse_layers(PER_LAYER, DebugDatabase(debug).operations)
    assert [layer.source_operator for layer in layers] == [None, None, None]
    assert layers[0].cells["MAC Count"] == 5000


def test_names_that_the_two_files_write_differently_are_joined_by_their_numbers() -> None:
    debug = DEBUG.replace('"op_cycles"\n', '"op_cycles","mac_count"\n').replace('"a,b",100', '"a""b",100,5000')
    layers = parse_layers(PER_LAYER, DebugDatabase(debug).operations)
    assert [layer.source_operator for layer in layers] == [0, 0, 5]


def test_what_is_no_number_counts_as_none() -> None:
    assert VelaLayer({"Op Cycles": float("nan")}, None).number("Op Cycles") == 0


def test_the_summary_becomes_numbers_and_text() -> None:
    summary = parse_summary("network,inference_time,nn_macs\ndemo,0.25,12\n")
    assert summary == {"network": "demo", "inference_time": 0.25, "nn_macs": 12}
    with pytest.raises(ValueError, match="no data row"):
        parse_summary("network,inference_time\n")


def test_shares_of_a_total_of_zero_are_text_since_json_has_no_such_number() -> None:
    layers = parse_layers("Original Operator,Target,Op Cycles,Peak%,Name\nGather,CPU,0,nan,c\n", ())
    assert [(layer.cells["Op Cycles"], layer.cells["Peak%"]) for layer in layers] == [(0, "nan")]
