"""Compares what the target computed with what the reference kernels computed: integers first, then meaning.

Everything here is pure: arrays in, figures out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Document
from deploy.judging.differences import LsbBin, WorstInput, distances, lsb_differences, lsb_histogram, worst_inputs
from deploy.judging.float_parts import is_inner
from deploy.tflite import Model, Tensor
from deploy.tflite.arithmetic import float_results

FLOAT_TOLERANCE = 1e-4
"""Largest difference of what float operators compute, as a part of the output's largest value.

Compilers order sums otherwise and libraries approximate functions otherwise: a few 1e-7 an operator, and
differences of large numbers make that more."""


class OutputComparison(Document):
    """One output over all inputs of a run.

    Attributes:
        name: the SignatureDef's name where there is one.
        elements: elements compared, over all inputs.
        mismatches: elements that differ at all.
        max_lsb: largest difference in units of the output's last place; for a float output in units of the
            scale of the tensor that feeds its DEQUANTIZE; where ``exact``, of the numbers themselves. None when
            the target's output is not a number.
        exact: whether nothing but equality counts as agreement: class indices, counts, booleans, and floats that
            no quantized tensor feeds have no last place that a rounding could change.
        float_tolerance: for an output that is computed in floating point, the largest difference that passes, in
            the numbers themselves, as ``max_lsb`` is then; None for others.
        decided_inside: whether the quantized tensors that it is computed from decide in its place.
        mismatched_inputs: indices of the inputs with a difference (at most 100 are kept).
        top1_agreement: share of inputs with the same arg max; None for outputs without classes.
        mae: mean absolute error of the dequantized values.
        rmse: root mean square error of the dequantized values.
        l2r: relative L2 error of the dequantized values (0 when both are zero, None when only the reference is).
        cosine: cosine similarity of the dequantized values (None when one of them is zero).
        lsb_histogram: target minus reference in LSB; empty where there is no such unit.
        worst_inputs: the inputs that differ most, at most ten.
    """

    name: str
    elements: int
    mismatches: int
    max_lsb: float | None
    exact: bool = False
    float_tolerance: float | None = None
    decided_inside: bool = False
    mismatched_inputs: tuple[int, ...] = ()
    top1_agreement: float | None = None
    mae: float | None = None
    rmse: float | None = None
    l2r: float | None = None
    cosine: float | None = None
    lsb_histogram: tuple[LsbBin, ...] = ()
    worst_inputs: tuple[WorstInput, ...] = ()

    def within(self, tolerance: float) -> bool:
        """Whether every element is within ``tolerance`` LSB of the reference; equal, where only that counts.

        Floats that float operators compute are held to ``float_tolerance``.
        """
        if self.decided_inside:
            return True
        if self.exact:
            return self.mismatches == 0
        if self.float_tolerance is not None:
            return self.max_lsb is not None and self.max_lsb <= self.float_tolerance
        return self.max_lsb is not None and self.max_lsb <= tolerance

    @property
    def largest(self) -> str:
        """The largest difference in words."""
        if self.max_lsb is None:
            return "something that is no number"
        if self.float_tolerance is not None:
            return f"{self.max_lsb:g} (float tolerance {self.float_tolerance:.3g})"
        return f"{self.max_lsb:g}, where nothing but equality counts" if self.exact else f"{self.max_lsb:g} LSB"


@dataclass(frozen=True)
class OutputScale:
    """How to read an output: real = scale * (value - zero_point); float outputs have zero_point 0, scale 1.

    Attributes:
        scale: of the output itself.
        zero_point: of the output itself.
        lsb: the size of one unit in the last place, in the output's own stored units; 0 where there is no such
            unit, and outputs are equal or wrong.
    """

    scale: float
    zero_point: int
    lsb: float


def output_scale(model: Model, tensor: Tensor) -> OutputScale:
    """How to read ``tensor``, an output of the quantized model ``model``.

    For a float output the unit in the last place is the scale of the tensor that feeds its DEQUANTIZE. A float
    output of anything else has no such unit and must be equal to the last bit (lsb 0), and so must booleans, and
    integers that are no quantized numbers: class indices, counts.
    """
    kind = np.dtype(tensor.dtype).kind
    if kind != "f":
        quantization = tensor.quantization
        if quantization is None or kind == "b":
            return OutputScale(1.0, 0, 0.0)
        return OutputScale(quantization.scales[0], quantization.zero_points[0], 1.0)
    for operator in model.operators:
        if tensor.index in operator.outputs and operator.code == "DEQUANTIZE":
            feeding = model.tensors[operator.inputs[0]]
            if feeding.quantization is not None and np.dtype(feeding.dtype).kind in "iu":
                return OutputScale(1.0, 0, feeding.quantization.scales[0])
    return OutputScale(1.0, 0, 0.0)


def largest_value(values: NDArray[Any]) -> float:
    """The largest finite magnitude among floats; 0 where there is none."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))


def dequantize(values: NDArray[Any], scale: OutputScale) -> NDArray[np.float64]:
    """Real values of an output; same shape, float64."""
    return (values.astype(np.float64) - scale.zero_point) * scale.scale


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the last axis, shifted so that it cannot overflow."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: NDArray[np.float64] = exponents / exponents.sum(axis=-1, keepdims=True)
    return total


def compare_output(
    name: str,
    target: NDArray[Any],
    reference: NDArray[Any],
    scale: OutputScale,
    *,
    in_float: bool = False,
    decided_inside: bool = False,
) -> OutputComparison:
    """Compare one output; both arrays are [inputs, *shape] of equal dtype and shape.

    Args:
        name: of the output.
        target: what was computed.
        reference: what it is held to.
        scale: how to read the output.
        in_float: whether float operators compute it.
        decided_inside: whether tensors in front of these decide.

    Raises:
        ValueError: the arrays do not have the same shape and dtype (the caller mixed up outputs).
    """
    if target.shape != reference.shape or target.dtype != reference.dtype:
        raise ValueError(f"{name}: {target.dtype}{target.shape} against {reference.dtype}{reference.shape}")
    different = target != reference  # true for NaN on either side, which is what a verdict wants
    inputs = np.flatnonzero(different.reshape(len(target), -1).any(axis=1))
    real_target, real_reference = dequantize(target, scale), dequantize(reference, scale)
    errors = _errors(real_target, real_reference)
    floating = in_float and target.dtype.kind == "f"
    differences = lsb_differences(target, reference, scale.lsb)
    return OutputComparison(
        name=name,
        elements=int(target.size),
        mismatches=int(different.sum()),
        max_lsb=_max_lsb(target, reference, scale),
        exact=scale.lsb == 0.0 and not floating,
        float_tolerance=FLOAT_TOLERANCE * largest_value(reference) if floating else None,
        decided_inside=decided_inside,
        mismatched_inputs=tuple(int(index) for index in inputs[:100]),
        top1_agreement=_top1(target, reference),
        lsb_histogram=() if differences is None else lsb_histogram(differences),
        worst_inputs=() if differences is None else worst_inputs(differences),
        **errors,
    )


def compare_outputs(
    source: Model, answers: Sequence[dict[str, NDArray[Any]]], expected: Sequence[dict[str, NDArray[Any]]]
) -> tuple[OutputComparison, ...]:
    """Compare every output of the source model.

    Args:
        source: the quantized model that was compiled; of outputs that are computed in floating point, tensors in
            front of the float operators decide, where it has them among its outputs
            (:func:`deploy.judging.float_parts.watched`) and they are among the answers.
        answers: per input, the target's outputs by name.
        expected: per input, the reference's outputs by name.
    """
    names, floats = source.output_names(), float_results(source)
    present = set.intersection(*(set(each) for each in (*answers, *expected))) if answers else set(names.values())
    inside = any(is_inner(name) and name in present for name in names.values())
    return tuple(
        compare_output(
            name,
            np.stack([answer[name] for answer in answers]),
            np.stack([sample[name] for sample in expected]),
            output_scale(source, source.tensors[index]),
            in_float=index in floats,
            decided_inside=inside and index in floats,
        )
        for index, name in names.items()
        if name in present or not is_inner(name)
    )


def _max_lsb(target: NDArray[Any], reference: NDArray[Any], scale: OutputScale) -> float | None:
    if target.size == 0 or np.array_equal(target, reference):
        return 0.0
    if target.dtype.kind != "f":
        return float(distances(target, reference).max())
    largest = np.abs(target.astype(np.float64) - reference.astype(np.float64)).max()
    if not np.isfinite(largest):
        return None
    if scale.lsb == 0.0:
        return float(largest)
    # The division of two float32 numbers that are whole multiples of the scale is off by some 1e-7.
    return round(float(largest / scale.lsb), 3)


def _top1(target: NDArray[Any], reference: NDArray[Any]) -> float | None:
    if len(target) == 0 or target.ndim < 2 or target.shape[-1] < 2:
        return None
    if not (np.isfinite(target).all() and np.isfinite(reference).all()):
        return None
    return float((target.argmax(axis=-1) == reference.argmax(axis=-1)).mean())


def _errors(target: NDArray[np.float64], reference: NDArray[np.float64]) -> dict[str, float | None]:
    if target.size == 0 or not (np.isfinite(target).all() and np.isfinite(reference).all()):
        return {"mae": None, "rmse": None, "l2r": None, "cosine": None}
    difference = target - reference
    norm_target, norm_reference = float(np.linalg.norm(target)), float(np.linalg.norm(reference))
    norm_difference = float(np.linalg.norm(difference))
    relative = norm_difference / norm_reference if norm_reference else (0.0 if norm_difference == 0 else None)
    cosine = None
    if norm_target and norm_reference:
        cosine = float(np.vdot(target, reference)) / (norm_target * norm_reference)
    return {
        "mae": float(np.abs(difference).mean()),
        "rmse": float(np.sqrt((difference**2).mean())),
        "l2r": relative,
        "cosine": cosine,
    }
