"""What a target answered against what the NPU model computes from the same inputs: integers, no tolerance.

The NPU model says what the NPU must compute to the last bit. Operators that the firmware computes on its CPU are
another matter: its kernels may round otherwise than those of this host. Outputs behind such operators are compared
with the tolerance, and the operators are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Document
from deploy.judging.comparison import FLOAT_TOLERANCE, compare_output, output_scale
from deploy.judging.samples import Sample
from deploy.tflite import Model
from deploy.tflite.arithmetic import float_results

_STEP = 0.001
"""Part of the last place to which floats are compared: kernels multiply in float or double."""

_FEW = 8
"""So few elements may all round in the same direction."""


class TargetDifference(Document):
    """The first element that differs.

    Attributes:
        input: index of the input.
        position: indices of the element in the output.
        target: what the target answered.
        model: what the NPU model computed.
    """

    input: int
    position: tuple[int, ...]
    target: float
    model: float


class OutputOfTarget(Document):
    """One output of a target against the NPU model.

    Attributes:
        name: the SignatureDef's name where there is one.
        elements: compared, over all inputs.
        mismatches: elements that differ.
        max_lsb: largest difference, as for a comparison with the reference; None when an answer is no number.
        float_tolerance: for an output that is computed in floating point, the largest difference that agrees, in
            the numbers themselves; None for others.
        first: the first difference; None when there is none.
        exact: whether nothing but equality counts as agreement; floats are equal to a thousandth of a step of the
            integers that they were made of.
        cpu_operators: operators in front of it that the firmware computes on its CPU, and may round otherwise than
            this host, as ``index type``; where there are any and it is not equal, the tolerance decides.
        agrees: whether it is equal, or within what is allowed.
    """

    name: str
    elements: int
    mismatches: int
    max_lsb: float | None
    float_tolerance: float | None = None
    first: TargetDifference | None = None
    exact: bool = True
    cpu_operators: tuple[str, ...] = ()
    agrees: bool

    @property
    def sentence(self) -> str:
        """How it differs, for people."""
        said = f"{self.name}: {self.mismatches} of {self.elements} elements differ from the NPU model's"
        if self.first is not None:
            where = f"{list(self.first.position)} of input {self.first.input}"
            said += f", first at {where}: target {self.first.target:g}, NPU model {self.first.model:g}"
        if self.float_tolerance is not None:
            said += f"; floats agree up to {self.float_tolerance:.3g}, {FLOAT_TOLERANCE:g} of the largest value"
        elif self.cpu_operators:
            said += f"; the firmware's CPU may round otherwise in {', '.join(self.cpu_operators)}"
        return said


class TargetComparison(Document):
    """A target against the NPU model.

    Attributes:
        outputs: each of them; empty where they were not compared.
        left_out: why they were not compared; empty where they were.
    """

    outputs: tuple[OutputOfTarget, ...] = ()
    left_out: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What people should know of it."""
        if self.left_out:
            return (f"not compared: {self.left_out}",)
        if not any(output.mismatches for output in self.outputs):
            elements = sum(output.elements for output in self.outputs)
            return (f"all {elements} output elements equal the NPU model's",)
        return tuple(output.sentence for output in self.outputs if output.mismatches)

    @property
    def differing(self) -> tuple[OutputOfTarget, ...]:
        """The outputs that do not agree."""
        return tuple(output for output in self.outputs if not output.agrees)


def compare_with_model(
    source: Model,
    answers: Sequence[Sample],
    expected: Sequence[Sample],
    cpu_operators: Mapping[str, tuple[str, ...]],
    tolerance: float,
) -> TargetComparison:
    """Compare every output.

    Args:
        source: the quantized model that was compiled.
        answers: per input, the target's outputs by name.
        expected: per input, the NPU model's outputs by name.
        cpu_operators: output -> operators in front of it that may be rounded otherwise on the target.
        tolerance: for outputs behind such operators, in LSB.
    """
    outputs, floats = [], float_results(source)
    for index, name in source.output_names().items():
        ours = np.stack([answer[name] for answer in answers])
        theirs = np.stack([sample[name] for sample in expected])
        scale = output_scale(source, source.tensors[index])
        in_float = index in floats
        compared = compare_output(name, ours, theirs, scale, in_float=in_float)
        operators = cpu_operators.get(name, ())
        equal = _same(ours, theirs, scale.lsb)
        shifted = is_shift(ours, theirs) and compared.float_tolerance is None
        rounded = bool(operators) and compared.within(tolerance) and not shifted
        outputs.append(
            OutputOfTarget(
                name=name,
                elements=compared.elements,
                mismatches=int((~equal).sum()),
                max_lsb=compared.max_lsb,
                float_tolerance=compared.float_tolerance,
                first=_first(ours, theirs, equal),
                exact=not operators,
                cpu_operators=operators,
                agrees=bool(equal.all()) or rounded,
            )
        )
    return TargetComparison(outputs=tuple(outputs))


def is_shift(target: NDArray[Any], reference: NDArray[Any]) -> bool:
    """Whether more than half of the elements differ in the same direction: no rounding does that."""
    if target.size <= _FEW:
        return False
    return max(int((target > reference).sum()), int((target < reference).sum())) * 2 > target.size


def _same(target: NDArray[Any], model: NDArray[Any], lsb: float) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = np.asarray(target == model)
    if target.dtype.kind == "f":
        same |= np.isnan(target) & np.isnan(model)  # no number on both sides is the same answer
        with np.errstate(invalid="ignore"):
            same |= np.abs(target.astype(np.float64) - model.astype(np.float64)) < lsb * _STEP
    return same


def _first(target: NDArray[Any], model: NDArray[Any], same: NDArray[np.bool_]) -> TargetDifference | None:
    if same.all():
        return None
    where = tuple(map(int, np.unravel_index(int(same.argmin()), same.shape)))
    return TargetDifference(
        input=where[0], position=where[1:], target=float(target[where]), model=float(model[where])
    )
