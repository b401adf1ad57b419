"""The documents of a build folder beside ``compile.json``, and the figures of all of them in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from deploy.advising.documents import AdviceDocument
from deploy.build_folder import (
    ADVICE_DOCUMENT,
    MAX_DOCUMENT_BYTES,
    QUANTIZE_DOCUMENT,
    VELA_FOLDER,
    BuildFolder,
    CompileDocument,
    Figure,
    document_text,
)
from deploy.errors import BadInputError
from deploy.evaluating.documents import EvaluationDocument, evaluation_path
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_differences import operator_differences
from deploy.judging.operator_result import OperatorResult
from deploy.judging.standing_word import Word, decisive, word_of
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import record_of
from deploy.reporting.data.operator_changes import KnownOfOperator
from deploy.reporting.data.operator_memory import sram_of_operators
from deploy.reporting.data.operators import MEMORIES, read_schedule

if TYPE_CHECKING:
    from deploy.quantizing.quantization import QuantizationDocument

VERDICT_COMMANDS = ("check", "run-board", "run-fvp", "verify")
"""Commands whose last verdict a build folder keeps, as ``<command>.json``."""

_Kind = TypeVar("_Kind", bound=BaseModel)


def read_quantization(build: BuildFolder) -> QuantizationDocument | None:
    """``quantize.json``; None where the model came quantized.

    Raises:
        BadInputError: it cannot be read or is damaged.
    """
    path = build.path / QUANTIZE_DOCUMENT
    if not path.is_file():  # Before an import that most builds can do without.
        return None
    from deploy.quantizing.quantization import QuantizationDocument

    return _read(path, QuantizationDocument, "run `deploy compile` again")


def read_verdicts(build: BuildFolder) -> dict[str, Verdict]:
    """The last verdict of every command that judged this very build: command -> document.

    Verdicts on another compilation are left out.

    Raises:
        BadInputError: one cannot be read or is damaged.
    """
    found = {}
    for command in VERDICT_COMMANDS:
        again = f"run `deploy {command}` again, or remove the file"
        verdict = _read(build.verdict_file(command), Verdict, again)
        if verdict is not None and verdict.model_sha256 == build.document.compiled_sha256:
            found[command] = verdict
    return found


def read_evaluation(build: BuildFolder) -> EvaluationDocument | None:
    """The last evaluation of this very build; None where there is none, or one of another compilation.

    Raises:
        BadInputError: it cannot be read or is damaged.
    """
    again = "run `deploy evaluate` again, or remove the file"
    found = _read(evaluation_path(build), EvaluationDocument, again)
    return found if found and found.model_sha256 == build.document.compiled_sha256 else None


def read_advice(build: BuildFolder) -> AdviceDocument | None:
    """The advice that a build folder keeps; None where it keeps none about this very compilation.

    Raises:
        BadInputError: it cannot be read or is damaged.
    """
    again = "`deploy report BUILD --advice quick` writes it again, or remove the file"
    found = _read(build.path / ADVICE_DOCUMENT, AdviceDocument, again)
    return found if found and found.compiled_sha256 == build.document.compiled_sha256 else None


def vela_file(build: BuildFolder, pattern: str) -> str:
    """The text of one of Vela's files, by glob pattern; empty where there is none or it is too large to read."""
    for path in sorted((build.path / VELA_FOLDER).glob(pattern)):
        try:
            if path.is_file() and path.stat().st_size <= MAX_DOCUMENT_BYTES:
                return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return ""


def _read(path: Path, kind: type[_Kind], again: str) -> _Kind | None:
    """A document of this schema version; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        document = kind.model_validate_json(document_text(path))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise BadInputError(f"{path}: cannot be read", hints=[again]) from error
    found, known = vars(document)["schema_version"], kind.model_fields["schema_version"].default
    if found != known:
        raise BadInputError(f"{path}: schema version {found}, this deploy reads {known}", hints=[again])
    return document


ACCURACY = "accuracy_"
"""How the names of accuracy figures begin; the name of the output follows."""

MEASURED_ON_TARGET = "target_npu_active_cycles"
"""The figure that a run's counters give."""


@dataclass(frozen=True)
class BuildFigures:
    """A build as a comparison sees it: its figures.

    Attributes:
        figures: name -> figure.
        inputs: name of a figure -> hash of the inputs that it was measured with, where it depends on any.
        operators: index -> what is known of an operator beside its record in ``document``.
        verdict: what its verdicts, and what ``compile`` checked, amount to.
    """

    name: str
    document: CompileDocument
    figures: dict[str, Figure]
    inputs: dict[str, str] = field(default_factory=dict)
    operators: Mapping[int, KnownOfOperator] = field(default_factory=dict)
    verdict: Word = "none"


def build_figures(build: BuildFolder, name: str) -> BuildFigures:
    """Collect the figures of a build folder.

    Accuracy is that of the evaluation where there is one, else of the verdict on most labelled inputs.

    Raises:
        BadInputError: a document of the folder is damaged.
    """
    figures = {figure.name: figure for figure in (*build.document.figures, *_sizes(build))}
    inputs: dict[str, str] = {}
    verdicts = read_verdicts(build)
    for verdict in sorted(verdicts.values(), key=lambda verdict: verdict.inputs):
        for figure in verdict.figures:
            if figure.name.startswith(ACCURACY) or figure.name == MEASURED_ON_TARGET:
                figures[figure.name] = figure
                if figure.name.startswith(ACCURACY):
                    inputs[figure.name] = verdict.input_sha256
    evaluation = read_evaluation(build)
    if evaluation is not None:
        for figure in evaluation.figures:
            figures[figure.name], inputs[figure.name] = figure, evaluation.input_sha256
    record = record_of(build)
    word: Word = "fail" if record and record.faults else word_of(decisive(verdicts)[1])
    return BuildFigures(name, build.document, figures, inputs, known_of_operators(build), word)


def known_of_operators(build: BuildFolder) -> dict[int, KnownOfOperator]:
    """What Vela's debug database and the checks of its operators say of a build, by index of the operator.

    Raises:
        BadInputError: a document of the folder is damaged.
    """
    memory = sram_of_operators(build.debug, read_schedule(build.debug, MEMORIES))
    lsb = differences_of(build)
    return {
        index: KnownOfOperator(memory.get(index), lsb.get(index))
        for index in (operator.index for operator in build.document.operators)
        if index in memory or index in lsb
    }


def differences_of(build: BuildFolder) -> dict[int, float]:
    """How far each operator on the NPU is known to differ from the reference, over all verdicts and checks.

    Raises:
        BadInputError: a document of the folder is damaged.
    """
    found: list[tuple[OperatorCheck, Sequence[OperatorResult]]] = [
        (verdict.operator_check, verdict.operators) for verdict in read_verdicts(build).values()
    ]
    record = record_of(build)
    if record is not None:
        found.append((record.check, record.operators))
    on_npu = (operator.index for operator in build.document.operators if operator.placement == "NPU")
    return operator_differences(on_npu, found)


def _sizes(build: BuildFolder) -> Iterator[Figure]:
    for name, path in (("source_size", build.source), ("compiled_size", build.compiled)):
        yield Figure(
            name=name, value=path.stat().st_size, unit="bytes", label="measured", source=f"size of {path.name}"
        )
