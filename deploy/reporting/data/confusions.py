"""Confusion tables: what the target says against the float model, the true labels, or the quantized reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.reporting.data.names import shown

if TYPE_CHECKING:
    from deploy.judging.verdict import Verdict

MAX_LABELS = 24
"""Most classes of a table; beyond, those that are confused most, then the most frequent ones."""


@dataclass(frozen=True)
class Confusion:
    """How often two sources of labels say what about the same inputs.

    Attributes:
        output: its name.
        against: what the rows are: ``true label``, ``float model`` or ``quantized reference``.
        counts: (row label, label on target) -> inputs.
        left_out: inputs whose labels are beyond the most that are shown.
    """

    output: str
    against: str
    labels: tuple[str, ...]
    counts: dict[tuple[str, str], int]
    left_out: int

    @property
    def agreement(self) -> float:
        """Share of the counted inputs on the diagonal."""
        total = sum(self.counts.values())
        return sum(count for (row, column), count in self.counts.items() if row == column) / max(total, 1)


def confusions_of(verdict: Verdict) -> tuple[Confusion, ...]:
    """One table per output and per source of labels that the predictions hold.

    The quantized reference stands in only where neither the float model nor true labels are known.
    """
    found = []
    for output in dict.fromkeys(prediction.output for prediction in verdict.predictions):
        predictions = [prediction for prediction in verdict.predictions if prediction.output == output]
        against_float = _pairs([(p.float_model, p.target) for p in predictions])
        against_true = _pairs([(p.true, p.target) for p in predictions])
        if against_float:
            found.append(_confusion(output, "float model", against_float))
        if against_true:
            found.append(_confusion(output, "true label", against_true))
        if not against_float and not against_true:
            reference = [(prediction.reference, prediction.target) for prediction in predictions]
            found.append(_confusion(output, "quantized reference", reference))
    return tuple(found)


def _pairs(pairs: Sequence[tuple[str | None, str]]) -> list[tuple[str, str]]:
    return [(row, column) for row, column in pairs if row is not None]


def _confusion(output: str, against: str, pairs: Sequence[tuple[str, str]]) -> Confusion:
    counted = Counter((shown(row, 40), shown(column, 40)) for row, column in pairs)
    weight: Counter[str] = Counter()
    confused: Counter[str] = Counter()
    for (row, column), count in counted.items():
        weight[row] += count
        weight[column] += count
        if row != column:
            confused[row] += count
            confused[column] += count
    chosen = sorted(weight, key=lambda label: (-confused[label], -weight[label], label))[:MAX_LABELS]
    labels = tuple(sorted(chosen, key=_natural))
    kept = {pair: count for pair, count in counted.items() if pair[0] in chosen and pair[1] in chosen}
    return Confusion(
        output=shown(output),
        against=against,
        labels=labels,
        counts=kept,
        left_out=sum(counted.values()) - sum(kept.values()),
    )


def _natural(label: str) -> tuple[int, int, str]:
    """Class numbers in their own order, before names."""
    return (0, int(label), "") if label.isdecimal() and label.isascii() else (1, 0, label)
