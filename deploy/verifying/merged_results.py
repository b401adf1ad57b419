"""What several rounds of inputs told about operators, as if they had been one round."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.judging.operator_result import OperatorResult
from deploy.tflite import Model, Operator


def merged(rounds: Sequence[tuple[OperatorResult, ...]], inputs: Sequence[int]) -> tuple[OperatorResult, ...]:
    """The results of several rounds as those of one.

    Args:
        rounds: results of each.
        inputs: how many inputs each had.
    """
    found: dict[tuple[int, str], OperatorResult] = {}
    before = 0
    for results, count in zip(rounds, inputs, strict=True):
        for result in results:
            key = result.index, result.name
            later = result
            if result.first is not None:
                first = result.first.model_copy(update={"input": result.first.input + before})
                later = result.model_copy(update={"first": first})
            found[key] = _joined(found[key], later) if key in found else later
        before += count
    return tuple(found.values())


def with_faults(
    results: Sequence[OperatorResult], made_up: Sequence[OperatorResult]
) -> tuple[OperatorResult, ...]:
    """Results on a network's inputs, with those on made-up values in their place that nothing explains.

    Figures of an operator are those on inputs: on made-up values it differs more than it ever will.

    Args:
        results: on inputs.
        made_up: on made-up values.
    """
    faults = {
        (each.index, each.name): each.model_copy(update={"made_up": True})
        for each in made_up
        if not each.explained
    }
    return tuple(faults.get((each.index, each.name), each) if each.explained else each for each in results)


def not_compared(operator: Operator, source: Model) -> OperatorResult:
    """The result of an operator of which no output was compared, for what is known of it all the same.

    Args:
        operator: of the source model.
        source: that model.
    """
    tensor = source.tensors[operator.outputs[0]]
    return OperatorResult(
        index=operator.index,
        type=operator.code,
        name=tensor.name,
        dtype=tensor.dtype,
        absorbs=(),
        elements=0,
        mismatches=0,
        max_lsb=0,
    )


def _joined(some: OperatorResult, other: OperatorResult) -> OperatorResult:
    """Two results of one operator: what is told is the first that nothing explains, else one that differs.

    Other kernels explain a difference where they compute all of the output: the same ones for both.
    """
    told = min(some, other, key=lambda result: (result.explained, not result.mismatches))
    agreeing, cause = told.agrees_with, told.cause
    if some.mismatches and other.mismatches and (some.agrees_with or other.agrees_with):
        agreeing = tuple(name for name in some.agrees_with if name in other.agrees_with)
        cause = cause if agreeing else None
    return told.model_copy(
        update={
            "agrees_with": agreeing,
            "cause": cause,
            "elements": some.elements + other.elements,
            "mismatches": some.mismatches + other.mismatches,
            "max_lsb": max(some.max_lsb, other.max_lsb),
        }
    )
