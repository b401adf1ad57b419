"""Checks a build's operators right after it was compiled: in a process of its own, and in bounded time.

It runs beside what ``compile`` does meanwhile, and is ended where it takes too long. The process is a fork, which
has everything imported; what it found is the record in the build folder. It may have begun beside Vela.
"""

from __future__ import annotations

import contextlib
import time

from deploy.build_folder import VERIFICATION_DOCUMENT, BuildFolder
from deploy.errors import DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import read_models
from deploy.judging.samples import Sample
from deploy.judging.verification_record import VerificationRecord, keep_record, not_checked, record_of
from deploy.processes.forked import ForkedCall
from deploy.tflite import Model
from deploy.tflite.unwritten import unwritten_outputs
from deploy.verifying.begun_check import BegunCheck
from deploy.verifying.deciding_versions import deciding_versions
from deploy.verifying.judged_part import judged_part
from deploy.verifying.kept_check import inputs_digest
from deploy.verifying.miscompilations import operations_of, with_miscompilations
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.operator_check import check_operators
from deploy.verifying.reference_ahead import ReferenceAhead
from deploy.verifying.usual_inputs import usual_inputs

with contextlib.suppress(ImportError):  # before the fork; where it is missing, the check says so
    import ai_edge_litert.interpreter  # noqa: F401

_ENOUGH_S, _SHARE, _MOST = 0.5, 0.4, 0.85
"""Seconds that suffice for a small network (measured); parts of Vela's time: for a large network, and at most."""


def time_for(vela_s: float) -> float:
    """Seconds after which the check of a build begins nothing more, where Vela took ``vela_s`` for it.

    The rest of Vela's time is for what is under way then: it never takes longer than Vela. A large network gets a
    smaller part, so that ``compile`` does not take twice as long for it.
    """
    return min(_MOST * vela_s, max(_ENOUGH_S, _SHARE * vela_s))


class BuildCheck:
    """A check of a build's operators, under way; the thread that begins it has to wait for it, or kill it.

    Args:
        build: as it was just written.
        vela_s: seconds that Vela took.
        begun: a check that was begun beside Vela.
    """

    def __init__(self, build: BuildFolder, vela_s: float, begun: BegunCheck | None = None) -> None:
        self._build, self._seconds = build, vela_s
        (build.path / VERIFICATION_DOCUMENT).unlink(missing_ok=True)
        now = time.monotonic()
        self._until, until = now + vela_s, now + time_for(vela_s)
        if begun is not None and begun.source is build.source_model and begun.go_on(build, until):
            self._child = begun.child
        else:
            self._child = ForkedCall(lambda: keep_record(build, check_build(build, until)))

    def finish(self) -> VerificationRecord:
        """Wait for its end.

        Returns:
            What was found, and is kept in the folder; where nothing was compared, ``check.left_out`` says why.

        Raises:
            BadInputError: the folder cannot be written.
        """
        why = "the check of operators left no record"
        try:
            name = self._child.fatal_signal(until=self._until)
        except TimeoutError:
            why = f"the time of {self._seconds:.1f} s was up before the first operators had been compared"
        else:
            why = f"the kernels ended the check of operators ({name})" if name else why
        return record_of(self._build) or keep_record(self._build, _not_compared(self._build, why))

    def kill(self) -> None:
        """End it where it still runs."""
        self._child.kill()


def begun_check(source: Model, sample: Sample) -> BegunCheck:
    """Begin a check before there is a build; the thread that begins it has to live as long.

    Args:
        source: the model that is compiled.
        sample: an input that it is likely to be checked on.
    """

    def check(build: BuildFolder, until: float, ahead: ReferenceAhead | None) -> None:
        keep_record(build, check_build(build, until, ahead))

    return BegunCheck(source, sample, check)


def check_build(build: BuildFolder, until: float, ahead: ReferenceAhead | None = None) -> VerificationRecord:
    """Check a build's operators, in this process.

    Args:
        build: an open build folder.
        until: value of the monotonic clock after which nothing more is begun.
        ahead: what the reference kernels have said already; with a large network, the time that it took is part
            of that until then.

    Returns:
        What was found. Where the NPU model or the kernels cannot run the build, its ``check.left_out`` says why.
    """
    began = time.monotonic()
    try:
        part = judged_part(build)
        models = read_models(part.build)
        inputs = usual_inputs(part.build)
        checked = check_operators(part.build, models, inputs.samples, limit_s=until - began, ahead=ahead)
    except DeployError as error:
        return _not_compared(build, error.message)
    check = part.noted(checked.check)
    if check.source == "this run":
        check = check.model_copy(update={"source": "compile"})
    return VerificationRecord(
        check=check,
        operators=checked.differing,
        unwritten=unwritten_outputs(build.compiled_model),
        in_time=checked.in_time,
        input_source=inputs.source,
        seconds=round(time.monotonic() - began, 3),
        limit_s=round(until - began, 3),
        inputs_sha256="" if part.without else inputs_digest(build, inputs.samples),
        versions=deciding_versions(),
    )


def _not_compared(build: BuildFolder, why: str) -> VerificationRecord:
    """What is known without a comparison: the command stream alone tells most miscompilations."""
    try:
        programs = NpuInference(build.compiled_model, npu_named(build.document.npu)).programs()
        operations = operations_of(programs, build.debug)
        return not_checked(build, why, with_miscompilations((), build.source_model, operations))
    except DeployError:
        return not_checked(build, why)
