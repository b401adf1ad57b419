"""What Arm's runner can compute on its CPU: kernels from its image, types as they were measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from partly_float import detector, island
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.cli.main import run
from deploy.targets import runner_operators
from deploy.targets.runner_operators import lacking


def one(code: str, dtype: str, out: str | None = None) -> tflite.Model:
    """A model of one operator with one input."""
    writer = GraphWriter()
    scale = {"int8": 0.1, "uint8": 0.1, "int16": 0.001}
    x = writer.tensor("x", (1, 8), dtype, scale.get(dtype))
    y = writer.tensor("y", (1, 8), out or dtype, scale.get(out or dtype))
    writer.operator(code, [x], [y])
    return tflite.load(writer.finish({"x": x}, {"y": y}))


def test_what_the_images_hold_can_be_computed() -> None:
    assert lacking(tflite.load(island())) == ()
    assert lacking(tflite.load(detector())) == ()


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (one("SQRT", "int8"), "SQRT (y): its kernel takes float32, here it is given int8"),
        (one("HARD_SWISH", "int16"), "HARD_SWISH (y): its kernel takes float32, int8, here it is given int16"),
        (one("QUANTIZE", "float32", "uint8"), "QUANTIZE (y): its kernel takes int8, here it is given float32"),
        (one("SELECT", "int8"), "SELECT (y): it has no such kernel"),
        (one("REDUCE_MIN", "int8"), "REDUCE_MIN (y): it has no such kernel"),
    ],
    ids=["sqrt", "hard swish", "quantize", "select", "in one image only"],
)
def test_what_they_lack_is_named(model: tflite.Model, why: str) -> None:
    assert lacking(model) == (why,)


def test_a_detector_that_is_given_integers_is_named() -> None:
    model = tflite.load(detector(floats=False))
    why = "its kernel takes float32, here it is given int8"
    assert lacking(model) == (f"TFLite_Detection_PostProcess (box): {why}",)


def test_a_detector_with_more_boxes_than_the_arena_holds_is_named() -> None:
    model = tflite.load(detector(anchors=2000, classes=10, most=40))
    # 2000 boxes: a flag, 4 corners, 10 scores, 3 lists, and 5 lists for each of 40 detections; inputs and outputs.
    needed = 2000 * (1 + 4 * (4 + 10 + 3 + 5 * 40)) + 4 * (2000 * (4 + 10) + 40 * (4 + 1 + 1) + 1)
    (why,) = lacking(model, arena_bytes=needed - 1)
    assert f"at least {needed:,} bytes of the tensor arena, of which the runner has {needed - 1:,}" in why
    assert lacking(model, arena_bytes=needed) == ()


def test_weights_of_another_type_than_a_float_input_are_named() -> None:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 8), "float32"), writer.tensor("y", (1, 4), "float32")
    weights = writer.tensor("w", (4, 8), "int8", 0.1, data=np.ones((4, 8), np.int8))
    writer.operator("FULLY_CONNECTED", [x, weights, -1], [y], schema.FullyConnectedOptionsT())
    model = tflite.load(writer.finish({"x": x}, {"y": y}))
    assert lacking(model) == ("FULLY_CONNECTED (y): its kernel takes no int8 weights for float32 inputs",)


def attended(
    *,
    on_npu: int = 1,
    shape: tuple[int, ...] = (1, 1, 4, 8),
    scales: int = 1,
    dtype: str = "int8",
    pool: bool = False,
) -> tflite.Model:
    """FULLY_CONNECTED of two activations, as a transformer's heads have it, after some operators on the NPU."""
    writer = GraphWriter()
    scale = {"int8": 0.1, "int16": 0.001}[dtype]
    x, y = (writer.tensor(name, size, dtype, scale) for name, size in (("x", shape), ("y", (*shape[:-1], 4))))
    weights = writer.tensor("w", (4, shape[-1]), "int8", [0.1] * scales)
    given = x
    for number in range(on_npu):
        npu = writer.tensor(f"npu {number}", shape, dtype, scale)
        writer.custom("ethos-u", [given], [npu], {})
        given = npu
    if pool:
        mean = writer.tensor("mean", shape, dtype, scale)
        writer.operator("AVERAGE_POOL_2D", [given], [mean], schema.Pool2DOptionsT())
        given = mean
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    writer.operator("FULLY_CONNECTED", [given, weights, -1], [y], options)
    return tflite.load(writer.finish({"x": x, "w": weights}, {"y": y}))


@pytest.mark.parametrize("model", [attended(), attended(on_npu=3), attended(shape=(2, 4, 12))])
def test_a_kernel_that_ends_at_an_assertion_is_named(model: tflite.Model) -> None:
    """Measured with files of this form on release 26.03.0: the firmware ends and says nothing."""
    (said,) = lacking(model)
    assert said.startswith("FULLY_CONNECTED (y): an assertion of its kernel")


@pytest.mark.parametrize(
    "model",
    [
        attended(on_npu=4),
        attended(shape=(1, 1, 4, 7)),
        attended(shape=(4, 8)),
        attended(scales=4),
        attended(dtype="int16"),
        attended(pool=True),
    ],
    ids=[
        "a later buffer",
        "odd depth",
        "two dimensions",
        "a scale a channel",
        "int16",
        "another kernel's buffers",
    ],
)
def test_where_that_assertion_holds_or_nobody_knows_nothing_is_said(model: tflite.Model) -> None:
    assert lacking(model) == ()


def test_weights_that_are_left_out_are_no_matter_of_that_assertion() -> None:
    assert lacking(one("FULLY_CONNECTED", "int8")) == ()


def test_without_the_runner_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_operators, "runner_images", lambda: ())
    assert lacking(one("SELECT", "int8")) == ()


def rooted() -> bytes:
    """The root of |x| in int8: Vela leaves SQRT on the CPU, and the runner's kernel of it takes floats alone."""
    writer = GraphWriter()
    x, z, y = (writer.tensor(name, (1, 16), "int8", 0.1) for name in ("x", "z", "y"))
    writer.operator("ABS", [x], [z], schema.AbsOptionsT())
    writer.operator("SQRT", [z], [y])
    return writer.finish({"x": x}, {"y": y})


def test_compile_and_verify_say_it_and_run_fvp_does_not_boot(
    in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("m.tflite").write_bytes(rooted())
    said = "cannot run this build: SQRT (y): its kernel takes float32, here it is given int8"
    for words in (["compile", "m.tflite", "--npu", "U55-128", "-o", "out", "--advice", "none"], ["report", "out"]):
        assert run(words) == 0
        assert said in " ".join(capfd.readouterr().out.split())
    run(["verify", "out"])
    assert said in " ".join(capfd.readouterr().out.split())
    assert run(["run-fvp", "out", "--fvp", "open"]) == 2
    assert "Arm's runner cannot run this build: SQRT (y)" in capfd.readouterr().err
