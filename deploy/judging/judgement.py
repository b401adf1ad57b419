"""One judged run of a build, from its inputs to the verdict document; whatever runs it.

inputs and labels -> what the oracles expect -> answers -> opinion -> predictions -> document
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deploy.build_folder import BuildFolder, Figure
from deploy.data.labels import Labels, load_labels
from deploy.errors import DeployError, ExitStatus, TargetError
from deploy.judging.build_models import Models
from deploy.judging.evidence import Evidence, evidence_of
from deploy.judging.external_state import Links, links_of
from deploy.judging.float_outputs import float_outputs
from deploy.judging.inputs import InputSet, given_inputs, named_labels
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import OperatorResult
from deploy.judging.opinion import Judge, NoJudge, Opinion, oracle_panel
from deploy.judging.origin import Origin
from deploy.judging.predictions import all_predictions
from deploy.judging.ruling import NO_REFERENCE, ruled
from deploy.judging.samples import Sample
from deploy.judging.target_comparison import TargetComparison
from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB, Prediction, Verdict
from deploy.judging.versions import tool_versions
from deploy.tflite.unwritten import unwritten

if TYPE_CHECKING:
    from deploy.data.image_range import ImageRange
    from deploy.data.loading import Given

_MAX_PREDICTIONS = 10_000


@dataclass(frozen=True)
class JudgeOptions:
    """What a user may choose about a judgement; None stands for the documented default.

    Attributes:
        inputs: what names data, arrays by input name, or the array of an only input; None for the usual ones.
        image_range: what pixels of images are scaled to; None for what the model shows.
        labels: ``.json`` with class names and true labels.
        count: how many inputs; None for all that are given, or a few of the usual ones.
        oracle: which kernels to compare with. With ``both``, agreement with one of them passes; with ``auto``,
            TFLM is asked, where it is installed, only when LiteRT differs beyond the tolerance or cannot run the
            model.
        tolerance: largest difference of quantized outputs from the reference that passes, end to end, in LSB.
        accept_model_difference: whether a target passes that keeps to the reference within the tolerance, but
            differs from the NPU model.
        require_evidence: whether a verdict whose evidence is weak fails.
        accept_no_reference: whether a run ends with status 0 where nothing fails and nothing can judge it.
        sequence: whether the inputs are one sequence, in which the model keeps its state; else each starts from
            the model's initial state.
        state: ``INPUT=OUTPUT`` each, state that the model hands out and takes in again; with ``sequence`` alone.
    """

    inputs: Given | None = None
    image_range: ImageRange | None = None
    labels: Path | None = None
    count: int | None = None
    oracle: str = "auto"
    tolerance: float = DEFAULT_TOLERANCE_LSB
    accept_model_difference: bool = False
    require_evidence: bool = False
    accept_no_reference: bool = False
    sequence: bool = False
    state: tuple[str, ...] = ()


FeedBack = Callable[[Links, Sequence[Sample]], tuple[Sample, ...]]
"""Completes the samples of a sequence with what outputs feed back."""


class Judgement:
    """Collects what is known of a run as it goes, so that an error, too, leaves a full document.

    Args:
        build: that is judged.
        options: what the user chose.

    Attributes:
        answers: outputs by name, per input so far; whoever runs the build adds to them.
    """

    def __init__(self, build: BuildFolder, options: JudgeOptions) -> None:
        self._build, self._options = build, options
        self._panel = oracle_panel(options.oracle)
        self._judge: Judge | NoJudge | None = None
        self._inputs: InputSet | None = None
        self._labels: Labels = {}
        self._fed_back: dict[str, str] = {}
        self._notes: tuple[str, ...] = ()
        self._unwritten: tuple[str, ...] = ()
        self.answers: list[Sample] = []

    @property
    def reference(self) -> str:
        """What the verdict rests on, as far as it is known."""
        if not self._build.has_source:
            return NoJudge.title
        return self._judge.title if self._judge is not None else self._panel.name

    def begin(
        self, models: Models, usual: Callable[[int | None], InputSet], feed_back: FeedBack | None = None
    ) -> tuple[Sample, ...]:
        """Read inputs and labels; returns the samples to run.

        Args:
            models: of the build.
            usual: gives the inputs where the user gives none: as many as are asked for, or as are usual.
            feed_back: gives what outputs feed back; None where nothing is fed back.

        Raises:
            BadInputError: they do not fit the model.
        """
        options = self._options
        self._unwritten = unwritten(models.compiled)
        self._fed_back = links_of(options.state, models.compiled, sequence=options.sequence)
        if options.inputs is None:
            self._inputs = usual(options.count)
            labels = load_labels(options.labels, models.source) if options.labels else {}
            self._labels, self._notes = named_labels(labels)
        else:
            self._inputs = given_inputs(
                options.inputs,
                models.source,
                options.count,
                labels=options.labels,
                image_range=options.image_range,
                fed=[name for name in models.inputs if name not in self._fed_back],
            )
            self._labels, self._notes = self._inputs.labels, self._inputs.notes
        if self._fed_back and feed_back is not None:
            samples = feed_back(self._fed_back, self._inputs.samples)
            self._inputs = dataclasses.replace(self._inputs, samples=samples)
        return self._inputs.samples

    def consult(self, models: Models) -> Judge | NoJudge:
        """Put the model before the oracles, where it is known what was compiled.

        Raises:
            BadInputError: an oracle cannot run it.
            NotInstalledError: an oracle is missing.
        """
        sequence = self._options.sequence
        known = self._build.has_source
        self._judge = Judge(models.source, self._panel, sequence=sequence) if known else NoJudge()
        return self._judge

    def opinion(self, judge: Judge | NoJudge, inner: Sequence[Sample] = ()) -> Opinion:
        """What the oracles say about the answers.

        Args:
            judge: that was asked about the inputs.
            inner: per answer, what the NPU model has inside, where that is not part of the answers themselves.

        Raises:
            TargetError: not every input was answered.
        """
        answers = self.answers
        if len(inner) == len(answers):
            answers = [{**own, **answer} for own, answer in zip(inner, answers, strict=True)]
        return judge.opinion(answers, self._options.tolerance)

    def predictions(self, models: Models, judge: Judge | NoJudge) -> tuple[Prediction, ...]:
        """What every output with classes says about every input, beside reference, labels and float model."""
        if not self._build.has_source:
            return ()
        samples = self._inputs.samples if self._inputs else ()
        sequence = self._options.sequence
        floats = float_outputs(self._build.float_model, models.source, samples, sequence=sequence)
        return all_predictions(models.source, self.answers, judge.expected, self._labels, floats)

    def evidence(self, models: Models, varied: tuple[int, int] | None) -> Evidence:
        """What the answers are worth as evidence.

        Args:
            models: of the build.
            varied: how many operators on the NPU varied, and how many there are; None where that is not known.
        """
        return evidence_of(models.source, self._inputs or InputSet((), ""), self.answers, varied)

    def verdict(
        self,
        opinion: Opinion,
        origin: Origin,
        *,
        predictions: Sequence[Prediction],
        figures: tuple[Figure, ...],
        evidence: Evidence,
        check: OperatorCheck,
        comparison: TargetComparison | None = None,
        operators: tuple[OperatorResult, ...] = (),
        explanations: tuple[str, ...] = (),
    ) -> Verdict:
        """The document of a run that was answered whole.

        Args:
            opinion: of the oracles.
            origin: where the answers come from.
            predictions: of :meth:`predictions`; the document holds the first 10,000.
            figures: every number, each labelled.
            evidence: of :meth:`evidence`.
            check: of the operators.
            comparison: of the target with the NPU model; None where that is what answered.
            operators: results of the check that are to be shown, those that fail it among them.
            explanations: why outputs differ.
        """
        ruling = ruled(
            opinion,
            comparison,
            check,
            operators,
            accept_model_difference=self._options.accept_model_difference,
            unwritten=self._unwritten,
            weak=evidence.weak if self._options.require_evidence else (),
        )
        word: Literal["pass", "fail", "no_reference"] = "pass" if ruling.passed else "fail"
        status, accepted = ExitStatus.PASS if ruling.passed else ExitStatus.FAIL, ruling.accepted
        if ruling.passed and not opinion.judged:
            word = "no_reference"
            if self._options.accept_no_reference:
                accepted = (*accepted, f"there is no reference, accepted by {NO_REFERENCE}")
            else:
                status = ExitStatus.BAD_INPUT
        return Verdict(
            verdict=word,
            exit_status=int(status),
            reason=ruling.reason,
            evidence=evidence,
            reference=opinion.deciding.reference,
            outputs=opinion.deciding.outputs,
            other_references=opinion.others,
            left_out_references=opinion.left_out,
            target_comparison=comparison,
            accepted=accepted,
            operator_check=check,
            operators=operators,
            explanations=(*self._unwritten, *explanations),
            predictions=tuple(predictions[:_MAX_PREDICTIONS]),
            figures=figures,
            **self._known(origin),
        )

    def failed(self, error: DeployError, origin: Origin) -> Verdict:
        """The document of a run that ended without a complete answer.

        Args:
            error: that ended it.
            origin: where the answers were to come from, as far as it is known.
        """
        return Verdict(
            verdict="error",
            exit_status=int(error.exit_status),
            reason=error.message,
            reference=self.reference,
            log=error.log if isinstance(error, TargetError) else (),
            **self._known(origin),
        )

    def _known(self, origin: Origin) -> dict[str, Any]:
        """What every document says, whatever came of the run."""
        document, inputs = self._build.document, self._inputs
        return {
            "inputs": len(self.answers),
            "inputs_requested": len(inputs.samples) if inputs else 0,
            "input_source": inputs.source if inputs else "",
            "input_sha256": inputs.sha256 if inputs else "",
            "sequence": self._options.sequence,
            "fed_back": self._fed_back,
            "input_notes": self._notes,
            "tolerance": self._options.tolerance,
            "build": self._build.shown,
            "model_sha256": document.compiled_sha256,
            "runner_lacks": document.runner_lacks,
            "platform": origin.platform,
            "firmware": origin.firmware,
            "versions": {**document.versions, **tool_versions(), **origin.versions},
        }
