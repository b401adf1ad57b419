"""Compares builds: every figure side by side, what became of the operators, and what does not compare. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from deploy.build_folder import CompileDocument, Figure, OperatorRecord
from deploy.reporting.data.build_documents import ACCURACY, BuildFigures
from deploy.reporting.data.names import one_word
from deploy.reporting.documents import (
    Cell,
    Change,
    ComparedBuild,
    Comparison,
    Direction,
    FigureRow,
    Judgement,
    OperatorChange,
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
        operators=operator_changes(first.document, document) if index else (),
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


def operator_changes(first: CompileDocument, other: CompileDocument) -> tuple[OperatorChange, ...]:
    """Operators that differ: first those that appeared, disappeared or moved, then the rest by change of cycles.

    Operators of the same quantized model are matched by index; of different ones by type and name of the output
    tensor, those with other names by type and the matched operator before them, and where that matches fewer than
    half of them (names were lost) by the sequence of types.
    """
    pairs = matched_operators(first, other)
    moved: list[OperatorChange] = []
    slower: list[OperatorChange] = []
    for before, after in pairs:
        change = _change(before, after)
        if change is not None:
            (slower if change.change == "cycles" else moved).append(change)
    here, there = {pair[0].index for pair in pairs}, {pair[1].index for pair in pairs}
    gone = [_record("disappeared", operator, None) for operator in first.operators if operator.index not in here]
    come = [_record("appeared", None, operator) for operator in other.operators if operator.index not in there]
    return (*gone, *come, *moved, *sorted(slower, key=lambda change: -abs(change.cycles)))


def _change(before: OperatorRecord, after: OperatorRecord) -> OperatorChange | None:
    if before.placement != after.placement:
        return _record("moved to the CPU" if after.placement == "CPU" else "moved to the NPU", before, after)
    if before.npu_cycles != after.npu_cycles:
        return _record("cycles", before, after)
    return None


def _record(change: Change, before: OperatorRecord | None, after: OperatorRecord | None) -> OperatorChange:
    shown = after or before
    assert shown is not None  # noqa: S101 - one of them is there
    return OperatorChange(
        change=change,
        type=shown.type,
        name=shown.name,
        before=before.index if before else None,
        after=after.index if after else None,
        cycles_before=before.npu_cycles if before else None,
        cycles_after=after.npu_cycles if after else None,
        reason=after.reason if after else None,
    )


def matched_operators(
    first: CompileDocument, other: CompileDocument
) -> list[tuple[OperatorRecord, OperatorRecord]]:
    """Operators of the first build with what they are in the other, matched as :func:`operator_changes` says."""
    if first.source_sha256 == other.source_sha256 and len(first.operators) == len(other.operators):
        return list(zip(first.operators, other.operators, strict=True))
    named = _by_name(first.operators, other.operators)
    if 2 * len(named) >= min(len(first.operators), len(other.operators)):
        return [*named, *_by_place(first.operators, other.operators, named)]
    before, after = ([operator.type for operator in document.operators] for document in (first, other))
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return [
        (first.operators[block.a + i], other.operators[block.b + i]) for block in blocks for i in range(block.size)
    ]


def _by_name(
    first: Sequence[OperatorRecord], other: Sequence[OperatorRecord]
) -> list[tuple[OperatorRecord, OperatorRecord]]:
    keyed = dict(zip(_keys(other), other, strict=True))
    return [(operator, keyed[key]) for key, operator in zip(_keys(first), first, strict=True) if key in keyed]


def _by_place(
    first: Sequence[OperatorRecord],
    other: Sequence[OperatorRecord],
    named: Sequence[tuple[OperatorRecord, OperatorRecord]],
) -> list[tuple[OperatorRecord, OperatorRecord]]:
    """Operators whose names changed: the same type, the how-many-eth after the same matched operator."""
    known = (
        {before.index: before.index for before, _ in named},
        {after.index: before.index for before, after in named},
    )
    placed = dict(_places(other, known[1]))
    return [(operator, placed[key]) for key, operator in _places(first, known[0]) if key in placed]


def _places(
    operators: Sequence[OperatorRecord], known: Mapping[int, int]
) -> Iterator[tuple[tuple[int | None, str, int], OperatorRecord]]:
    """Key and operator of those that are not matched yet; ``known`` maps the others to what both builds share."""
    last: int | None = None
    seen: Counter[str] = Counter()
    for operator in operators:
        if operator.index in known:
            last = known[operator.index]
            seen.clear()
        else:
            yield (last, operator.type, seen[operator.type]), operator
            seen[operator.type] += 1


def _keys(operators: Sequence[OperatorRecord]) -> list[tuple[str, str, int]]:
    """Type, name, and the how-many-eth of its kind: names may repeat."""
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for operator in operators:
        key = operator.type, one_word(operator.name)
        keys.append((*key, seen[key]))
        seen[key] += 1
    return keys
