"""Counts what contestants get right, batch by batch: accuracy, confusion, agreement; in memory for one batch."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.heads import Head
from deploy.evaluating.documents import Agreement, ClassScore, Contestant, OutputEvaluation, Score
from deploy.evaluating.ranking import ranks, top_class
from deploy.judging.confidence import wilson_interval


class Tally:
    """The counts of one head."""

    def __init__(
        self, head: Head, names: Sequence[str], contestants: Sequence[Contestant], top_k: int | None = None
    ) -> None:
        self._head, self._names, self._top_k = head, tuple(names), top_k
        self._contestants = tuple(contestants)
        self._count = 0
        self._cells: dict[Contestant, Counter[tuple[int, int]]] = {who: Counter() for who in contestants}
        self._top: Counter[Contestant] = Counter()
        self._same: Counter[tuple[Contestant, Contestant]] = Counter()
        self._exact: Counter[tuple[Contestant, Contestant]] = Counter()

    def add(
        self, values: Mapping[Contestant, NDArray[Any]], true: NDArray[np.int64]
    ) -> dict[Contestant, NDArray[np.int64]]:
        """Count a batch.

        Args:
            values: contestant -> ``[n, classes]``, larger for likelier classes.
            true: true class numbers ``[n]``.

        Returns:
            Contestant -> class it says, ``[n]``; -1 where it gives no number.
        """
        said = {who: top_class(values[who]) for who in self._contestants}
        self._count += len(true)
        for who in self._contestants:
            self._cells[who].update(zip(true.tolist(), said[who].tolist(), strict=True))
            if self._top_k is not None:
                self._top[who] += int((ranks(values[who], true) < self._top_k).sum())
        for pair in itertools.combinations(self._contestants, 2):
            one, other = pair
            self._same[pair] += int((said[one] == said[other]).sum())
            if "float" not in pair:
                self._exact[pair] += int((values[one] == values[other]).all(axis=1).sum())
        return said

    def result(self) -> OutputEvaluation:
        """What was counted; at least one input must have been added."""
        return OutputEvaluation(
            name=self._head.name,
            top_k=self._top_k,
            scores=tuple(self._score(who) for who in self._contestants),
            agreements=tuple(
                Agreement(
                    first=one,
                    second=other,
                    same_class=self._same[one, other],
                    exact=None if "float" in (one, other) else self._exact[one, other],
                )
                for one, other in itertools.combinations(self._contestants, 2)
            ),
        )

    def _score(self, who: Contestant) -> Score:
        cells = self._cells[who]
        correct = sum(count for (true, said), count in cells.items() if true == said)
        low, high = wilson_interval(correct, self._count)
        counts: Counter[int] = Counter()
        for (true, _), count in cells.items():
            counts[true] += count
        return Score(
            contestant=who,
            count=self._count,
            correct=correct,
            accuracy=correct / self._count,
            low=low,
            high=high,
            top_k_correct=None if self._top_k is None else self._top[who],
            classes=tuple(
                _class_score(self._names[i] if self._names else str(i), counts[i], cells[i, i])
                for i in range(self._head.classes)
            ),
            confusion=tuple((true, said, count) for (true, said), count in sorted(cells.items())),
        )


def _class_score(name: str, count: int, correct: int) -> ClassScore:
    low, high = wilson_interval(correct, count) if count else (None, None)
    return ClassScore(name=name, count=count, correct=correct, low=low, high=high)
