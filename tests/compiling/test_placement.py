"""The operator table joins Vela's reports with the source model, and says when they do not add up."""

from pathlib import Path

import pytest

from deploy.compiling import vela
from deploy.compiling.placement import place
from deploy.compiling.vela import VelaOptions, VelaResult
from deploy.compiling.vela_reports import Layer
from deploy.hardware.npus import npu_named
from deploy.tflite import model as tflite_model
from deploy.tflite.model import Model


@pytest.fixture(scope="module")
def anomaly(mlperf_tiny: dict[str, Path]) -> tuple[Model, Model, VelaResult]:
    """Fully connected network with float inputs and outputs and a shape computation that Vela folds away."""
    npu = npu_named("U55-128")
    source = tflite_model.read(mlperf_tiny["anomaly_detection"])
    result = vela.compile_bytes(
        source.content, VelaOptions(npu, npu.system_config, npu.memory_mode), source="anomaly"
    )
    return source, tflite_model.load(result.compiled), result


def test_every_operator_of_the_source_model_has_its_row(anomaly: tuple[Model, Model, VelaResult]) -> None:
    source, compiled, result = anomaly
    placement = place(source, compiled, result.layers, result.fallbacks)
    assert [record.type for record in placement.operators] == [operator.code for operator in source.operators]
    assert placement.warnings == ()
    assert sum(record.npu_cycles or 0 for record in placement.operators) == result.summary["cycles_total"]
    assert sum(record.macs or 0 for record in placement.operators) == result.summary["nn_macs"]


def test_cpu_operators_carry_velas_reason_and_folded_ones_are_not_among_them(
    anomaly: tuple[Model, Model, VelaResult],
) -> None:
    source, compiled, result = anomaly
    placement = place(source, compiled, result.layers, result.fallbacks)
    on_cpu = [record for record in placement.operators if record.placement == "CPU"]
    assert [record.type for record in on_cpu] == ["QUANTIZE", "DEQUANTIZE"]
    assert "unsupported DataType Float32" in (on_cpu[0].reason or "")
    assert on_cpu[1].reason == "Unsupported opType"
    shape = next(record for record in placement.operators if record.type == "SHAPE")
    assert (shape.placement, shape.npu_cycles) == ("NPU", None)


def test_without_the_debug_database_operators_are_found_by_their_output(
    anomaly: tuple[Model, Model, VelaResult],
) -> None:
    source, compiled, result = anomaly
    blind = [Layer(layer.cells, None) for layer in result.layers]
    placement = place(source, compiled, blind, result.fallbacks)
    assert [record.type for record in placement.operators if record.placement == "CPU"] == [
        "QUANTIZE",
        "DEQUANTIZE",
    ]
    assert all(record.npu_cycles is None for record in placement.operators)
    assert placement.warnings == ()


def test_a_cpu_operator_that_cannot_be_found_is_reported(anomaly: tuple[Model, Model, VelaResult]) -> None:
    source, _, result = anomaly
    # The source model stands in for a compiled one that keeps operators under names nobody knows.
    stranger = tflite_model.load(source.content.replace(b"Identity\x00", b"Idontknow\x00"[:9]))
    placement = place(source, stranger, [], result.fallbacks)
    assert "16 of them were found" in placement.warnings[0]
