"""Compares builds: every figure side by side, what became of the operators, and what does not compare. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from deploy.build_folder import Document, Label
from deploy.reporting.build_figures import ACCURACY, Candidate
from deploy.reporting.operator_changes import OperatorChange, operator_changes

COMPARISON_SCHEMA_VERSION = 1

Direction = Literal["lower", "higher", "neither"]
Judgement = Literal["better", "worse", "same", "changed"]

_NEITHER = frozenset(["core_clock", "npu_operators"])
_SHARES = (ACCURACY, "reference_accuracy_", "float_accuracy_", "top", "agreement_")


class Cell(Document):
    """A figure in one build, against the first build.

    Attributes:
        value: None where this build does not have it.
        label: how it was obtained.
        source: what produced it.
        difference: to the first build, in the figure's unit; None where either has no value.
        percent: the same in percent of the first build's value; None where that is zero, too.
        judgement: None for the first build, and where there is no difference to judge.
    """

    value: float | None = None
    label: Label | None = None
    source: str = ""
    difference: float | None = None
    percent: float | None = None
    judgement: Judgement | None = None


class FigureRow(Document):
    """A figure in all builds.

    Attributes:
        name: as in the documents: ``total_cycles``.
        unit: of its values; ``1`` is a share of one.
        better: which way is better.
        cells: one per build, in their order.
    """

    name: str
    unit: str
    better: Direction
    cells: tuple[Cell, ...]


class ComparedBuild(Document):
    """A build that is compared.

    Attributes:
        letter: what tables call it: A is the one that all others are compared with.
        build: its folder.
        model: name of the model.
        npu: what it was compiled for.
        system_config: Vela's.
        memory_mode: Vela's.
        optimise: Vela's.
        operators: what became of the first build's operators; empty for the first one.
    """

    letter: str
    build: str
    model: str
    npu: str
    system_config: str
    memory_mode: str
    optimise: str
    operators: tuple[OperatorChange, ...] = ()


class RuleOutcome(Document):
    """A rule applied to one figure of one build.

    Attributes:
        rule: as it was typed.
        figure: name of the figure.
        build: letter of the build that is held to it.
        base: value of the first build.
        limit: what the value must not exceed, or not fall below.
        value: of this build.
        holds: whether it does.
        sentence: the same in words.
    """

    rule: str
    figure: str
    build: str
    base: float
    limit: float
    value: float
    holds: bool
    sentence: str


class Comparison(Document):
    """What ``deploy report A B --format json`` prints.

    Attributes:
        schema_version: of this document.
        builds: the first is what the others are compared with.
        figures: every figure that any of them has.
        notes: what does not compare, one sentence each.
        rules: the outcome of ``--fail-on``; empty without rules.
    """

    schema_version: int = COMPARISON_SCHEMA_VERSION
    builds: tuple[ComparedBuild, ...]
    figures: tuple[FigureRow, ...]
    notes: tuple[str, ...]
    rules: tuple[RuleOutcome, ...] = ()

    def row(self, name: str) -> FigureRow | None:
        """The figure of that name."""
        return next((row for row in self.figures if row.name == name), None)


def direction(name: str) -> Direction:
    """Whether less or more of a figure is better."""
    if name in _NEITHER:
        return "neither"
    return "higher" if name.startswith(_SHARES) else "lower"


def compare(candidates: Sequence[Candidate]) -> Comparison:
    """Compare builds with the first one.

    Args:
        candidates: at least two.
    """
    first = candidates[0]
    names = list(dict.fromkeys(name for candidate in candidates for name in candidate.figures))
    return Comparison(
        builds=tuple(_build(i, candidate, first) for i, candidate in enumerate(candidates)),
        figures=tuple(_row(name, candidates) for name in names),
        notes=(*_setting_notes(candidates), *_figure_notes(candidates, names)),
    )


def letter(index: int) -> str:
    """``A`` to ``Z``, then ``A1`` ..."""
    turns, place = divmod(index, 26)
    return chr(ord("A") + place) + (str(turns) if turns else "")


def _build(index: int, candidate: Candidate, first: Candidate) -> ComparedBuild:
    document = candidate.document
    return ComparedBuild(
        letter=letter(index),
        build=candidate.name,
        model=document.model,
        npu=document.npu,
        system_config=document.system_config,
        memory_mode=document.memory_mode,
        optimise=document.optimise,
        operators=operator_changes(first.document, document) if index else (),
    )


def _row(name: str, candidates: Sequence[Candidate]) -> FigureRow:
    better = direction(name)
    found = [candidate.figures.get(name) for candidate in candidates]
    base = found[0].value if found[0] else None
    cells = []
    for i, figure in enumerate(found):
        if figure is None:
            cells.append(Cell())
            continue
        difference = figure.value - base if i and base is not None else None
        cells.append(
            Cell(
                value=figure.value,
                label=figure.label,
                source=figure.source,
                difference=difference,
                percent=None if difference is None else _percent(difference, base or 0.0),
                judgement=None if difference is None else _judgement(difference, better),
            )
        )
    unit = next(figure.unit for figure in found if figure)
    return FigureRow(name=name, unit=unit, better=better, cells=tuple(cells))


def _percent(difference: float, base: float) -> float | None:
    if difference == 0:
        return 0.0
    return 100 * difference / abs(base) if base else None


def _judgement(difference: float, better: Direction) -> Judgement:
    if difference == 0:
        return "same"
    if better == "neither":
        return "changed"
    return "better" if (difference < 0) == (better == "lower") else "worse"


def _setting_notes(candidates: Sequence[Candidate]) -> list[str]:
    """What the builds were made with that makes estimates incomparable."""
    documents = [candidate.document for candidate in candidates]
    settings = {
        "models": [document.model for document in documents],
        "NPUs": [document.npu for document in documents],
        "system configurations": [document.system_config for document in documents],
        "memory modes": [document.memory_mode for document in documents],
        "optimisation strategies": [document.optimise for document in documents],
        "Vela versions": [document.versions.get("ethos-u-vela", "unknown") for document in documents],
    }
    notes = [f"different {what}: {_lettered(values)}" for what, values in settings.items() if len(set(values)) > 1]
    if len(set(settings["models"])) == 1 and len({document.source_sha256 for document in documents}) > 1:
        notes.append("the quantized models differ, though they have the same name")
    on_cpu = [len(document.cpu_operators) for document in documents]
    if any(on_cpu):
        counts = ", ".join(f"{count} in {letter(i)}" for i, count in enumerate(on_cpu) if count)
        notes.append(f"time and cycles leave out the operators on the CPU ({counts})")
    return notes


def _figure_notes(candidates: Sequence[Candidate], names: Sequence[str]) -> list[str]:
    """Figures that were obtained in different ways, or with different inputs."""
    notes = []
    for name in names:
        found = [
            (i, candidate.figures[name]) for i, candidate in enumerate(candidates) if name in candidate.figures
        ]
        labels = [f"{figure.label} in {letter(i)}" for i, figure in found]
        if len({figure.label for _, figure in found}) > 1:
            notes.append(f"{name} is {', '.join(labels)}")
        inputs = {candidate.inputs.get(name) for candidate in candidates if name in candidate.figures}
        if len(inputs) > 1:
            sources = ", ".join(f"{letter(i)}: {figure.source}" for i, figure in found)
            notes.append(f"{name} was not taken with the same inputs ({sources})")
    return notes


def _lettered(values: Sequence[str]) -> str:
    return ", ".join(f"{letter(i)} {value}" for i, value in enumerate(values))
