"""The arithmetic of an LSTM of 8 bits, held to the NPU model, and to TFLM's kernel, which rarely differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import stateful_networks
from numpy.typing import NDArray
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.hardware.npus import npu_named
from deploy.judging.oracles import TflmKernels, outputs_of, tflm_installed
from deploy.verifying.host_session import HostSession
from deploy.verifying.lstm_arithmetic import applies, compute
from deploy.verifying.verification import Verification, VerifyOptions

needs_tflm = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")
STEPS = 24
SCALE = 1 / 255
TELLING = 2122
"""A seed of inputs on which the last bits of the multipliers show; one in thousands does, from step 18 on."""


def inputs(*seeds: int) -> NDArray[np.int8]:
    return np.stack(
        [
            np.random.default_rng(seed).integers(-128, 128, (1, STEPS, stateful_networks.FEATURES)).astype(np.int8)
            for seed in seeds
        ]
    )


def witnessed(model: tflite.Model, values: NDArray[np.int8], *, sequence: bool = False) -> NDArray[np.generic]:
    [operator] = model.operators
    return compute(operator, model, {operator.inputs[0]: values}, sequence=sequence)


@pytest.fixture(scope="module")
def source() -> tflite.Model:
    return tflite.load(stateful_networks.lstm(steps=STEPS, scale=SCALE))


@pytest.mark.parametrize("sequence", [False, True])
def test_it_is_what_the_npu_model_computes_element_by_element(source: tflite.Model, sequence: bool) -> None:
    npu = npu_named("U55-128")
    compiled = VELA.compile(source, compile_options(npu)).model
    values = inputs(TELLING, 1, 2)
    [output] = HostSession(compiled, npu, sequence=sequence).outputs({"x": values}).values()
    np.testing.assert_array_equal(witnessed(source, values, sequence=sequence), output)


@needs_tflm
def test_tflm_computes_the_same_but_for_the_last_bits_of_multipliers(source: tflite.Model) -> None:
    values = inputs(TELLING, *range(20))
    [expected] = outputs_of(TflmKernels(source), {"x": values}).values()
    different = (witnessed(source, values) != expected).reshape(len(values), STEPS, -1)
    assert different[0].any() and not different[0, :18].any()
    assert not different[1:].any()


@needs_tflm
def test_verify_passes_where_they_show_and_says_why(tmp_path: Path) -> None:
    model, build = tmp_path / "m.tflite", tmp_path / "build"
    model.write_bytes(stateful_networks.lstm(steps=STEPS, scale=SCALE))
    assert run(["compile", str(model), "--npu", "U55-128", "--advice", "none", "-o", str(build), "-q"]) == 0
    options = VerifyOptions(layers=True, count=3, inputs={"x": inputs(TELLING, 1, 2)})
    verdict = Verification(BuildFolder.open(build), options).run()
    [result] = verdict.operators
    assert result.mismatches and result.explained
    assert result.cause is not None and result.cause.startswith("LSTM, 8 bits:")


def test_other_forms_of_an_lstm_are_left_to_kernels() -> None:
    writer = GraphWriter()
    x = writer.tensor("x", (1, 4), "int8", 0.1)
    y = writer.tensor("y", (1, 4), "int8", 0.1)
    writer.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", [x], [y])
    short = tflite.load(writer.finish({"x": x}, {"y": y}))
    assert not applies(short.operators[0], short)
