"""Classifies a labelled set with float model, reference and target: the pipeline behind ``deploy evaluate``.

labelled set, batch by batch -> three classifiers -> counts -> figures and limits -> document
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import BuildFolder, Figure, Label
from deploy.data.heads import Head, heads_of
from deploy.data.image_range import ImageRange
from deploy.data.labels import load_labels
from deploy.data.loading import Given, open_data, source_of
from deploy.data.specs import specs_of
from deploy.data.stream import Batch, DataStream, Request
from deploy.errors import BadInputError, TargetError
from deploy.evaluating.accuracy_limits import AccuracyLimits, broken_limits
from deploy.evaluating.classifiers import FloatClassifier
from deploy.evaluating.cluster_host import ClusterHost, check_options
from deploy.evaluating.documents import Contestant, EvaluationDocument, OutputEvaluation
from deploy.evaluating.float_source import FloatNetwork, load_given, load_kept
from deploy.evaluating.scoring import Tally
from deploy.evaluating.wrong_examples import WrongExamples, check_folder
from deploy.figures import SHARE
from deploy.hardware.npus import Npu, npu_named
from deploy.judging.answer import Answer, Answerer
from deploy.judging.build_models import Models, read_models
from deploy.judging.external_state import links_of
from deploy.judging.opinion import one_oracle
from deploy.judging.oracles import Oracle, outputs_of
from deploy.judging.origin import Origin, Platform
from deploy.judging.samples import Sample, SampleDigest, Stacked, stacked
from deploy.judging.versions import package_versions, tool_versions
from deploy.verifying.fed_back import fed_back
from deploy.verifying.host_session import HostSession

if TYPE_CHECKING:
    from deploy.zoo.model_source import ModelSource

_FIGURES: dict[Contestant, str] = {
    "target": "accuracy_",
    "reference": "reference_accuracy_",
    "float": "float_accuracy_",
}


@dataclass(frozen=True)
class EvaluateOptions:
    """What a user may choose about an evaluation: see :func:`deploy.api.evaluate`; ``output`` is its ``head``.

    ``scheduler`` is for the NPU model and the reference; a target that is given has its own.
    """

    data: Given
    labels: Path | None = None
    output: str | None = None
    model: ModelSource | None = None
    count: int | None = None
    sequence: bool = False
    state: tuple[str, ...] = ()
    top_k: int | None = None
    limits: AccuracyLimits = field(default_factory=AccuracyLimits)
    oracle: str = "auto"
    save_wrong: Path | None = None
    image_range: ImageRange | None = None
    scheduler: str | None = None


class Evaluation:
    """One evaluation of a build."""

    def __init__(self, build: BuildFolder, options: EvaluateOptions, target: Answerer | None = None) -> None:
        self._build, self._options, self._target = build, options, target
        self._notes: list[str] = []
        self._links: dict[str, str] = {}
        self._float_text: str | None = None

    def run(self, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> EvaluationDocument:
        """Classify and count.

        Raises:
            BadInputError: build, data or options do not fit together.
            NotInstalledError: something that was asked for is missing.
            TargetError: the target gave no complete answer.
        """
        options = self._options
        if options.save_wrong is not None:
            check_folder(options.save_wrong)
        models = read_models(self._build)
        heads = heads_of(models.source)
        self._links = links_of(options.state, models.source, sequence=options.sequence)
        data = open_data(options.data, self._request(models, heads))
        chosen = {name: head for name, head in heads.items() if name in data.names}
        self._check_top_k(chosen)
        unlabelled = [name for name in heads if name not in chosen]
        if unlabelled:
            self._notes.append(f"no labels for {', '.join(unlabelled)}: left out")
        npu, sequence = npu_named(self._build.document.npu), options.sequence
        with self._target or self._host(models, npu) as target:
            reference = one_oracle(models.source, options.oracle)
            floats = self._float(models, list(chosen))
            contestants: tuple[Contestant, ...] = ("reference", "target")
            if floats is not None:
                contestants = ("float", *contestants)
            tallies = {
                name: Tally(head, data.names[name], contestants, options.top_k) for name, head in chosen.items()
            }
            wrong, digest, done = WrongExamples(), SampleDigest(), 0
            on_progress(0, data.count or 0)
            for batch in data.batches(target.batch):
                if self._links:
                    samples = fed_back(models, npu, self._links, batch.samples)
                    batch = dataclasses.replace(batch, stored=stacked(samples))  # noqa: PLW2901 - the same, whole
                counting = _counting(on_progress, done, data)
                said = _said(batch, target, reference, floats, counting, sequence=sequence)
                digest.add(batch.samples)
                for name, tally in tallies.items():
                    values = {who: _flat(said[who][name]) for who in contestants}
                    wrong.add(batch, name, tally.add(values, batch.true[name]))
                done += len(batch)
                on_progress(done, data.count or done)
        self._notes += [each.sentence for each in reference.left_out]
        if options.save_wrong is not None:
            saved = wrong.save(options.save_wrong, data.names)
            self._notes.append(f"{saved} inputs that only the target gets wrong saved to {options.save_wrong}")
        outputs = tuple(tally.result() for tally in tallies.values())
        named = ", ".join(sorted(target.references)) if isinstance(target, ClusterHost) else reference.name
        return self._document(data, target.origin, named, outputs, wrong, done, digest.hexdigest())

    def _host(self, models: Models, npu: Npu) -> HostSession | ClusterHost:
        """The NPU model, here or on a cluster."""
        options = self._options
        if options.scheduler is None:
            return HostSession(models.compiled, npu, sequence=options.sequence)
        check_options(sequence=options.sequence)
        return ClusterHost(options.scheduler, models, npu.name, options.oracle)

    def _request(self, models: Models, heads: Mapping[str, Head]) -> Request:
        options = self._options
        if options.output is not None and options.output not in heads:
            raise BadInputError(
                f"--head {options.output}: no such output with classes", hints=[f"outputs: {', '.join(heads)}"]
            )
        labels = load_labels(options.labels, models.source) if options.labels else {}
        return Request(
            source_of(options.data),
            tuple(spec for spec in specs_of(models.source) if spec.name not in self._links),
            heads=heads,
            labels=labels,
            labels_file=options.labels,
            output=options.output,
            count=options.count,
            labelled=True,
            image_range=options.image_range,
        )

    def _check_top_k(self, heads: Mapping[str, Head]) -> None:
        most = max(head.classes for head in heads.values())
        if self._options.top_k is not None and not 2 <= self._options.top_k < most:
            raise BadInputError(
                f"--top-k {self._options.top_k}: the outputs have at most {most} classes",
                hints=[f"2 to {most - 1}"] if most > 2 else [],
            )

    def _float(self, models: Models, heads: list[str]) -> FloatClassifier | None:
        model: FloatNetwork
        if self._options.state:
            self._notes.append("no float model: what it would feed back is not known")
            return None
        if self._options.sequence and self._options.model is not None:
            self._notes.append("no float model: in a sequence only the one that the build keeps has a state")
            return None
        if self._options.model is not None:
            model = load_given(self._options.model)
        else:
            kept, note = load_kept(self._build)
            if kept is None:
                self._notes.append(note)
                return None
            model = kept
        self._float_text = model.source
        return FloatClassifier(model, models.source, heads)

    def _document(
        self,
        data: DataStream,
        origin: Origin,
        reference: str,
        outputs: tuple[OutputEvaluation, ...],
        wrong: WrongExamples,
        inputs: int,
        digest: str,
    ) -> EvaluationDocument:
        platform = origin.platform
        if platform is None:
            raise TargetError("the target does not say what it is")
        broken = broken_limits(self._options.limits, outputs)
        versions = {**self._build.document.versions, **tool_versions(), **origin.versions}
        if self._options.model is not None:
            versions |= package_versions("tensorflow", "keras")
        return EvaluationDocument(
            verdict="fail" if broken else "pass" if self._options.limits != AccuracyLimits() else None,
            exit_status=1 if broken else 0,
            reason="; ".join(broken) if broken else _summary(outputs, self._options.limits),
            build=str(self._build.path),
            model_sha256=self._build.document.compiled_sha256,
            inputs=inputs,
            sequence=self._options.sequence,
            fed_back=self._links,
            data=data.source,
            input_sha256=digest,
            platform=platform,
            firmware=origin.firmware,
            reference=reference,
            float_model=self._float_text,
            outputs=outputs,
            wrong_only_on_target=dict(wrong.counts),
            wrong_examples=tuple(wrong.listed),
            figures=figures_of(outputs, platform, reference, data.source),
            notes=(*data.notes, *self._notes),
            versions=versions,
        )


def figures_of(
    outputs: tuple[OutputEvaluation, ...], platform: Platform, reference: str, data: str
) -> tuple[Figure, ...]:
    """Accuracy of every contestant on every output, and how far target and reference agree; each labelled."""
    simulated: Label = "measured" if platform.kind == "board" else "simulated"
    who: dict[Contestant, str] = {
        "target": f"{platform.version or platform.executable}, Ethos-{platform.npu}",
        "reference": reference,
        "float": "float model",
    }
    figures: list[Figure] = []

    def add(name: str, value: float, label: Label, source: str) -> None:
        figures.append(Figure(name=name, value=value, unit=SHARE, label=label, source=source))

    for output in outputs:
        for score in reversed(output.scores):
            label: Label = simulated if score.contestant == "target" else "measured"
            of = f"of {score.count} inputs of {data}"
            name, whose = f"{_FIGURES[score.contestant]}{output.name}", who[score.contestant]
            interval = f"95 % interval {score.low:.2%} to {score.high:.2%}"
            add(name, score.accuracy, label, f"{whose}: {score.correct} {of}, {interval}")
            if score.top_k_correct is not None:
                share = score.top_k_correct / score.count
                add(f"top{output.top_k}_{name}", share, label, f"{whose}: {score.top_k_correct} {of}")
        for agreement in output.agreements:
            if (agreement.first, agreement.second) == ("reference", "target"):
                count = output.scores[0].count
                source = f"same class on target and {reference}, {count} inputs of {data}"
                add(f"agreement_{output.name}", agreement.same_class / count, simulated, source)
    return tuple(figures)


def _summary(outputs: tuple[OutputEvaluation, ...], limits: AccuracyLimits) -> str:
    told = []
    for output in outputs:
        score = output.score("target")
        if score is not None:
            told.append(f"{output.name} {score.accuracy:.2%} ({score.low:.2%} to {score.high:.2%})")
    held = ", within the limits" if limits != AccuracyLimits() else ""
    return f"on target {', '.join(told)} of {outputs[0].scores[0].count} inputs{held}"


def _said(
    batch: Batch,
    target: Answerer | ClusterHost,
    reference: Oracle,
    floats: FloatClassifier | None,
    answered: Callable[[int], None],
    *,
    sequence: bool,
) -> dict[Contestant, Stacked]:
    """What every contestant says about a batch: raw outputs by name, those of the float model real."""
    if isinstance(target, ClusterHost):
        collect = target.begin(batch.samples)
        said: dict[Contestant, Stacked] = {} if floats is None else {"float": floats.run(batch)}
        said["target"], said["reference"] = collect(answered)
        return said
    arriving = target.answers(batch.samples)
    # Where the target is a machine, it boots meanwhile.
    said = {"reference": outputs_of(reference, batch.stored, sequence=sequence)}
    if floats is not None:
        said["float"] = floats.run(batch, sequence=sequence)
    said["target"] = _collected(arriving, batch, answered)
    return said


def _collected(arriving: Iterator[Answer], batch: Batch, answered: Callable[[int], None]) -> Stacked:
    outputs: list[Sample] = []
    try:
        for answer in arriving:
            outputs.append(answer.outputs)
            answered(len(outputs))
    except TargetError as error:
        place = f"of the inputs from {batch.first} on: " if batch.first else ""
        raise TargetError(f"{place}{error.message}", hints=error.hints, log=error.log) from error
    if len(outputs) != len(batch):
        raise TargetError(f"{len(outputs)} answers for {len(batch)} inputs")
    return stacked(outputs)


def _counting(on_progress: Callable[[int, int], None], done: int, data: DataStream) -> Callable[[int], None]:
    return lambda answered: on_progress(done + answered, data.count or done + answered)


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """``[n, classes]``."""
    return np.asarray(values).reshape(len(values), -1)
