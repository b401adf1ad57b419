"""Checks a build's operators right after it was compiled: in a process of its own, and in bounded time.

Kernels of LiteRT that end their process (some do) must not take ``compile`` along. The process is a fork, which
has everything imported; what it found is the record in the build folder.
"""

from __future__ import annotations

import time
from dataclasses import replace

import ai_edge_litert.interpreter  # noqa: F401 - before the fork

from deploy.build_folder import VERIFICATION_DOCUMENT, BuildFolder
from deploy.errors import DeployError
from deploy.judging.build_models import read_models
from deploy.judging.inputs import InputSet
from deploy.judging.verification_record import VerificationRecord, keep_record, not_checked, record_of
from deploy.processes.forked import ForkedCall
from deploy.tflite.unwritten import unwritten_outputs
from deploy.verifying.operator_check import MOST_INPUTS, check_operators
from deploy.verifying.usual_inputs import usual_inputs

_MACS_OF_MANY = 50e6
"""Up to so many multiply-accumulates an inference, four inputs take little more time than one."""

_ENOUGH_S, _SHARE = 0.5, 0.4

_GRACE = 0.2
"""Part of the time that is kept for the operator under way, and the record, once nothing more is begun."""


def time_for(vela_s: float) -> float:
    """Seconds that the check of a build may take, of which Vela took ``vela_s``: never more than that.

    A small network is checked in half a second and less (measured); a large one gets a part of Vela's time, so
    that ``compile`` does not take twice as long for it.
    """
    return min(vela_s, max(_ENOUGH_S, _SHARE * vela_s))


class BuildCheck:
    """A check of a build's operators, under way; the thread that begins it has to wait for it, or kill it.

    Args:
        build: as it was just written.
        vela_s: seconds that Vela took.
    """

    def __init__(self, build: BuildFolder, vela_s: float) -> None:
        seconds = time_for(vela_s)
        self._build, self._seconds = build, seconds
        (build.path / VERIFICATION_DOCUMENT).unlink(missing_ok=True)
        self._until = time.monotonic() + seconds
        begun_until = self._until - _GRACE * seconds
        self._child = ForkedCall(lambda: keep_record(build, check_build(build, begun_until)))

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
        return record_of(self._build) or keep_record(self._build, not_checked(self._build, why))

    def kill(self) -> None:
        """End it where it still runs."""
        self._child.kill()


def check_build(build: BuildFolder, until: float) -> VerificationRecord:
    """Check a build's operators, in this process.

    Args:
        build: an open build folder.
        until: value of the monotonic clock after which nothing more is begun.

    Returns:
        What was found. Where the NPU model or the kernels cannot run the build, its ``check.left_out`` says why.
    """
    began = time.monotonic()
    try:
        models = read_models(build)
        inputs = _inputs(build)
        checked = check_operators(build, models, inputs.samples, limit_s=until - began)
    except DeployError as error:
        return not_checked(build, error.message)
    check = checked.check
    if check.source == "this run":
        check = check.model_copy(update={"source": "compile"})
    return VerificationRecord(
        check=check,
        operators=checked.differing,
        unwritten=unwritten_outputs(models.compiled),
        input_source=inputs.source,
        seconds=round(time.monotonic() - began, 3),
        limit_s=round(until - began, 3),
    )


def _inputs(build: BuildFolder) -> InputSet:
    inputs, macs = usual_inputs(build), build.document.figure("macs")
    several = macs is not None and macs.value <= _MACS_OF_MANY
    return replace(inputs, samples=inputs.samples[: MOST_INPUTS if several else 1])
