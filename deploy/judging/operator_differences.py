"""How far each operator of a build is known to differ from the reference kernels. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult


def operator_differences(
    operators: Iterable[int], found: Iterable[tuple[OperatorCheck, Iterable[OperatorResult]]]
) -> dict[int, float]:
    """The largest difference of each operator, in steps of its output's own integers.

    Args:
        operators: indices of the build's operators in the source model.
        found: checks of operators with those that they list: what differs, or everything.

    Returns:
        Index -> largest difference over all checks; 0 where one that left nothing out does not list the operator.
        Operators that nobody compared are left out.
    """
    known: dict[int, float] = {}
    indices = list(operators)
    for check, listed in found:
        if check.operators and not check.left_out:
            for index in indices:
                known.setdefault(index, 0.0)
        for result in listed:
            known[result.index] = max(known.get(result.index, 0.0), result.max_lsb)
    return known
