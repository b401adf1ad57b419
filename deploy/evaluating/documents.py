"""The document of an evaluation, as ``deploy evaluate`` writes it and reports read it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from deploy.build_folder import Answer, BuildFolder, Document, Figure
from deploy.judging.origin import FirmwareRecord, Platform

EVALUATION_SCHEMA_VERSION = 1
EVALUATION_DOCUMENT = "evaluate.json"

Contestant = Literal["float", "reference", "target"]
"""Who classifies: the float model, the quantized model on the reference kernels, the compiled model."""


class ClassScore(Document):
    """One class in the eyes of one contestant.

    Attributes:
        name: of the class, its number where it has no name.
        count: inputs that are of this class.
        correct: of those, classified as such.
        low: lower limit of the 95 % confidence interval of ``correct / count``; None without inputs.
        high: its upper limit.
    """

    name: str
    count: int
    correct: int
    low: float | None = None
    high: float | None = None


class Score(Document):
    """How one contestant did on one output.

    Attributes:
        contestant: who.
        count: inputs classified.
        correct: classified right (top-1: the largest value, the first of equal ones).
        accuracy: ``correct / count``.
        low: lower limit of its 95 % confidence interval (Wilson score).
        high: its upper limit.
        top_k_correct: the true class is among the k largest values; None where no k was asked for.
        classes: by class number.
        confusion: the confusion matrix, its cells that are not zero: (true class, class said, inputs).
    """

    contestant: Contestant
    count: int
    correct: int
    accuracy: float
    low: float
    high: float
    top_k_correct: int | None = None
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, int, int], ...]


class Agreement(Document):
    """How far two contestants say the same, right or wrong.

    Attributes:
        first: the one.
        second: the other.
        same_class: inputs to which both give the same class.
        exact: inputs for which every element of the output is equal; None where one of them is the float model.
    """

    first: Contestant
    second: Contestant
    same_class: int
    exact: int | None = None


class OutputEvaluation(Document):
    """One output with classes and labels.

    Attributes:
        name: the name users match by.
        top_k: k of the scores' ``top_k_correct``; None where none was asked for.
        scores: float model (where it ran), reference, target.
        agreements: every pair of them.
    """

    name: str
    top_k: int | None = None
    scores: tuple[Score, ...]
    agreements: tuple[Agreement, ...]

    def score(self, contestant: Contestant) -> Score | None:
        """The score of a contestant; None where it did not take part."""
        return next((score for score in self.scores if score.contestant == contestant), None)


class WrongExample(Document):
    """An input that only the target gets wrong: the quantized reference classifies it right.

    Attributes:
        input: its index in the data.
        output: name of the output.
        true: true class number.
        target: class that the target says.
        float_model: class that the float model says; None where it did not run.
    """

    input: int
    output: str
    true: int
    target: int
    float_model: int | None = None


class EvaluationDocument(Answer):
    """``evaluate.json``.

    Attributes:
        schema_version: of this document.
        verdict: ``pass`` or ``fail`` by the limits that were asked for; None without any.
        exit_status: of the command.
        reason: one sentence.
        build: the build folder.
        model_sha256: of the compiled model.
        inputs: how many were classified.
        data: where they come from.
        sequence: whether they were one sequence, in which the model kept its state.
        fed_back: state that the model hands out and takes in again: input -> output of the inference before it.
        input_sha256: over all inputs as the model takes them; the same as a verdict's on the same inputs.
        platform: what the target is.
        firmware: what was booted; None on the NPU model alone.
        reference: the kernels that ran the quantized model.
        float_model: as it was named; None where none ran.
        outputs: per output with labels.
        wrong_only_on_target: how many inputs only the target gets wrong, per output.
        wrong_examples: the first of them.
        figures: accuracy and agreement, each labelled.
        notes: what a reader should know, one sentence each.
        versions: tool name -> version.
    """

    schema_version: int = EVALUATION_SCHEMA_VERSION
    verdict: Literal["pass", "fail"] | None
    exit_status: int
    reason: str
    build: str
    model_sha256: str
    inputs: int
    sequence: bool = False
    fed_back: dict[str, str] = Field(default_factory=dict)
    data: str
    input_sha256: str
    platform: Platform
    firmware: FirmwareRecord | None = None
    reference: str
    float_model: str | None = None
    outputs: tuple[OutputEvaluation, ...]
    wrong_only_on_target: dict[str, int] = Field(default_factory=dict)
    wrong_examples: tuple[WrongExample, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)


def evaluation_path(build: BuildFolder) -> Path:
    """Where a build folder keeps its last evaluation."""
    return build.path / EVALUATION_DOCUMENT
