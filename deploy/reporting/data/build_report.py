"""A build as one document: what its report says, for programs."""

from __future__ import annotations

from deploy.advising.documents import AdviceDocument
from deploy.build_folder import BuildFolder, CompileDocument
from deploy.evaluating.documents import EvaluationDocument
from deploy.judging.verification_record import VerificationRecord, record_of
from deploy.quantizing.quantization import QuantizationDocument
from deploy.reporting.data.build_documents import read_advice, read_evaluation, read_quantization


class BuildReport(CompileDocument):
    """What ``deploy compile`` and ``deploy report`` tell of a build: ``compile.json``, and what stands beside it.

    Attributes:
        build: the build folder, or the file that Vela compiled elsewhere.
        quantization: ``quantize.json``; None where the model came quantized.
        evaluation: the last one of this very build, with ``deploy evaluate``.
        advice: what would make the model cheaper; None where it was not looked for.
        verification: what the check of its operators found; None where none was made by this version of deploy.
    """

    build: str
    quantization: QuantizationDocument | None = None
    evaluation: EvaluationDocument | None = None
    advice: AdviceDocument | None = None
    verification: VerificationRecord | None = None


def build_report(build: BuildFolder) -> BuildReport:
    """The document of a build folder.

    Raises:
        BadInputError: a document of the folder is damaged.
    """
    return BuildReport(
        **dict(build.document),
        build=build.shown,
        quantization=read_quantization(build),
        evaluation=read_evaluation(build),
        advice=read_advice(build),
        verification=record_of(build),
    )
