"""What became of the operators from one build to another: matched, and what differs named. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.build_folder import CompileDocument, OperatorRecord
from deploy.reporting.data.names import one_word
from deploy.reporting.documents import Change, OperatorChange


@dataclass(frozen=True)
class KnownOfOperator:
    """What a build folder knows of an operator beside its record.

    Attributes:
        sram: bytes of SRAM in use while it runs; None where Vela's debug database does not say.
        lsb: largest difference from the reference kernels, in steps of its output's integers; None where nobody
            compared it.
    """

    sram: int | None = None
    lsb: float | None = None


_NOTHING: Mapping[int, KnownOfOperator] = {}
_UNKNOWN = KnownOfOperator()
_BY_SIZE = ("cycles", "memory", "outputs")


def operator_changes(
    first: CompileDocument,
    other: CompileDocument,
    known_before: Mapping[int, KnownOfOperator] = _NOTHING,
    known_after: Mapping[int, KnownOfOperator] = _NOTHING,
) -> tuple[OperatorChange, ...]:
    """Operators that differ: first those that appeared, disappeared or moved, then the rest by how much.

    Of those, the ones that change their cycles come first, then those that only change the SRAM in use while they
    run, then those that only differ from the reference by more or less than before.

    Operators of the same quantized model are matched by index; of different ones by type and name of the output
    tensor, those with other names by type and the matched operator before them, and where that matches fewer than
    half of them (names were lost) by the sequence of types.

    Args:
        first: the build that the other is compared with.
        other: the other build.
        known_before: index -> what is known beside of the first build's operators.
        known_after: the same of the other's.
    """

    def told(change: Change, before: OperatorRecord | None, after: OperatorRecord | None) -> OperatorChange:
        return _record(
            change,
            before,
            after,
            known_before.get(before.index, _UNKNOWN) if before else _UNKNOWN,
            known_after.get(after.index, _UNKNOWN) if after else _UNKNOWN,
        )

    pairs = matched_operators(first, other)
    here, there = {pair[0].index for pair in pairs}, {pair[1].index for pair in pairs}
    gone = [told("disappeared", operator, None) for operator in first.operators if operator.index not in here]
    come = [told("appeared", None, operator) for operator in other.operators if operator.index not in there]
    moved: list[OperatorChange] = []
    rest: list[OperatorChange] = []
    for before, after in pairs:
        if before.placement != after.placement:
            moved.append(
                told("moved to the CPU" if after.placement == "CPU" else "moved to the NPU", before, after)
            )
            continue
        change = told("cycles", before, after)
        differing = [kind for kind, more in zip(_BY_SIZE, _differences(change), strict=True) if more]
        if differing:
            rest.append(change.model_copy(update={"change": differing[0]}))
    rest.sort(key=lambda change: (_BY_SIZE.index(change.change), [-abs(more) for more in _differences(change)]))
    return (*gone, *come, *moved, *rest)


def _differences(change: OperatorChange) -> tuple[float, ...]:
    """How much more it has than before, in the order of ``_BY_SIZE``."""
    return change.cycles, change.sram or 0, change.lsb or 0.0


def _record(
    change: Change,
    before: OperatorRecord | None,
    after: OperatorRecord | None,
    known_before: KnownOfOperator,
    known_after: KnownOfOperator,
) -> OperatorChange:
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
        sram_before=known_before.sram,
        sram_after=known_after.sram,
        lsb_before=known_before.lsb,
        lsb_after=known_after.lsb,
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
