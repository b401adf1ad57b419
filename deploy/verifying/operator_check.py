"""The check of a build's operators: each on what the NPU model computed before it, and on made-up values.

``verify`` and ``compile`` make it, and runs on targets whose build brings no record of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deploy.build_folder import VELA_FOLDER, BuildFolder
from deploy.debug_database import DebugDatabase
from deploy.errors import BadInputError, TargetError
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import Models
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.judging.samples import Sample, Stacked, stacked, unstacked
from deploy.judging.verification_record import SKIPPED, record_of
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import Operation
from deploy.tflite import Model
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import Walk, walk
from deploy.verifying.made_up_values import MadeUpValues
from deploy.verifying.merged_results import merged, with_faults
from deploy.verifying.miscompilations import operations_of, with_miscompilations
from deploy.verifying.npu_inference import NpuInference, Observer
from deploy.verifying.usual_inputs import FEWEST, SEED, affordable, affordable_sets

_REFERENCE_S, _REFERENCE_MACS_PER_S, _REFERENCE_SHARE = 0.05, 4e8, 0.5
"""About what the reference kernels take, for any network and by its size (measured), and the part of a limited
time that is kept for them at most. Operators that the NPU model has not reached then are not compared."""

_FIRST_MACS = 50e6
"""What the inputs of the first round cost at most, which is to be done in any time; a large network's is one."""

_FIRST_SETS = 2
"""Of made-up values, one of each kind, which is to be done in nearly any time."""

_ROUND_BYTES = 64 * 1024 * 1024
"""Of all tensors that one round keeps."""


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
    limit_s: float | None = None,
    observer: Observer | None = None,
) -> CheckedOperators:
    """Compare the NPU model with the oracles operator by operator.

    Args:
        build: an open build folder.
        models: of that build.
        samples: inputs, at least one; as many are used as :func:`~deploy.verifying.usual_inputs.affordable` says.
        inference: that has the compiled model before it; None makes one.
        limit_s: seconds after which nothing further is begun; what was not compared then is named in
            ``check.left_out``. None for no limit. In a limited time, what the first inputs leave of it is for
            further ones.
        observer: called after every NPU operation of these inputs.

    Returns:
        Its figures and results. What no oracle has is named in ``check.left_out`` and is no error, and so is a
        build without a debug database: ``check.source`` is ``none`` then.

    Raises:
        BadInputError: the NPU model cannot run the build, or the samples do not fit it.
        NotInstalledError: LiteRT is missing.
        TargetError: the NPU model refused the command stream.
    """
    until = math.inf if limit_s is None else time.monotonic() + limit_s
    try:
        database = debug_database(build)
        LayerCapture(models.source, database)
    except BadInputError as error:
        return not_checked(build, error.message)
    if inference is None:
        inference = NpuInference(models.compiled, npu_named(build.document.npu))
    parts = _parts(build, models.source, samples)
    rounds = [_round(build, models.source, inference, next(parts), until=until, observer=observer)]
    made_up = list(_made_up_rounds(build, models.source, inference, samples, rounds[0], until=until))
    for part in parts:
        if not rounds[-1].walk.in_time or rounds[-1].end(len(part)) > until:
            break
        rounds.append(_round(build, models.source, inference, part, until=until, observer=observer))
    first = rounds[0].walk
    results = merged([each.walk.results for each in rounds], [each.inputs for each in rounds])
    results = with_faults(
        results, merged([each.walk.results for each in made_up], [each.inputs for each in made_up])
    )
    results = with_miscompilations(results, models.source, operations_of(inference.programs(), database))
    # What a later round did not get to was compared in the first one.
    whole = [each for each in rounds if each.answers]
    expected = tuple(sample for each in whole for sample in each.walk.expected)
    answers = tuple(answer for each in whole for answer in each.answers)
    check = _counted(build, sum(each.walk.inputs for each in rounds), first, results)
    return CheckedOperators(
        check.model_copy(update={"made_up": sum(each.walk.inputs for each in made_up)}),
        results,
        answers,
        expected if len(expected) == len(answers) else (),
        first.in_time,
    )


@dataclass(frozen=True)
class _Round:
    """What a part of the inputs told."""

    walk: Walk
    answers: tuple[Sample, ...]
    inputs: int
    seconds: float

    def end(self, inputs: int) -> float:
        """About when another round would end that begins now."""
        return time.monotonic() + self.seconds * inputs / max(self.inputs, 1)


def _round(
    build: BuildFolder,
    source: Model,
    inference: NpuInference,
    samples: Sequence[Sample],
    *,
    until: float,
    observer: Observer | None,
) -> _Round:
    began = time.monotonic()
    kept_s = min(_reference_s(build, len(samples)), _REFERENCE_SHARE * (until - began))
    capture, inputs = LayerCapture(source, build.debug), stacked(samples)
    observers = (capture,) if observer is None else (capture, observer)
    outputs = _outputs(inference, inputs, observers, until=until - kept_s)
    found = walk(source, capture, inputs, outputs, until=until)
    answers = tuple(unstacked(outputs, len(samples))) if outputs else ()
    return _Round(found, answers, len(samples), time.monotonic() - began)


def _made_up_rounds(
    build: BuildFolder,
    source: Model,
    inference: NpuInference,
    samples: Sequence[Sample],
    first: _Round,
    *,
    until: float,
) -> Iterator[_Round]:
    """Rounds on made-up values of every operator's own: a small one, then as many sets as there is time for.

    Each leaves out what it cannot compare: the first round on inputs has said what no kernels can run.
    """
    values, inputs = MadeUpValues(source, SEED), stacked(samples)
    wanted, room, last = affordable_sets(_macs(build)), _room(source), first
    size = min(wanted, room, _FIRST_SETS)
    while wanted > 0 and first.walk.in_time:
        if last is not first and math.isfinite(until):
            size = int(min(size, (until - time.monotonic()) * last.inputs // max(last.seconds, 1e-9)))
        if size < 1 or last.end(size) > until:
            return
        began = time.monotonic()
        capture = LayerCapture(source, build.debug, values)
        made = values.inputs(inputs, size)
        try:
            outputs = _outputs(inference, made, (capture,), until=until)
        except TargetError:
            return  # an operator on the CPU that such values have no answer for: on inputs it ran
        found = walk(source, capture, made, outputs, until=until, prepared=bool(first.walk.expected))
        last = _Round(found, (), size, time.monotonic() - began)
        yield last
        if not found.in_time:
            return
        wanted -= size
        size = min(wanted, room)


def _room(source: Model) -> int:
    """How many inputs a round takes at most, for memory."""
    return max(1, _ROUND_BYTES // max(sum(tensor.nbytes for tensor in source.tensors), 1))


def _parts(build: BuildFolder, source: Model, samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """The inputs in rounds, each about as large as all before it, and none with more than fits in memory."""
    room = _room(source)
    first = max(1, min(FEWEST, int(_FIRST_MACS // max(_macs(build), 1))))
    done, last = 0, min(len(samples), affordable(_macs(build)))
    while done < last:
        size = min(max(first, done), room, last - done)
        yield samples[done : done + size]
        done += size


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


def _macs(build: BuildFolder) -> float:
    """Multiply-accumulates of one inference."""
    macs = build.document.figure("macs")
    return macs.value if macs is not None else 0.0


def _reference_s(build: BuildFolder, inputs: int) -> float:
    """About how long the reference kernels take."""
    return _REFERENCE_S + _macs(build) * inputs / _REFERENCE_MACS_PER_S


class _TimeUpError(Exception):
    """Nothing further is to be begun."""


def _outputs(inference: NpuInference, inputs: Stacked, observers: Sequence[Observer], *, until: float) -> Stacked:
    """Outputs of the NPU model, whose operations are observed; none where the time was up before the end."""

    def observe(operator: int, operation: Operation, memory: Memory) -> None:
        for each in observers:
            each(operator, operation, memory)
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


def _counted(build: BuildFolder, inputs: int, found: Walk, results: Sequence[OperatorResult]) -> OperatorCheck:
    return OperatorCheck(
        inputs=inputs,
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
