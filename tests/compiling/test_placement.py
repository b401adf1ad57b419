"""The operator table joins Vela's reports with the source model, and says when they do not add up."""

from pathlib import Path

import pytest

from deploy import tflite
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA, Compiled
from deploy.compiling.placement import placement_of
from deploy.compiling.vela_reports import VelaLayer, parse_fallbacks
from deploy.hardware.npus import npu_named


@pytest.fixture(scope="module")
def anomaly(mlperf_tiny: dict[str, Path]) -> Compiled:
    """Fully connected network with float inputs and outputs and a shape computation that Vela folds away."""
    source = tflite.read(mlperf_tiny["anomaly_detection"])
    return VELA.compile(source, compile_options(npu_named("U55-128")), source="anomaly")


def test_every_operator_of_the_source_model_has_its_row(anomaly: Compiled) -> None:
    placement, summary = anomaly.placement, anomaly.output.summary
    assert [record.type for record in placement.operators] == [op.code for op in anomaly.source.operators]
    assert placement.warnings == ()
    assert sum(record.npu_cycles or 0 for record in placement.operators) == summary["cycles_total"]
    assert sum(record.macs or 0 for record in placement.operators) == summary["nn_macs"]


def test_cpu_operators_carry_velas_reason_and_folded_ones_are_not_among_them(anomaly: Compiled) -> None:
    on_cpu = anomaly.cpu_operators
    assert [record.type for record in on_cpu] == ["QUANTIZE", "DEQUANTIZE"]
    assert "unsupported DataType Float32" in (on_cpu[0].reason or "")
    assert on_cpu[1].reason == "Unsupported opType"
    shape = next(record for record in anomaly.placement.operators if record.type == "SHAPE")
    assert (shape.placement, shape.npu_cycles) == ("NPU", None)


def test_without_the_debug_database_operators_are_found_by_their_output(anomaly: Compiled) -> None:
    blind = [VelaLayer(layer.cells, None) for layer in anomaly.layers]
    placement = placement_of(anomaly.source, anomaly.model, blind, parse_fallbacks(anomaly.output.log))
    assert [record.type for record in placement.operators if record.placement == "CPU"] == [
        "QUANTIZE",
        "DEQUANTIZE",
    ]
    assert all(record.npu_cycles is None for record in placement.operators)
    assert placement.warnings == ()


def test_a_cpu_operator_that_cannot_be_found_is_reported(anomaly: Compiled) -> None:
    # The source model stands in for a compiled one that keeps operators under names nobody knows.
    stranger = tflite.load(anomaly.source.content.replace(b"Identity\x00", b"Idontknow\x00"[:9]))
    placement = placement_of(anomaly.source, stranger, [], parse_fallbacks(anomaly.output.log))
    assert "16 of them were found" in placement.warnings[0]
