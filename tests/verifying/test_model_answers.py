"""What a target must answer, where its CPU may round, and where it may not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.chatter import silenced
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.oracles import TflmKernels, tflm_installed
from deploy.tflite import NPU_OPERATOR, Model, Operator, Tensor
from deploy.verifying.host_session import HostSession
from deploy.verifying.model_answers import ModelAnswers, rounded_on_cpu

NPU = npu_named("U55-128")


def chain(*codes: str, dtypes: Sequence[str] = ()) -> Model:
    """Operators one behind the other; outputs are the last tensor, ``y``, and that of the first one, ``early``."""
    types = dtypes or ["int8"] * (len(codes) + 1)
    tensors = tuple(Tensor(i, f"t{i}", (1, 4), dtype, None, None) for i, dtype in enumerate(types))
    operators = tuple(Operator(i, code, (i,), (i + 1,), code == NPU_OPERATOR) for i, code in enumerate(codes))
    signature = tflite.Signature("s", {"x": 0}, {"y": len(codes), "early": 1})
    return Model(b"", tensors, operators, (0,), (len(codes), 1), signature, {})


def test_operators_of_the_cpu_are_named_for_the_outputs_behind_them_alone() -> None:
    model = chain(NPU_OPERATOR, "SOFTMAX", "RESHAPE", NPU_OPERATOR, "LOGISTIC")
    assert rounded_on_cpu(model) == {"y": ("1 SOFTMAX", "4 LOGISTIC"), "early": ()}


@pytest.mark.parametrize("code", ["RESHAPE", "GATHER", "ARG_MAX", "DEQUANTIZE", "MAX_POOL_2D"])
def test_what_moves_chooses_or_dequantizes_rounds_nothing(code: str) -> None:
    assert rounded_on_cpu(chain(NPU_OPERATOR, code)) == {"y": (), "early": ()}


def test_floats_are_quantized_alike_everywhere_and_integers_are_not() -> None:
    assert rounded_on_cpu(chain("QUANTIZE", NPU_OPERATOR, dtypes=["float32", "int8", "int8"]))["y"] == ()
    assert rounded_on_cpu(chain("QUANTIZE", NPU_OPERATOR, dtypes=["int8", "int8", "int8"]))["y"] == ("0 QUANTIZE",)


def normalised() -> tuple[Model, Model]:
    """A network whose last operator Vela leaves on the CPU, before and after Vela."""
    writer = GraphWriter()
    x = writer.tensor("x", [1, 64], "int8", 0.02, 7)
    y = writer.tensor("y", [1, 64], "int8", 0.02, -128)
    z = writer.tensor("z", [1, 64], "int8", 1 / 128)
    writer.operator("RELU", [x], [y])
    writer.operator("L2_NORMALIZATION", [y], [z], schema.L2NormOptionsT(), version=2)
    source = tflite.load(writer.finish({"x": x}, {"z": z}), source="written")
    return source, VELA.compile(source, compile_options(NPU)).model


def test_an_answer_that_rounds_otherwise_on_the_cpu_is_within_what_is_allowed_and_a_shift_is_not() -> None:
    source, compiled = normalised()
    assert [operator.code for operator in compiled.operators] == [NPU_OPERATOR, "L2_NORMALIZATION"]
    samples = random_inputs(compiled, 3).samples
    model = ModelAnswers(source, compiled, NPU)
    model.expect(samples)
    true = [answer.outputs for answer in HostSession(compiled, NPU).answers(samples)]
    [output] = model.compared(true, 1).outputs
    assert (output.mismatches, output.exact, output.cpu_operators) == (0, False, ("1 L2_NORMALIZATION",))
    rounded = [{"z": outputs["z"].copy()} for outputs in true]
    rounded[1]["z"][0, 5] += 1
    assert not model.compared(rounded, 1).differing
    assert model.compared(rounded, 0).differing
    shifted = [{"z": outputs["z"] + np.int8(1)} for outputs in true]
    assert model.compared(shifted, 1).differing


@pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")
def test_the_firmwares_own_kernels_are_asked_where_litert_rounds_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, compiled = normalised()
    samples = random_inputs(compiled, 2).samples
    model = ModelAnswers(source, compiled, NPU)
    model.expect(samples)
    with silenced():
        true = [answer.outputs for answer in HostSession(compiled, NPU, kernels=TflmKernels).answers(samples)]
    # As if LiteRT rounded one element otherwise.
    for expected in model._expected:
        expected["z"][0, 9] += 1
    [output] = model.compared(true, 1).outputs
    assert (output.mismatches, output.agrees) == (0, True)
