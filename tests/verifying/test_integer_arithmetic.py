"""Integers beyond their type: what the NPU makes of them is known, whatever LiteRT's kernels drop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import api, tflite
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.reference import ReferenceKernels
from deploy.verifying import integer_arithmetic

SHAPE = (1, 4, 5, 8)
PROCESS = KernelProcess()
"""One for the kernels of all models here."""


def written(
    code: str, inputs: dict[str, tuple[int, ...]], options: Any, dtype: str, *scale: float
) -> tflite.Model:
    """One operator with results like its first input."""
    writer = GraphWriter()
    tensors = {name: writer.tensor(name, shape, dtype, *scale) for name, shape in inputs.items()}
    y = writer.tensor("y", SHAPE, dtype, *scale)
    writer.operator(code, list(tensors.values()), [y], options)
    return tflite.load(writer.finish(tensors, {"y": y}), source="written")


def of_two(code: str, *scale: float, activation: int = 0) -> tflite.Model:
    options = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}[code]()
    options.fusedActivationFunction = activation
    return written(code, {"a": SHAPE, "b": SHAPE[2:]}, options, "int32", *scale)


def negation(zero_point: int) -> tflite.Model:
    return written("NEG", {"a": SHAPE}, schema.NegOptionsT(), "int8", 0.02, zero_point)


def cast(source: str, target: str) -> tflite.Model:
    writer = GraphWriter()
    # Where nothing has a scale Vela leaves it on the CPU.
    a, y = writer.tensor("a", SHAPE, source, 0.02), writer.tensor("y", SHAPE, target, 0.02)
    options = schema.CastOptionsT()
    types = (getattr(schema.TensorType, each.upper()) for each in (source, target))
    options.inDataType, options.outDataType = types
    writer.operator("CAST", [a], [y], options)
    return tflite.load(writer.finish({"a": a}, {"y": y}), source="written")


def total() -> tflite.Model:
    writer = GraphWriter()
    a, y = writer.tensor("a", SHAPE, "int32"), writer.tensor("y", (1, 1, *SHAPE[2:]), "int32")
    axes = writer.tensor("axes", (1,), "int32", data=np.array([1], np.int32))
    options = schema.ReducerOptionsT()
    options.keepDims = True
    writer.operator("SUM", [a, axes], [y], options)
    return tflite.load(writer.finish({"a": a}, {"y": y}), source="written")


MODELS = {code: of_two(code) for code in ("ADD", "SUB", "MUL")} | {
    "NEG": negation(0),
    "ABS": written("ABS", {"a": SHAPE}, schema.AbsOptionsT(), "int32"),
    "SUM": total(),
    "CAST down": cast("int32", "int8"),
    "CAST to unsigned": cast("int8", "uint8"),
}


def values(model: tflite.Model, part: int) -> dict[str, np.ndarray]:
    """Numbers of whole ranges, or such of a part that no result leaves its type."""
    rng = np.random.default_rng(3)
    found = {}
    for tensor in model.input_tensors:
        limits = np.iinfo(tensor.dtype)
        low = 0 if part > 1 else limits.min
        array = rng.integers(low, int(limits.max) // part + 1, (6, *tensor.shape)).astype(tensor.dtype)
        array[0, ..., 0] = low  # whose negative and magnitude no type has
        found[tensor.name] = array
    return found


def computed(model: tflite.Model, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    [operator] = model.operators
    assert integer_arithmetic.applies(operator, model)
    known = {tensor.index: inputs[tensor.name] for tensor in model.input_tensors}
    kernels = ReferenceKernels(model, process=PROCESS)
    batch = range(len(next(iter(inputs.values()))))
    reference = [kernels.run({name: array[i] for name, array in inputs.items()})["y"] for i in batch]
    return integer_arithmetic.compute(operator, model, known), np.stack(reference)


@pytest.mark.parametrize("name", MODELS)
def test_what_fits_is_what_litert_computes_and_what_does_not_ends_at_a_limit(name: str) -> None:
    model = MODELS[name]
    small = 1 << (24 if name == "CAST down" else 16)
    np.testing.assert_array_equal(*computed(model, values(model, small)))
    ours, theirs = computed(model, values(model, 1))
    limits = np.iinfo(ours.dtype)
    differing = ours != theirs
    assert differing.any()
    assert np.isin(ours[differing], (limits.min, limits.max)).all()


def test_scales_and_activations_are_not_covered() -> None:
    others = of_two("ADD", 0.5), of_two("ADD", activation=1), negation(3)
    for model in (*others, cast("int16", "int64"), cast("bool", "int8")):
        assert not integer_arithmetic.applies(model.operators[0], model)


def test_an_operator_that_leaves_its_type_is_named_and_its_output_fails(tmp_path: Path) -> None:
    """What an output's integers cannot be is no rounding: whoever needs them has to look."""
    build = api.compile(MODELS["CAST down"], "U85-512", output=tmp_path / "build", name="m")
    verdict = api.verify(build)
    assert verdict.verdict == "fail"
    assert integer_arithmetic.CAUSE in " ".join(verdict.explanations)
    assert verdict.operator_check.unexplained == 0
