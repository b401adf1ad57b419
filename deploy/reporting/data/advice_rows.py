"""Hints as reports show them: words and figures, for text and page alike."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.advising.documents import Hint
from deploy.figures import format_bytes
from deploy.reporting.data.names import short_name

_FIGURES = {
    "cpu_operators": "CPU operators",
    "cycles": "cycles",
    "sram_bytes": "SRAM",
    "dram_bytes": "DRAM",
    "flash_bytes": "flash",
}
_NAME_LENGTH = 40


@dataclass(frozen=True)
class HintFigure:
    """One figure of a hint.

    Attributes:
        present: as the model is, for people.
        changed: after the change.
        saved: how much smaller it gets, with its sign for people: ``-1,200``.
        better: whether it gets smaller; None where it stays.
    """

    name: str
    present: str
    changed: str
    saved: str
    better: bool | None


@dataclass(frozen=True)
class HintRow:
    """A hint.

    Attributes:
        outputs: what becomes of the network's outputs, a sentence's part.
        hint: as it is kept.
    """

    title: str
    action: str
    outputs: str
    figures: tuple[HintFigure, ...]
    hint: Hint


def hint_row(hint: Hint) -> HintRow:
    """What reports show of a hint."""
    title = hint.title
    if hint.names:
        names = ", ".join(short_name(name, _NAME_LENGTH) for name in hint.names)
        more = ", ..." if hint.places > len(hint.names) else ""
        where = f"{hint.places} places: " if hint.places > 1 else ""
        title = f"{hint.title} ({where}{names}{more})"
    outputs = {
        "exact": "outputs stay the same",
        "within rounding": "outputs stay the same within rounding",
        "interface changes": "the interface changes",
        "needs retraining": "needs training again",
    }[hint.outputs]
    return HintRow(title, hint.action, outputs, tuple(_figures(hint)), hint)


def _figures(hint: Hint) -> list[HintFigure]:
    rows = []
    for figure, name in _FIGURES.items():
        present, changed = getattr(hint.present, figure), getattr(hint.changed, figure)
        if present is None or changed is None or (present == changed and figure != "cycles"):
            continue
        form = format_bytes if figure.endswith("bytes") else _count
        saved = present - changed
        sign = "-" if saved > 0 else "+" if saved < 0 else ""
        better = None if saved == 0 else saved > 0
        rows.append(HintFigure(name, form(present), form(changed), f"{sign}{form(abs(saved))}", better))
    if hint.value is not None:
        before, after = hint.value
        rows.append(HintFigure("input", f"{before} x {before}", f"{after} x {after}", "", better=True))
    return rows


def _count(value: float) -> str:
    return f"{int(value):,}"
