"""Compares the NPU with the oracles operator by operator, each on what the NPU itself computed before it.

A difference in one layer makes every later layer differ, too. So each operator starts from the tensors that the
NPU had there: what differs behind it is that operator's own doing. Operators whose result never lies in memory
(padding that a convolution absorbs, a convolution in front of a lookup table) form a group with the next operator
that has one, and that one answers for them.

The reference runs the whole model once an input and keeps its inner tensors: where a group's inputs are the same
on both sides, what the reference has behind it is what the group must compute. Only behind a difference do groups
run on their own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError, DeployError
from deploy.judging.differences import distances
from deploy.judging.float_parts import defined
from deploy.judging.known_differences import KnownFacts, explain
from deploy.judging.operator_result import FirstDifference, OperatorResult
from deploy.judging.samples import Sample, Stacked, unstacked
from deploy.tflite import Model, Tensor
from deploy.verifying.group_kernels import GroupKernels, Inference, ModelKernels, Values
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.operator_groups import Group, groups, named
from deploy.verifying.operator_limits import overflow, saturated

_MAX_DESCRIBED = 4
_MAX_NAMED = 8
_NOT_SEEN = "neither their results nor those of operators behind them lie in memory"
_TOO_LATE = "the time limit was reached before"


@dataclass(frozen=True)
class Walk:
    """What a walk found.

    Attributes:
        inputs: how many inputs were compared.
        results: one an output of every operator that was compared, in the model's order.
        compared: positions of the operators that these answer for, absorbed ones among them.
        left_out: what was not compared, and why: one sentence a reason.
        expected: what the reference says about these inputs, outputs by name; empty where it cannot run the model.
        in_time: whether nothing was left out because the time was up.
    """

    inputs: int
    results: tuple[OperatorResult, ...]
    compared: frozenset[int]
    left_out: tuple[str, ...]
    expected: tuple[Sample, ...] = ()
    in_time: bool = True


def walk(
    source: Model,
    capture: LayerCapture,
    inputs: Stacked,
    outputs: Stacked,
    *,
    until: float = math.inf,
    kernels: ModelKernels | None = None,
    begun: Inference | None = None,
    behind: Callable[[Group, Values], dict[int, NDArray[Any]] | None] | None = None,
    sequence: bool = False,
) -> Walk:
    """Walk through all operators.

    Args:
        source: the model that was compiled.
        capture: what the NPU computed; operators start from what it put in the place of that, if anything.
        inputs: name -> ``(batch, *shape)``, what it computed from.
        outputs: name -> ``(batch, *shape)``, its outputs; none where the time was up before they were computed.
        until: time (of ``time.monotonic``) after which nothing further is begun.
        kernels: that have run the model before, for earlier values; None makes some.
        begun: the whole model on these kernels with the first input, which is waited for whatever the time.
        behind: knows what some groups must compute from the values that it is given.
        sequence: whether the inputs are one sequence, in which the model keeps its state. What operators keep in
            variable tensors is their own in the reference, too, from the first input on.

    Raises:
        NotInstalledError: LiteRT is missing.
    """
    kernels = kernels or ModelKernels(source)
    # The compiled model's outputs are known wherever the last operator ran, be it on the CPU.
    known: dict[int, NDArray[Any]] = {
        **{index: inputs[name] for index, name in source.input_names().items()},
        **capture.tensors,
        **{index: outputs[name] for index, name in source.output_names().items() if name in outputs},
    }
    batch = len(next(iter(inputs.values())))
    whole = None
    if not capture.replaced:
        whole = _whole_reference(kernels, inputs, known, until, begun, sequence=sequence)
    batch = batch if whole is None else whole.inputs
    known = {index: array[:batch] for index, array in known.items()}
    start = {**known, **capture.replaced}
    found, unseen = groups(source, known)
    alone = GroupKernels(kernels, batch, sequence=sequence)
    results: list[OperatorResult] = []
    compared: set[int] = set()
    left: dict[str, list[str]] = {_NOT_SEEN if outputs else _TOO_LATE: [named(operator) for operator in unseen]}
    for group in found:
        expected = whole.behind(group, known) if whole is not None else None
        if expected is None and behind is not None:
            expected = behind(group, start)
        if batch == 0 or (expected is None and time.monotonic() > until):
            left.setdefault(_TOO_LATE, []).append(named(group.last))
            continue
        try:
            expected = alone.reference(group, start) if expected is None else expected
        except DeployError as error:
            left.setdefault(error.message, []).append(named(group.last))
            continue
        compared |= {operator.index for operator in group.operators}
        ours, theirs = defined(group.last, known), defined(group.last, expected)
        for index in group.outputs:
            result = _compare(source, group, index, ours[index], theirs[index])
            if result.mismatches:
                result = _judged(
                    result, source, group, index, alone, known[index], start, expected[index], capture
                )
            results.append(result)
    sentences = tuple(f"{_listed(names)}: {reason}" for reason, names in left.items() if names)
    reference = () if whole is None else whole.expected
    return Walk(batch, tuple(results), frozenset(compared), sentences, reference, not left.get(_TOO_LATE))


def _listed(names: Sequence[str]) -> str:
    """The first names of operators, and how many there are beside these."""
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class _Whole:
    """The whole model on the reference kernels, beside what is known of the NPU.

    Attributes:
        inputs: how many inputs were run.
        same: tensors with the same values on both sides.
        other: what the reference has, of tensors where it has something else.
        expected: its outputs by name, an input each.
    """

    inputs: int
    same: frozenset[int]
    other: Values
    expected: tuple[Sample, ...]

    def behind(self, group: Group, known: Values) -> dict[int, NDArray[Any]] | None:
        """What a group must compute; None where it starts from something else, or the reference kept nothing."""
        if not self.same.issuperset(group.inputs):
            return None
        if not all(index in self.same or index in self.other for index in group.outputs):
            return None
        return {index: known[index] if index in self.same else self.other[index] for index in group.outputs}


def _whole_reference(
    kernels: ModelKernels, inputs: Stacked, known: Values, until: float, begun: Inference | None, *, sequence: bool
) -> _Whole | None:
    """None where the reference kernels cannot run the model, or lack one for an operator."""
    try:
        answered = [begun] if begun is not None else []
        whole_model = kernels.whole
        if not whole_model.are_reference:
            return None
        other: dict[int, dict[int, NDArray[Any]]] = {}
        expected: list[Sample] = []
        lost: set[int] = set()
        done = 0
        for sample in unstacked(inputs, len(next(iter(inputs.values())))):
            if done < len(answered):
                expected.append(answered[done].answer())
                kept = answered[done].tensors(known)
            elif time.monotonic() > until:
                break
            else:
                expected.append(whole_model.run(sample, keep_state=sequence and done > 0))
                kept = whole_model.tensors(known)
            for index, array in known.items():
                theirs = kept.get(index)
                if theirs is None or theirs.size != array[done].size:
                    lost.add(index)
                elif _differing(array[done], theirs.reshape(array[done].shape)).any():
                    other.setdefault(index, {})[done] = theirs.reshape(array[done].shape)
            done += 1
    except BadInputError:
        return None
    whole: dict[int, NDArray[Any]] = {}
    for index, arrays in other.items():
        whole[index] = known[index][:done].copy()
        for i, array in arrays.items():
            whole[index][i] = array
    differing = set(whole) | lost
    other_kept = {index: array for index, array in whole.items() if index not in lost}
    return _Whole(done, frozenset(known) - differing, other_kept, tuple(expected))


def _differing(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    """Where two arrays differ; what is no number on both sides does not."""
    different: NDArray[np.bool_] = first != second
    if first.dtype.kind == "f":
        different &= ~(np.isnan(first) & np.isnan(second))
    return different


def _compare(
    source: Model, group: Group, index: int, npu: NDArray[Any], reference: NDArray[Any]
) -> OperatorResult:
    tensor = source.tensors[index]
    different = _differing(npu, reference)
    mismatches = int(different.sum())
    first = None
    largest = 0.0
    if mismatches:
        where = tuple(map(int, np.unravel_index(int(different.argmax()), different.shape)))
        first = FirstDifference(
            input=where[0], position=where[1:], npu=float(npu[where]), reference=float(reference[where])
        )
        # One input at a time: distances take eight times as much memory as the elements.
        largest = max(_largest(ours, theirs, tensor) for ours, theirs in zip(npu, reference, strict=True))
    return OperatorResult(
        index=group.last.index,
        type=group.last.code,
        name=tensor.name,
        dtype=tensor.dtype,
        absorbs=group.absorbed,
        elements=int(npu.size),
        mismatches=mismatches,
        max_lsb=largest,
        first=first,
    )


def _largest(npu: NDArray[Any], reference: NDArray[Any], tensor: Tensor) -> float:
    """The largest difference, in steps of a quantized tensor."""
    if npu.dtype.kind != "f":
        return float(distances(npu, reference).max())
    unit = tensor.quantization.scales[0] if tensor.quantization else 1.0
    return float(np.abs(npu.astype(np.float64) - reference.astype(np.float64)).max()) / unit


def _judged(
    result: OperatorResult,
    source: Model,
    group: Group,
    index: int,
    kernels: GroupKernels,
    npu: NDArray[Any],
    start: Values,
    reference: NDArray[Any],
    capture: LayerCapture,
) -> OperatorResult:
    """Add what is known about a difference: who agrees with the NPU, and why."""
    from deploy.verifying.npu_parameters import describe  # most networks have none

    operator = group.last
    operations = capture.operations.get(operator.index, [])
    cause, agreeing = None, list[str]()
    try:
        witnessed = kernels.witness(group, start)
    except DeployError:
        witnessed = None
    if witnessed is not None and not _differing(npu, witnessed[1][index]).any():
        cause = witnessed[0]
    else:
        for name, outputs in kernels.others(group, start):
            if not _differing(npu, outputs[index]).any():
                agreeing.append(name)
    evidence = KnownFacts(
        code=result.type,
        dtype=result.dtype,
        agreeing=tuple(agreeing),
        overflow=overflow(operator, source),
        saturated=npu.dtype.kind in "iu" and saturated(npu[_differing(npu, reference)], source.tensors[index]),
    )
    shown = [describe(operation) for operation in operations[:_MAX_DESCRIBED]]
    if len(operations) > _MAX_DESCRIBED:
        shown.append(f"and {len(operations) - _MAX_DESCRIBED} more")
    return result.model_copy(
        update={
            "agrees_with": tuple(agreeing),
            "operations": tuple(shown),
            "cause": cause or explain(evidence),
        }
    )
