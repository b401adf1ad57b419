"""Builds that LiteRT cannot judge, because it refuses their model or ends its process with it: TFLM does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tflite_writer import GraphWriter

from deploy import api, tflite
from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.judging import kernel_process
from deploy.judging.interpreters import Interpreter, Order
from deploy.judging.oracles import tflm_installed

pytestmark = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")

_made = kernel_process.made
CHANCE = np.random.default_rng(4)


def numbers(*shape: int) -> np.ndarray:
    return CHANCE.integers(-100, 100, shape).astype(np.int8)


def bias_with_an_axis_that_it_does_not_have() -> bytes:
    """A depthwise convolution whose bias of one dimension says that it is quantized along its fourth."""
    writer = GraphWriter()
    scales = np.linspace(0.004, 0.008, 8)
    x = writer.tensor("x", [1, 6, 6, 8], "int8", 0.02, -128)
    weights = writer.tensor("weights", [1, 3, 3, 8], "int8", scales, data=numbers(1, 3, 3, 8), axis=3)
    bias = writer.tensor("bias", [8], "int32", 0.02 * scales, data=np.arange(8, dtype=np.int32), axis=3)
    y = writer.tensor("y", [1, 6, 6, 8], "int8", 0.03, -20)
    options = schema.DepthwiseConv2DOptionsT()
    options.strideH = options.strideW = options.depthMultiplier = 1
    options.dilationHFactor = options.dilationWFactor = 1
    writer.operator("DEPTHWISE_CONV_2D", [x, weights, bias], [y], options)
    return writer.finish({"x": x}, {"y": y})


ROOMY, NARROW = 1.0, 0.3
"""Scales of an SVDF's state: all that the network below computes finds room in it; it does not."""

FEATURE = np.random.default_rng(5).integers(-100, 100, (8, 16)).astype(np.int8)


def svdf(state_scale: float = ROOMY) -> bytes:
    """An int8 SVDF, whose kernel in LiteRT writes beyond its tensors, before what the NPU computes."""
    writer = GraphWriter()
    x = writer.tensor("x", [1, 16], "int8", 0.05, -3)
    feature = writer.tensor("feature", [8, 16], "int8", 0.01, data=FEATURE)
    time = writer.tensor("time", [8, 4], "int8", 0.015, data=numbers(8, 4))
    bias = writer.tensor("bias", [8], "int32", state_scale * 0.015, data=np.arange(8, dtype=np.int32))
    state = writer.tensor("state", [1, 32], "int8", state_scale, 0, variable=True)
    inner = writer.tensor("inner", [1, 8], "int8", 0.2, 0)
    options = schema.SVDFOptionsT()
    options.rank, options.fusedActivationFunction = 1, schema.ActivationFunctionType.RELU
    writer.operator("SVDF", [x, feature, time, bias, state], [inner], options, version=3)
    one = writer.tensor("one", [1, 8], "int8", 0.1, data=np.arange(8, dtype=np.int8))
    y = writer.tensor("y", [1, 8], "int8", 0.3, 5)
    writer.operator("ADD", [inner, one], [y], schema.AddOptionsT())
    return writer.finish({"x": x}, {"y": y})


def softmax_on_the_cpu() -> bytes:
    """A LOG_SOFTMAX, which Vela leaves on the CPU, behind an ADD."""
    writer = GraphWriter()
    x, inner = writer.tensor("x", [1, 8], "int8", 0.05), writer.tensor("inner", [1, 8], "int8", 0.1)
    one = writer.tensor("one", [1, 8], "int8", 0.1, data=np.arange(8, dtype=np.int8))
    writer.operator("ADD", [x, one], [inner], schema.AddOptionsT())
    y = writer.tensor("y", [1, 8], "int8", 16 / 256, 127)
    writer.operator("LOG_SOFTMAX", [inner], [y], schema.LogSoftmaxOptionsT())
    return writer.finish({"x": x}, {"y": y})


def built(content: bytes, folder: Path) -> BuildFolder:
    return api.compile(tflite.load(content), "U55-128", output=folder / "build", name="written")


def litert_crashes(monkeypatch: pytest.MonkeyPatch, *operators: str, running: bool) -> None:
    """Has LiteRT end its process on models with some operators, as it does by chance where it writes anywhere."""

    class Crashes:
        def run(self, *_arguments: Any, **_options: Any) -> Any:
            os.kill(os.getpid(), 11)

        tensors = run

    def made(order: Order, content: bytes) -> Interpreter:
        codes = {operator.code for operator in tflite.load(content).operators}
        if order.library == "LiteRT" and codes & set(operators):
            return Crashes() if running else os.abort()
        return _made(order, content)

    monkeypatch.setattr(kernel_process, "made", made)


def test_a_model_that_litert_refuses_is_judged_by_tflm_and_the_document_says_why(tmp_path: Path) -> None:
    build = built(bias_with_an_axis_that_it_does_not_have(), tmp_path)
    verdict = api.verify(build)
    assert (verdict.verdict, verdict.operator_check.operators) == ("pass", 1)
    assert verdict.reference.startswith("TFLM")
    [left_out] = verdict.left_out_references
    assert left_out.reference == "LiteRT BUILTIN_REF"
    assert "quantized_dimension must be in range" in left_out.reason
    with pytest.raises(BadInputError, match="quantized_dimension"):
        api.verify(build, oracle="litert")
    assert api.verify(build, oracle="tflm").left_out_references == ()
    assert api.verify(build, oracle="tflm").verdict == "pass"


@pytest.mark.parametrize("running", [True, False])
def test_kernels_that_end_their_process_leave_compile_and_verify_alive_and_tflm_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, running: bool
) -> None:
    litert_crashes(monkeypatch, "LOG_SOFTMAX", running=running)
    build = built(softmax_on_the_cpu(), tmp_path)
    verdict = api.verify(build)
    assert (verdict.verdict, verdict.reference[:4]) == ("pass", "TFLM")
    signal = "SIGSEGV" if running else "SIGABRT"
    assert signal in verdict.left_out_references[0].reason
    # The operator on the CPU as well as that on the NPU: one process for all, started anew behind the crash.
    assert (verdict.operator_check.operators, verdict.operator_check.left_out) == (2, ())
    with pytest.raises(BadInputError, match=signal):
        api.verify(build, oracle="litert")


def test_an_svdf_of_int8_is_judged_by_tflm_since_litert_writes_beyond_its_state(tmp_path: Path) -> None:
    build = built(svdf(), tmp_path)
    for verdict in (api.verify(build, count=16), api.run(build, fvp="open").verdict):
        assert (verdict.verdict, verdict.reference[:4]) == ("pass", "TFLM")
        assert "writes beyond" in verdict.left_out_references[0].reason
        assert (verdict.operator_check.operators, verdict.operator_check.left_out) == (2, ())


def test_an_svdf_whose_state_the_runner_cuts_to_8_bits_fails_on_the_target_and_is_named(tmp_path: Path) -> None:
    build = built(svdf(NARROW), tmp_path)
    x = np.where(FEATURE[0] > 0, 127, -128).astype(np.int8)[np.newaxis]  # the highest that its first row may give
    samples = {"x": np.stack([np.full_like(x, -3), x])}
    assert api.verify(build, samples).verdict == "pass"
    verdict = api.run(build, samples, fvp="open").verdict
    assert verdict.verdict == "fail"
    assert "the target differs from the NPU model, too" in verdict.reason
    assert "may round otherwise in 0 SVDF" in verdict.reason


def test_a_run_on_a_target_takes_the_oracle_that_can(tmp_path: Path) -> None:
    build = built(bias_with_an_axis_that_it_does_not_have(), tmp_path)
    verdict = api.run(build, fvp="open", count=1).verdict
    assert (verdict.verdict, verdict.reference[:4]) == ("pass", "TFLM")
    with pytest.raises(BadInputError, match="quantized_dimension"):
        api.run(build, fvp="open", count=1, oracle="litert")
