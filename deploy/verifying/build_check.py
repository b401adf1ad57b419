"""Checks a build's operators right after it was compiled: in a process of its own, and in bounded time.

It runs beside what ``compile`` does meanwhile, and is ended where it takes too long; what it found is the record
in the build folder. It may have begun beside Vela.
"""

from __future__ import annotations

import contextlib
import time

from deploy import npu
from deploy.build_folder import BuildFolder
from deploy.errors import DeployError
from deploy.hardware.npus import Npu, npu_named
from deploy.judging.build_models import read_models
from deploy.judging.inputs import InputSet
from deploy.judging.samples import Sample
from deploy.judging.verification_record import VerificationRecord, keep_record, not_checked
from deploy.processes.worker import TOO_LONG, WorkerEndedError
from deploy.tflite import Model
from deploy.tflite.unwritten import unwritten
from deploy.verifying.begun_check import BegunCheck
from deploy.verifying.channel_scales import compare_scales, with_scale_differences
from deploy.verifying.deciding_versions import deciding_versions
from deploy.verifying.judged_part import judged_part
from deploy.verifying.kept_check import inputs_digest
from deploy.verifying.miscompilations import operations_of, with_miscompilations
from deploy.verifying.npu_inference import decoded_programs
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
    """A check of a build's operators, under way; whoever begins it has to wait for it, or kill it.

    Args:
        build: it may still have to be written.
        vela_s: seconds that Vela took.
        begun: a check that was begun beside Vela.
        inputs: that the build is going to keep; None where it is written.
    """

    def __init__(
        self, build: BuildFolder, vela_s: float, begun: BegunCheck | None = None, inputs: InputSet | None = None
    ) -> None:
        self._build, self._seconds = build, vela_s
        if begun is None or begun.source is not build.source_model or not begun.alive:
            begun = BegunCheck(build.source_model, check_build)
        self._begun = begun
        begun.go_on(build, inputs, until=time.monotonic() + time_for(vela_s), timeout_s=vela_s)

    def finish(self) -> VerificationRecord:
        """Wait for its end, and keep what it found in the folder, which is written now.

        Returns:
            What was found; where nothing was compared, ``check.left_out`` says why.

        Raises:
            BadInputError: the folder cannot be written.
        """
        try:
            record = self._begun.record()
        except WorkerEndedError as error:
            why = "the check of operators left no record"
            if error.how == TOO_LONG:
                why = f"the time of {self._seconds:.1f} s was up before the first operators had been compared"
            elif error.how.startswith("SIG"):
                why = f"the kernels ended the check of operators ({error.how})"
            record = _not_compared(self._build, why)
        finally:
            self.kill()
        return keep_record(self._build, record)

    def kill(self) -> None:
        """End it where it still runs."""
        self._begun.close()


def begun_check(source: Model, target: Npu, sample: Sample) -> BegunCheck:
    """Begin a check before there is a build; from the main thread, which it ends with.

    Args:
        source: the model that is compiled.
        target: what it is compiled for.
        sample: an input that it is likely to be checked on.
    """

    def load() -> object:
        return deciding_versions(), npu.Architecture(target.family, target.macs).instruction_set

    return BegunCheck(source, check_build, sample, load)


def check_build(
    build: BuildFolder, until: float, inputs: InputSet | None = None, ahead: ReferenceAhead | None = None
) -> VerificationRecord:
    """Check a build's operators, in this process.

    Args:
        build: an open build folder; one that is still to be written with its inputs.
        until: value of the monotonic clock after which nothing more is begun.
        inputs: that it is going to keep; None for those that it keeps.
        ahead: what the reference kernels have said already; with a large network, the time that it took is part
            of that until then.

    Returns:
        What was found. Where the NPU model or the kernels cannot run the build, its ``check.left_out`` says why.
    """
    began = time.monotonic()
    try:
        part = judged_part(build)
        models = read_models(part.build)
        inputs = inputs or usual_inputs(part.build)
        checked = check_operators(part.build, models, inputs.samples, limit_s=until - began, ahead=ahead)
    except DeployError as error:
        return _not_compared(build, error.message)
    check = part.noted(checked.check)
    if check.source == "this run":
        check = check.model_copy(update={"source": "compile"})
    return VerificationRecord(
        check=check,
        operators=checked.differing,
        unwritten=unwritten(build.compiled_model),
        in_time=checked.in_time,
        input_source=inputs.source,
        seconds=round(time.monotonic() - began, 3),
        limit_s=round(until - began, 3),
        inputs_sha256="" if part.without else inputs_digest(build, inputs.samples),
        versions=deciding_versions(),
    )


def _not_compared(build: BuildFolder, why: str) -> VerificationRecord:
    """What is known without a comparison: what Vela wrote tells most miscompilations, and other scales."""
    try:
        source, compiled = build.source_model, build.compiled_model
        programs = decoded_programs(compiled, npu_named(build.document.npu))
        found = with_miscompilations((), source, operations_of(programs, build.debug))
        scales = compare_scales(source, compiled, programs, build.debug)
        return not_checked(build, why, with_scale_differences(found, source, scales))
    except DeployError:
        return not_checked(build, why)
