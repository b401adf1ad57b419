"""What decides a verdict: the outputs against the oracle, the target against the NPU model, the operators.

Each alone can fail it. The tolerance is for the first of them: a difference from the NPU model, and an operator
without a known cause, fail whatever it allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.judging.opinion import Opinion
from deploy.judging.target_comparison import TargetComparison

ACCEPT = "--accept-model-difference"
"""The option that lets a target pass that differs from the NPU model within the tolerance of the reference."""

NO_REFERENCE = "--accept-no-reference"
"""The option that ends a run with status 0 that nothing failed, and nothing could judge."""

REQUIRE = "--require-evidence"
"""The option that fails a verdict whose evidence is weak."""


@dataclass(frozen=True)
class Ruling:
    """A decision.

    Attributes:
        passed: whether nothing fails it.
        reason: one sentence that says why.
        accepted: what an option let pass.
    """

    passed: bool
    reason: str
    accepted: tuple[str, ...] = ()


def ruled(
    opinion: Opinion,
    comparison: TargetComparison | None,
    check: OperatorCheck,
    operators: Sequence[OperatorResult],
    *,
    accept_model_difference: bool,
    unwritten: Sequence[str] = (),
    weak: Sequence[str] = (),
) -> Ruling:
    """Decide.

    Args:
        opinion: of the oracles about the outputs.
        comparison: of the target with the NPU model; None where the NPU model itself answered.
        check: of the operators.
        operators: its results, as far as they are at hand.
        accept_model_difference: whether a target may differ from the NPU model within the tolerance.
        unwritten: outputs that nothing in the compiled model writes, one sentence each: what was compared there
            was in memory by chance.
        weak: why the evidence is weak, where that is to fail a verdict.
    """
    failures, accepted = [*unwritten], list[str]()
    if not opinion.passed:
        failures.append(opinion.reason)
    differing = comparison.differing if comparison is not None else ()
    if differing:
        said = "; ".join(output.sentence for output in differing)
        if not opinion.judged:
            failures.append(f"the target differs from the NPU model: one of the two is wrong ({said})")
        elif opinion.passed and accept_model_difference:
            accepted.append(f"the target differs from the NPU model: {said}")
        elif opinion.passed:
            failures.append(f"{_kept(opinion)} but differs from the NPU model: one of the two is wrong ({said})")
        else:
            failures.append(f"the target differs from the NPU model, too ({said})")
    if check.unexplained:
        failures.append(_operators(check, operators))
    if weak and not failures:
        failures.append(f"the evidence is weak, which {REQUIRE} fails: {', '.join(weak)} ({opinion.reason})")
    if failures:
        return Ruling(False, "; ".join(failures), tuple(accepted))
    reason = "; ".join((opinion.reason, *(f"{sentence}, accepted by {ACCEPT}" for sentence in accepted)))
    return Ruling(True, reason, tuple(accepted))


def _kept(opinion: Opinion) -> str:
    worst = max((output.max_lsb or 0.0 for output in opinion.deciding.outputs), default=0.0)
    return f"the target keeps to the reference within {worst:g} LSB"


def _operators(check: OperatorCheck, operators: Sequence[OperatorResult]) -> str:
    """The first operator without a cause by name, and how many there are."""
    bad = next((result for result in operators if not result.explained), None)
    if bad is None:
        return (
            f"{check.unexplained} of {check.operators} operators equal no oracle, and no known cause explains it"
        )
    return bad.fault if check.unexplained == 1 else f"{bad.fault}; {check.unexplained - 1} more fail, too"
