"""The check of a build's operators: each on what the NPU model computed before it, on a few inputs.

``verify`` and ``compile`` make it, and runs on targets whose build brings no record of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.build_folder import VELA_FOLDER, BuildFolder
from deploy.debug_database import DebugDatabase
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import Models
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.judging.samples import Sample, Stacked, stacked, unstacked
from deploy.judging.verification_record import SKIPPED, record_of
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import Operation
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import Walk, walk
from deploy.verifying.miscompilations import operations_of, with_miscompilations
from deploy.verifying.npu_inference import NpuInference, Observer

_REFERENCE_S, _REFERENCE_MACS_PER_S, _REFERENCE_SHARE = 0.05, 4e8, 0.5
"""About what the reference kernels take, for any network and by its size (measured), and the part of a limited
time that is kept for them at most. Operators that the NPU model has not reached then are not compared."""

MOST_INPUTS = 4
"""How many inputs operators are compared on; further ones are left out."""


@dataclass(frozen=True)
class CheckedOperators:
    """What a check found.

    Attributes:
        check: its figures, for documents; ``unexplained`` decides.
        results: one an output of every operator that was compared, in the model's order.
        answers: what the NPU model answered to the check's inputs, outputs by name; empty where it was not run.
        expected: what LiteRT's reference kernels say about them; empty where they cannot run the whole model.
        in_time: whether nothing was left out because the time was up.
    """

    check: OperatorCheck
    results: tuple[OperatorResult, ...]
    answers: tuple[Sample, ...] = ()
    expected: tuple[Sample, ...] = ()
    in_time: bool = True

    @property
    def differing(self) -> tuple[OperatorResult, ...]:
        """The results of operators that differ, or that Vela is known to have miscompiled."""
        return tuple(result for result in self.results if result.mismatches or result.miscompiled)


def check_operators(
    build: BuildFolder,
    models: Models,
    samples: Sequence[Sample],
    *,
    inference: NpuInference | None = None,
    observer: Observer | None = None,
    limit_s: float | None = None,
) -> CheckedOperators:
    """Compare the NPU model with the oracles operator by operator.

    Args:
        build: an open build folder.
        models: of that build.
        samples: inputs, at least one; the first four are used.
        inference: that has the compiled model before it; None makes one.
        observer: sees the NPU's operations, too.
        limit_s: seconds after which nothing further is begun; what was not compared then is named in
            ``check.left_out``. None for no limit.

    Returns:
        Its figures and results. What no oracle has is named in ``check.left_out`` and is no error, and so is a
        build without a debug database: ``check.source`` is ``none`` then.

    Raises:
        BadInputError: the NPU model cannot run the build, or the samples do not fit it.
        NotInstalledError: LiteRT is missing.
        TargetError: the NPU model refused the command stream.
    """
    now, limit = time.monotonic(), math.inf if limit_s is None else limit_s
    try:
        database = debug_database(build)
        capture = LayerCapture(models.source, database)
    except BadInputError as error:
        return not_checked(build, error.message)
    part = stacked(samples[:MOST_INPUTS])
    if inference is None:
        inference = NpuInference(models.compiled, npu_named(build.document.npu))
    kept_s = min(_reference_s(build, len(samples[:MOST_INPUTS])), _REFERENCE_SHARE * limit)
    outputs = _outputs(inference, part, capture, observer, until=now + limit - kept_s)
    found = walk(models.source, capture, part, outputs, until=now + limit)
    results = with_miscompilations(found.results, models.source, operations_of(inference.programs(), database))
    answers = tuple(unstacked(outputs, len(samples[:MOST_INPUTS]))) if outputs else ()
    return CheckedOperators(_counted(build, found, results), results, answers, found.expected, found.in_time)


def checked_by_compile(build: BuildFolder) -> CheckedOperators | None:
    """The check that ``compile`` made of this very build, or that its user did not want; None where it has none.

    A check that ``compile`` could not make, or not to its end (it had no time, or kernels ended it), can be made
    now, unless it has found a fault.
    """
    record = record_of(build)
    if record is None:
        return None
    complete = record.check.source == "compile" and record.in_time
    if complete or record.faults or record.check.left_out == (SKIPPED,):
        return CheckedOperators(record.check, record.operators)
    return None


def _reference_s(build: BuildFolder, inputs: int) -> float:
    """About how long the reference kernels take."""
    macs = build.document.figure("macs")
    return _REFERENCE_S + (macs.value if macs is not None else 0.0) * inputs / _REFERENCE_MACS_PER_S


class _TimeUpError(Exception):
    """Nothing further is to be begun."""


def _outputs(
    inference: NpuInference, inputs: Stacked, capture: LayerCapture, observer: Observer | None, *, until: float
) -> Stacked:
    """Outputs of the NPU model, whose operations are captured; none where the time was up before the end."""

    def observe(operator: int, operation: Operation, memory: Memory) -> None:
        capture(operator, operation, memory)
        if observer is not None:
            observer(operator, operation, memory)
        if time.monotonic() > until:
            raise _TimeUpError

    try:
        return inference.run_batch(inputs, observe)
    except _TimeUpError:
        return {}


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


def _counted(build: BuildFolder, found: Walk, results: Sequence[OperatorResult]) -> OperatorCheck:
    return OperatorCheck(
        inputs=found.inputs,
        operators=len(found.compared),
        differing=len({result.index for result in results if result.mismatches}),
        unexplained=len({result.index for result in results if not result.explained}),
        left_out=found.left_out,
        source="this run",
        sha256=build.document.compiled_sha256,
    )


def debug_database(build: BuildFolder) -> DebugDatabase:
    """Vela's debug database of a build.

    Raises:
        BadInputError: there is none.
    """
    if not build.debug:
        raise BadInputError(
            f"{build.path / VELA_FOLDER}: Vela's debug database is missing", hints=["run `deploy compile` again"]
        )
    return build.debug
