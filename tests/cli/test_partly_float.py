"""Models with an int8 body and float operators: compiled, shown, judged; and what is refused for being float."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partly_float import detector, island, tail
from tflite_writer import GraphWriter, schema

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.judging.comparison import FLOAT_TOLERANCE


def compiled(content: bytes) -> BuildFolder:
    Path("m.tflite").write_bytes(content)
    words = ["compile", "m.tflite", "--npu", "U55-128", "-o", "out", "--advice", "none", "-q"]
    assert run(words) == 0
    return BuildFolder.open(Path("out"))


def judged(*words: str) -> dict[str, Any]:
    assert run([*words, "out", "-q", "--json", "verdict.json"]) == 0
    found: dict[str, Any] = json.loads(Path("verdict.json").read_text())
    return found


@pytest.mark.parametrize(
    ("content", "share"),
    [
        (tail(), "1 of 3 operators (33%) compute in floating point, on the CPU: NEG"),
        (island(), "1 of 5 operators (20%) compute in floating point, on the CPU: SQRT"),
        (detector(), "1 of 5 operators (20%) compute in floating point, on the CPU: TFLite_Detection_PostProcess"),
    ],
    ids=["tail", "island", "detector"],
)
def test_they_compile_and_the_share_of_float_operators_is_said(
    content: bytes, share: str, in_folder: Path
) -> None:
    build = compiled(content)
    assert share in build.document.warnings
    assert not any(warning.startswith("float inputs or outputs") for warning in build.document.warnings)
    assert build.document.runner_lacks == ()
    floats = [each for each in build.document.cpu_operators if (each.reason or "").startswith("computes in float")]
    assert [each.type for each in floats] == [share.split(": ")[1]]
    judged("verify")


def test_a_float_output_has_a_stated_tolerance_and_what_it_starts_from_decides(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    compiled(tail())
    document = judged("verify")
    output, inside = document["outputs"]
    assert (output["name"], output["decided_inside"], output["exact"]) == ("negative", True, False)
    assert output["float_tolerance"] == pytest.approx(FLOAT_TOLERANCE * 12.7)
    assert inside["name"] == "size (in front of float operators)"
    assert inside["float_tolerance"] is None
    assert run(["verify", "out"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "agrees with the NPU model within 0.0001 of the largest value" in said


def test_a_detectors_lists_end_where_it_found_no_more(in_folder: Path) -> None:
    compiled(detector())
    z = np.full((2, 24, 3), -128, np.int8)
    z[0, 3, 1], z[1, 5, 2], z[1, 20, 1] = 100, 90, 80
    np.savez("in.npz", x=np.zeros((2, 24, 4), np.int8), z=z)
    document = judged("verify", "--inputs", "in.npz")
    assert all(output["mismatches"] == 0 for output in document["outputs"])


@pytest.mark.system
@pytest.mark.parametrize("content", [tail(), island(), detector()], ids=["tail", "island", "detector"])
def test_arms_runner_computes_them_as_the_host_does(content: bytes, in_folder: Path) -> None:
    compiled(content)
    document = judged("run-fvp", "--fvp", "open")
    assert document["target_comparison"]["left_out"] == ""
    assert all(output["agrees"] for output in document["target_comparison"]["outputs"])


def weights_alone() -> bytes:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 8), "float32"), writer.tensor("y", (1, 4), "float32")
    weights = writer.tensor("w", (4, 8), "int8", 0.1, data=np.ones((4, 8), np.int8))
    writer.operator("FULLY_CONNECTED", [x, weights, -1], [y], schema.FullyConnectedOptionsT())
    return writer.finish({"x": x}, {"y": y})


def wholly_float() -> bytes:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 8), "float32"), writer.tensor("y", (1, 8), "float32")
    writer.operator("NEG", [x], [y], schema.NegOptionsT())
    return writer.finish({"x": x}, {"y": y})


def for_the_edge_tpu() -> bytes:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 8), "int8", 0.1), writer.tensor("y", (1, 8), "int8", 0.1)
    writer.operator("edgetpu-custom-op", [x], [y], custom=b"package")
    return writer.finish({"x": x}, {"y": y})


@pytest.mark.parametrize(
    ("content", "problem", "way_out"),
    [
        (
            weights_alone(),
            "only its weights are quantized (int8), these operators compute in floating point",
            "deploy quantize MODEL --data DATA -o model.tflite, with the float model it comes from",
        ),
        (
            wholly_float(),
            "not quantized, these operators compute in floating point: NEG",
            "deploy quantize MODEL --data DATA -o model.tflite, with this file or the Keras model it comes from",
        ),
        (
            for_the_edge_tpu(),
            "compiled for Google's Edge TPU already (it holds edgetpu-custom-op operators)",
            "pass the model that it was compiled from",
        ),
    ],
    ids=["weights", "float", "edge tpu"],
)
def test_what_computes_nothing_in_integers_here_is_refused_with_the_reason(
    content: bytes, problem: str, way_out: str, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("m.tflite").write_bytes(content)
    assert run(["compile", "m.tflite", "--npu", "U55-128"]) == 2
    said = " ".join(capfd.readouterr().err.split())
    assert problem in said
    assert way_out in said
