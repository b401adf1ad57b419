"""The NPU's own arithmetic, held to TFLM's kernels, which round as the NPU does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_writer import GraphWriter, schema

from deploy import api
from deploy.chatter import silenced
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.oracles import TflmKernels, tflm_installed
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import Model, load
from deploy.verifying.witnesses import witness_of

needs_tflm = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")
DEPTH, CHANNELS, ROWS = 24, 10, 4
PROCESS = KernelProcess()
"""One for the kernels of all models here."""


def dense(bits: int, seed: int, spread: float, activation: int, *, bias: bool = True) -> tuple[Model, np.ndarray]:
    """A fully connected layer, and inputs for it; ``spread`` is how much of the output's range its sums take."""
    rng = np.random.default_rng(seed)
    dtype = f"int{bits}"
    limits = np.iinfo(dtype)
    ours, theirs = rng.uniform(0.001, 0.1, 2)
    scale = ours * theirs * DEPTH**0.5 * limits.max * 73 / limits.max / spread
    zero_in, zero_out = (0, 0) if bits == 16 else rng.integers(-128, 128, 2)
    writer = GraphWriter()
    x = writer.tensor("x", [ROWS, DEPTH], dtype, ours, int(zero_in))
    w = writer.tensor(
        "w", [CHANNELS, DEPTH], "int8", theirs, data=rng.integers(-127, 128, (CHANNELS, DEPTH), np.int8)
    )
    b = writer.tensor(
        "b",
        [CHANNELS],
        "int64" if bits == 16 else "int32",
        ours * theirs,
        data=rng.integers(-9999, 9999, CHANNELS).astype(np.int64 if bits == 16 else np.int32),
    )
    y = writer.tensor("y", [ROWS, CHANNELS], dtype, scale, int(zero_out))
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = activation
    inputs = [x, w, b] if bias else [x, w, -1]
    writer.operator("FULLY_CONNECTED", inputs, [y], options, version=9 if bits == 16 else 4)
    values = rng.integers(limits.min, limits.max, (6, ROWS, DEPTH), endpoint=True).astype(dtype)
    return load(writer.finish({"x": x}, {"y": y}), source="written"), values


def unsigned_dense(zero: tuple[int, int], weights: np.ndarray, offset: int) -> Model:
    """A layer of 8 bits whose numbers are all larger by an offset: 128 for uint8, as early converters wrote it."""
    dtype = "uint8" if offset else "int8"
    writer = GraphWriter()
    x = writer.tensor("x", [ROWS, DEPTH], dtype, 0.03, zero[0] + offset)
    w = writer.tensor("w", weights.shape, dtype, 0.02, offset, (weights.astype(int) + offset).astype(dtype))
    y = writer.tensor("y", [ROWS, CHANNELS], dtype, 0.3, zero[1] + offset)
    writer.operator("FULLY_CONNECTED", [x, w, -1], [y], schema.FullyConnectedOptionsT())
    return load(writer.finish({"x": x}, {"y": y}), source="written")


def witnessed(model: Model, values: np.ndarray) -> np.ndarray:
    [operator] = model.operators
    witness = witness_of(operator, model)
    assert witness is not None
    return witness.compute(operator, model, {operator.inputs[0]: values})


@needs_tflm
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    bits=st.sampled_from((8, 16)),
    seed=st.integers(0, 2**16),
    spread=st.floats(0.2, 3),
    activation=st.sampled_from((0, 1, 3)),
    bias=st.booleans(),
)
def test_fully_connected_layers_are_what_tflm_computes(
    bits: int, seed: int, spread: float, activation: int, bias: bool
) -> None:
    model, values = dense(bits, seed, spread, activation, bias=bias)
    with silenced():
        kernels = TflmKernels(model, process=PROCESS)
    expected = np.stack([kernels.run({"x": sample})["y"] for sample in values])
    np.testing.assert_array_equal(witnessed(model, values), expected)


@pytest.mark.parametrize("bits", [8, 16])
def test_they_differ_from_litert_by_one_step_at_most_and_somewhere_they_do(bits: int) -> None:
    differing = 0
    for seed in range(40):
        model, values = dense(bits, seed, 1.0, 0)
        kernels = ReferenceKernels(model, process=PROCESS)
        expected = np.stack([kernels.run({"x": sample})["y"] for sample in values])
        away = np.abs(witnessed(model, values).astype(int) - expected.astype(int))
        assert away.max() <= 1
        differing += int(away.sum())
    assert differing > 0


def test_a_layer_of_unsigned_weights_is_the_same_with_all_numbers_moved() -> None:
    rng = np.random.default_rng(7)
    weights = rng.integers(-127, 128, (CHANNELS, DEPTH), np.int8)
    values = rng.integers(-128, 128, (40, ROWS, DEPTH), np.int8)
    signed = witnessed(unsigned_dense((-5, 11), weights, 0), values)
    moved = (values.astype(int) + 128).astype(np.uint8)
    unsigned = witnessed(unsigned_dense((-5, 11), weights, 128), moved)
    np.testing.assert_array_equal(unsigned.astype(int) - 128, signed)
    assert len(np.unique(signed)) > 50


def test_only_layers_with_constant_weights_have_one() -> None:
    writer = GraphWriter()
    x, w, y = (writer.tensor(name, [4, 4], "int8", 0.1) for name in "xwy")
    writer.operator("FULLY_CONNECTED", [x, w, -1], [y], schema.FullyConnectedOptionsT())
    model = load(writer.finish({"x": x, "w": w}, {"y": y}), source="written")
    assert witness_of(model.operators[0], model) is None


def sum_over(shape: tuple[int, ...], axis: int, output: tuple[int, ...], scale: float) -> Model:
    """A sum over one axis whose output has a scale of its own."""
    writer = GraphWriter()
    x = writer.tensor("x", shape, "int8", 0.05, -5)
    axes = writer.tensor("axes", (1,), "int32", data=np.array([axis], np.int32))
    y = writer.tensor("y", output, "int8", scale, 3)
    writer.operator("SUM", [x, axes], [y], schema.ReducerOptionsT())
    return load(writer.finish({"x": x}, {"y": y}), source="written")


@pytest.mark.parametrize("scale", [0.4, 0.13])
@pytest.mark.parametrize(
    ("shape", "axis", "output"),
    [
        ((1, 16, 8), 1, (1, 8)),
        ((1, 16, 8), -1, (1, 16)),
        ((1, 6, 5, 8), 1, (1, 5, 8)),
        ((1, 6, 5, 8), 3, (1, 6, 5)),
    ],
)
def test_a_sum_with_scales_of_its_own_is_right_on_the_npu_whatever_litert_says(
    shape: tuple[int, ...], axis: int, output: tuple[int, ...], scale: float, tmp_path: Path
) -> None:
    model = sum_over(shape, axis, output, scale)
    values = np.random.default_rng(1).integers(-128, 128, (3, *shape), np.int8)
    result = witness_of(model.operators[0], model).compute(model.operators[0], model, {0: values})  # type: ignore[union-attr]
    real = ((values.astype(float) + 5) * 0.05).sum(axis=1 + axis % len(shape)) / scale + 3
    assert np.abs(result - np.clip(real, -128, 127)).max() <= 0.5001
    build = api.compile(model, output=tmp_path / "build")
    check = api.verify(build, {"x": values}).operator_check
    assert (check.operators, check.unexplained) == (1, 0)
