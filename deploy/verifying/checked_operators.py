"""What a check of a build's operators found, for those who use one that others have made."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.build_folder import BuildFolder
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.judging.samples import Sample


@dataclass(frozen=True)
class CheckedOperators:
    """What a check found.

    Attributes:
        check: its figures, for documents; ``unexplained`` decides.
        results: one an output of every operator that was compared, in the model's order.
        answers: what the NPU model answered to the check's inputs, outputs by name; empty where it was not run.
        expected: what LiteRT's reference kernels say about them; empty where they cannot run the whole model.
        in_time: whether nothing was left out because the time was up, no input and no made-up values either.
    """

    check: OperatorCheck
    results: tuple[OperatorResult, ...]
    answers: tuple[Sample, ...] = ()
    expected: tuple[Sample, ...] = ()
    in_time: bool = True

    @property
    def differing(self) -> tuple[OperatorResult, ...]:
        """The results of operators that differ, or of which something is wrong whatever they compute."""
        return tuple(result for result in self.results if result.mismatches or not result.explained)


def not_checked(build: BuildFolder, reason: str) -> CheckedOperators:
    """What there is to say where no operator was compared.

    Args:
        build: whose they are.
        reason: why, one sentence.
    """
    check = OperatorCheck(
        left_out=(f"all operators: {reason}",), source="none", sha256=build.document.compiled_sha256
    )
    return CheckedOperators(check, ())
