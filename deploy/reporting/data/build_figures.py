"""All figures of a build folder in one place: compilation, file sizes, the last verdicts and evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from deploy.build_folder import BuildFolder, CompileDocument, Figure
from deploy.reporting.data.build_documents import read_evaluation, read_verdicts

ACCURACY = "accuracy_"
"""How the names of accuracy figures begin; the name of the output follows."""

MEASURED_ON_TARGET = "target_npu_active_cycles"
"""The figure that a run's counters give."""


@dataclass(frozen=True)
class BuildFigures:
    """A build as a comparison sees it: its figures.

    Attributes:
        name: what the user called it.
        document: its ``compile.json``.
        figures: name -> figure.
        inputs: name of a figure -> hash of the inputs that it was measured with, where it depends on any.
    """

    name: str
    document: CompileDocument
    figures: dict[str, Figure]
    inputs: dict[str, str] = field(default_factory=dict)


def build_figures(build: BuildFolder, name: str) -> BuildFigures:
    """Collect the figures of a build folder.

    Accuracy is that of the evaluation where there is one, else of the verdict on most labelled inputs.

    Raises:
        BadInputError: a document of the folder is damaged.
    """
    figures = {figure.name: figure for figure in (*build.document.figures, *_sizes(build))}
    inputs: dict[str, str] = {}
    for verdict in sorted(read_verdicts(build).values(), key=lambda verdict: verdict.inputs):
        for figure in verdict.figures:
            if figure.name.startswith(ACCURACY) or figure.name == MEASURED_ON_TARGET:
                figures[figure.name] = figure
                if figure.name.startswith(ACCURACY):
                    inputs[figure.name] = verdict.input_sha256
    evaluation = read_evaluation(build)
    if evaluation is not None:
        for figure in evaluation.figures:
            figures[figure.name], inputs[figure.name] = figure, evaluation.input_sha256
    return BuildFigures(name, build.document, figures, inputs)


def _sizes(build: BuildFolder) -> Iterator[Figure]:
    for name, path in (("source_size", build.source), ("compiled_size", build.compiled)):
        yield Figure(
            name=name,
            value=path.stat().st_size,
            unit="bytes",
            label="measured",
            source=f"size of {path.name}",
        )
