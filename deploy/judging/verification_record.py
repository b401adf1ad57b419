"""What ``compile`` found when it checked a build's operators: ``verification.json`` of the build folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

import deploy
from deploy.build_folder import VERIFICATION_DOCUMENT, BuildFolder, Document, document_text
from deploy.errors import BadInputError, DeployError, ExitStatus
from deploy.files import write_text
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.tflite.unwritten import unwritten

VERIFICATION_SCHEMA_VERSION = 1

SKIPPED = "all operators: compiled with --verify none"
"""What the record of a build says that the user did not want checked."""


class VerificationRecord(Document):
    """The check of operators that ``compile`` made, or why it made none.

    Attributes:
        schema_version: of this document.
        deploy: version of deploy that made it.
        check: its figures; bound to the compiled model by their ``sha256``.
        operators: those that differ from the reference kernels, that Vela miscompiled, or that have
            another bias or scale than the model says.
        unwritten: what is known of outputs that nothing in the compiled model writes, and of variables that
            nothing initialises, one sentence each.
        input_source: where the inputs come from.
        in_time: whether nothing was left out because the time was up.
        seconds: how long it took.
        limit_s: how long it was allowed to take.
        inputs_sha256: of the inputs that it rests on, see :func:`deploy.verifying.kept_check.inputs_digest`; empty
            where nobody can have the same.
        versions: of what decided its outcome.
        digest: SHA-256 over all the rest, which tells a document that was damaged.
    """

    schema_version: int = VERIFICATION_SCHEMA_VERSION
    deploy: str = deploy.__version__
    check: OperatorCheck
    operators: tuple[OperatorResult, ...] = ()
    unwritten: tuple[str, ...] = ()
    input_source: str = ""
    in_time: bool = True
    seconds: float = 0.0
    limit_s: float = 0.0
    inputs_sha256: str = ""
    versions: Mapping[str, str] = {}
    digest: str = ""

    @property
    def faults(self) -> tuple[str, ...]:
        """What makes the build unusable, one sentence each: nothing where it passed, or was not checked."""
        return (*self.unwritten, *(result.fault for result in self.operators if not result.explained))


class MiscompiledError(DeployError):
    """A build that was written, and that computes something else than the model.

    Args:
        build: the build folder.
        record: of its check, with faults.
    """

    exit_status = ExitStatus.FAIL

    def __init__(self, build: BuildFolder, record: VerificationRecord) -> None:
        first, *more = record.faults
        others = f" (and {len(more)} more)" if more else ""
        super().__init__(
            f"{build.document.model} on {build.document.npu}: {first}{others}",
            hints=[f"the build folder {build.path} was written all the same: look, but do not deploy it"],
        )
        self.build, self.record = build, record


def record_of(build: BuildFolder) -> VerificationRecord | None:
    """What ``compile`` recorded about this very build, by this version of deploy; None where that is not there.

    A record that cannot be read counts as none: the check can be made again.
    """
    try:
        record = VerificationRecord.model_validate_json(document_text(build.path / VERIFICATION_DOCUMENT))
    except (OSError, UnicodeDecodeError, ValidationError, BadInputError):
        return None
    same = (record.schema_version, record.deploy) == (VERIFICATION_SCHEMA_VERSION, deploy.__version__)
    same = same and record.digest == _digest(record)
    return record if same and record.check.sha256 == build.document.compiled_sha256 else None


def _digest(record: VerificationRecord) -> str:
    content = record.model_dump_json(exclude={"digest"})
    return hashlib.sha256(content.encode()).hexdigest()


def not_checked(build: BuildFolder, why: str, wrong: Sequence[OperatorResult] = ()) -> VerificationRecord:
    """The record of a build whose operators were not compared.

    Args:
        build: whose they are.
        why: one sentence.
        wrong: operators that are known to be wrong without a comparison.

    Raises:
        BadInputError: its compiled model is damaged.
    """
    check = OperatorCheck(left_out=(why,), unexplained=len(wrong), sha256=build.document.compiled_sha256)
    return VerificationRecord(check=check, operators=tuple(wrong), unwritten=unwritten(build.compiled_model))


def keep_record(build: BuildFolder, record: VerificationRecord) -> VerificationRecord:
    """Write a record into the build folder, and return it, with its digest.

    Raises:
        BadInputError: the folder cannot be written.
    """
    record = record.model_copy(update={"digest": _digest(record)})
    write_text(build.path / VERIFICATION_DOCUMENT, record.model_dump_json(indent=2) + "\n")
    return record
