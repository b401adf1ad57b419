"""The check of operators that a build folder keeps, for runs that would only repeat it.

A record stands for a check that was made to its end of this very build, and found no fault. ``run-fvp`` takes over
such a record whatever its inputs: it is about the target. ``verify`` is about the operators, and takes over only
what it would compute once more: a check on the same inputs, by the same code, kernels and NPU model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.judging.samples import Sample, SampleDigest
from deploy.judging.verification_record import SKIPPED, VerificationRecord, keep_record, record_of
from deploy.tflite.unwritten import unwritten
from deploy.verifying.checked_operators import CheckedOperators
from deploy.verifying.deciding_versions import deciding_versions
from deploy.verifying.usual_inputs import FEWEST, affordable, affordable_sets


def checked_before(build: BuildFolder) -> CheckedOperators | None:
    """The check that ``compile`` or a later run made of this very build; None where there is none that counts.

    One that was not made to its end (it had no time, or kernels ended it) can be made now, unless it has found a
    fault, or the build's user did not want any.
    """
    record = record_of(build)
    if record is None:
        return None
    if _complete(record) or record.faults or record.check.left_out == (SKIPPED,):
        return CheckedOperators(record.check, record.operators)
    return None


def checked_on(build: BuildFolder, samples: Sequence[Sample]) -> CheckedOperators | None:
    """The check of this very build that would be the same now; None where there is none, or it found a fault.

    Args:
        build: an open build folder.
        samples: inputs to check it on.
    """
    record = record_of(build)
    if record is None or not _complete(record) or record.faults:
        return None
    same = record.inputs_sha256 == inputs_digest(build, samples) and record.versions == deciding_versions()
    return CheckedOperators(record.check, record.operators) if same else None


def keep_for_later(build: BuildFolder, checked: CheckedOperators, samples: Sequence[Sample] = ()) -> None:
    """Record a check that was made to its end, for later runs; where the folder cannot be written, they repeat it.

    One that found a fault is not kept: the fault may be that of this run alone. A record of a fault stays. One on
    fewer inputs than the build folder keeps would stand for a better one later, and is not kept either.

    Args:
        build: that was checked.
        checked: what was found.
        samples: inputs that it was made on; none where they were this run's alone.
    """
    before, usual = record_of(build), build.document.samples
    if not checked.in_time or checked.check.source != "this run" or (before is not None and before.faults):
        return
    if checked.check.inputs < min(FEWEST if usual is None else usual.count, affordable(_macs(build))):
        return
    record = VerificationRecord(
        check=checked.check.model_copy(update={"source": "an earlier run"}),
        operators=checked.differing,
        unwritten=unwritten(build.compiled_model),
        inputs_sha256=inputs_digest(build, samples) if samples else "",
        versions=deciding_versions(),
    )
    if not record.faults:
        with contextlib.suppress(BadInputError):
            keep_record(build, record)


def inputs_digest(build: BuildFolder, samples: Sequence[Sample]) -> str:
    """SHA-256 over the first of some inputs: those that a check rests on, by what is made up from them, too."""
    cost = _macs(build)
    return SampleDigest().add(samples[: max(affordable(cost), affordable_sets(cost))]).hexdigest()


def _macs(build: BuildFolder) -> float:
    figure = build.document.figure("macs")
    return 0.0 if figure is None else figure.value


def _complete(record: VerificationRecord) -> bool:
    return record.check.source != "none" and record.in_time
