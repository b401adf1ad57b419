"""The real Vela, run through its command line."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.compiling import vela, vela_command
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.compiling.compiler import VELA
from deploy.compiling.vela_command import command_line
from deploy.compiling.vela_reports import parse_fallbacks
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named


def options(npu: str, limit: int | None = None) -> CompileOptions:
    return compile_options(npu_named(npu), sram_limit=limit)


def test_the_command_line_names_everything_and_never_show_cpu_operations() -> None:
    words = command_line(options("U65-512", 1000), "m.tflite", "out")
    assert words[:4] == [sys.executable, "-P", "-m", "ethosu.vela"]
    text = " ".join(words)
    assert "--accelerator-config ethos-u65-512 --config Arm/vela.ini" in text
    assert "--system-config Ethos_U65_High_End --memory-mode Dedicated_Sram_384KB --optimise Performance" in text
    assert text.endswith("--arena-cache-size 1000")
    assert "--show-cpu-operations" not in words
    words = command_line(options("U55-128"), "m.tflite", "out", allocator="LinearAlloc")
    assert words[-2:] == ["--tensor-allocator", "LinearAlloc"] and "--arena-cache-size" not in words


@pytest.mark.parametrize("name", ["U55-32", "U55-256", "U65-512", "U85-1024"])
def test_a_model_is_compiled_for_every_family(mlperf_tiny: dict[str, Path], name: str) -> None:
    compiled = VELA.compile(tflite.read(mlperf_tiny["keyword_spotting"]), options(name))
    summary = compiled.output.summary
    assert [operator.code for operator in compiled.model.operators] == ["QUANTIZE", "ethos-u", "DEQUANTIZE"]
    assert summary["nn_macs"] > 2_000_000  # type: ignore[operator]
    assert sum(layer.number("Op Cycles") for layer in compiled.layers) == summary["cycles_total"]
    assert all(layer.source_operator is not None for layer in compiled.layers)
    fallbacks = parse_fallbacks(compiled.output.log)
    assert {fallback.operator for fallback in fallbacks} >= {"QUANTIZE", "DEQUANTIZE"}
    assert set(compiled.output.files) >= {"model_per-layer.csv", "model_debug.xml", vela.LOG_FILE}


def test_random_and_truncated_files_end_in_a_clear_error_and_no_files(
    mlperf_tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vela itself ends in a traceback or a segmentation fault on these."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = mlperf_tiny["keyword_spotting"].read_bytes()
    for damaged in (content[:3000], b"\x1c\x00\x00\x00TFL3" + bytes(range(256)) * 8):
        with pytest.raises(BadInputError, match=r"damaged: Vela (ended with status|was killed by)") as caught:
            vela.compile_bytes(damaged, options("U55-128"), source="damaged")
        assert "Traceback" not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def quantize_of_32_bits() -> bytes:
    graph = GraphWriter("quantize")
    x, y = graph.tensor("x", (1, 4, 4, 8), "int32", 0.001, 0), graph.tensor("y", (1, 4, 4, 8), "int8", 0.03, 5)
    graph.operator("QUANTIZE", [x], [y], schema.QuantizeOptionsT(), version=2)
    return graph.finish({"x": x}, {"y": y})


def softmax_of_32_bits() -> bytes:
    graph = GraphWriter("softmax")
    x, y = (graph.tensor(name, (1, 4, 4, 8), "int32") for name in "xy")
    graph.operator("SOFTMAX", [x], [y], schema.SoftmaxOptionsT())
    return graph.finish({"x": x}, {"y": y})


@pytest.mark.parametrize(
    ("write", "said", "operator"),
    [
        (quantize_of_32_bits, "Could not find a valid OFM microblock for Quantize with 32-bit input.", "Quantize"),
        (softmax_of_32_bits, "RuntimeError: Non-passthrough operation (Softmax) could not run on NPU", "Softmax"),
    ],
)
def test_an_operator_that_vela_stumbles_over_is_named_once(
    write: Callable[[], bytes], said: str, operator: str
) -> None:
    """For U85 it crashes in the one case."""
    with pytest.raises(BadInputError) as caught:
        vela.compile_bytes(write(), options("U85-256"), source="m")
    assert caught.value.message.endswith(f": {said}")
    assert f"it has no {operator} of these numbers on this NPU" in caught.value.hints[0]


def test_a_vela_that_does_not_end_is_killed(mlperf_tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vela_command, "TIMEOUT_S", 0.01)
    content = mlperf_tiny["keyword_spotting"].read_bytes()
    with pytest.raises(BadInputError, match="Vela took too long"):
        vela.compile_bytes(content, options("U55-128"), source="kws")
