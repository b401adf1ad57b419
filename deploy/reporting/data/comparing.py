"""Compares builds: every figure side by side, and what does not compare. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.build_folder import Figure
from deploy.reporting.data.build_documents import ACCURACY, BuildFigures
from deploy.reporting.data.operator_changes import operator_changes
from deploy.reporting.documents import (
    Cell,
    ComparedBuild,
    Comparison,
    Direction,
    FigureRow,
    Judgement,
)

_NEITHER = frozenset(["core_clock", "npu_operators"])
SHARES = (ACCURACY, "reference_accuracy_", "float_accuracy_", "top", "agreement_")
"""How the names of figures begin that are shares, of which more is better."""


def direction(name: str) -> Direction:
    """Whether less or more of a figure is better."""
    if name in _NEITHER:
        return "neither"
    return "higher" if name.startswith(SHARES) else "lower"


def compare(builds: Sequence[BuildFigures]) -> Comparison:
    """Compare builds, at least two, with the first one."""
    first = builds[0]
    names = list(dict.fromkeys(name for build in builds for name in build.figures))
    return Comparison(
        builds=tuple(_build(i, build, first) for i, build in enumerate(builds)),
        figures=tuple(_row(name, builds) for name in names),
        notes=(*_setting_notes(builds), *_figure_notes(builds, names)),
    )


def letter(index: int) -> str:
    """``A`` to ``Z``, then ``A1`` ..."""
    turns, place = divmod(index, 26)
    return chr(ord("A") + place) + (str(turns) if turns else "")


def _build(index: int, build: BuildFigures, first: BuildFigures) -> ComparedBuild:
    document = build.document
    return ComparedBuild(
        letter=letter(index),
        build=build.name,
        model=document.model,
        npu=document.npu,
        system_config=document.system_config,
        memory_mode=document.memory_mode,
        optimise=document.optimise,
        verdict=build.verdict,
        operators=operator_changes(first.document, document, first.operators, build.operators) if index else (),
    )


def _row(name: str, builds: Sequence[BuildFigures]) -> FigureRow:
    better = direction(name)
    found = [build.figures.get(name) for build in builds]
    base = found[0].value if found[0] else None
    cells = tuple(_cell(figure, base if i else None, better) for i, figure in enumerate(found))
    unit = next(figure.unit for figure in found if figure)
    return FigureRow(name=name, unit=unit, better=better, cells=cells)


def _cell(figure: Figure | None, base: float | None, better: Direction) -> Cell:
    if figure is None:
        return Cell()
    told = Cell(value=figure.value, label=figure.label, source=figure.source)
    if base is None:
        return told
    difference = figure.value - base
    judged = {"percent": _percent(difference, base), "judgement": _judgement(difference, better)}
    return told.model_copy(update={"difference": difference, **judged})


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


def _setting_notes(builds: Sequence[BuildFigures]) -> list[str]:
    """What the builds were made with that makes estimates incomparable."""
    documents = [build.document for build in builds]
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


def _figure_notes(builds: Sequence[BuildFigures], names: Sequence[str]) -> list[str]:
    """Figures that were obtained in different ways, or with different inputs."""
    notes = []
    for name in names:
        found = [(i, build.figures[name]) for i, build in enumerate(builds) if name in build.figures]
        labels = [f"{figure.label} in {letter(i)}" for i, figure in found]
        if len({figure.label for _, figure in found}) > 1:
            notes.append(f"{name} is {', '.join(labels)}")
        inputs = {build.inputs.get(name) for build in builds if name in build.figures}
        if len(inputs) > 1:
            sources = ", ".join(f"{letter(i)}: {figure.source}" for i, figure in found)
            notes.append(f"{name} was not taken with the same inputs ({sources})")
    return notes


def _lettered(values: Sequence[str]) -> str:
    return ", ".join(f"{letter(i)} {value}" for i, value in enumerate(values))
