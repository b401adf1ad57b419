"""A labelled set, whatever form it comes in, as batches: arrays, folders of images, or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.evaluating.heads import Head, check_classes
from deploy.evaluating.model_inputs import Batch
from deploy.judging.labels import Labels

MAX_LABELS = 10_000_000
"""Most labels that are read."""


@dataclass(frozen=True)
class LabelledData:
    """A labelled set.

    Attributes:
        source: as the user named it.
        count: how many inputs; None where only reading to the end tells.
        names: output name -> class names (empty for numbers); the outputs that have labels.
        batches: called with a size, yields batches of at most that many inputs, from the beginning.
        notes: what a reader of the result should know.
    """

    source: str
    count: int | None
    names: dict[str, tuple[str, ...]]
    batches: Callable[[int], Iterator[Batch]] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What is asked of the data.

    Attributes:
        source: as the user named it.
        heads: the outputs with classes.
        labels: from ``--labels``; class names win over the data's own.
        labels_file: its name, for errors.
        output: the head that labels without a name are for; None where there is only one.
        count: how many inputs to use; None for all.
        at_most: whether fewer inputs than ``count`` will do, and labels may go on after the last input.
        assignments: options of the network, ``KEY=VALUE`` each: a function is called with those that it takes, so
            that it can give data of the right size.
    """

    source: str
    heads: Mapping[str, Head]
    labels: Labels
    labels_file: Path | None
    output: str | None
    count: int | None
    at_most: bool = False
    assignments: tuple[str, ...] = ()

    def only_head(self) -> Head:
        """The head that labels without a name are for.

        Raises:
            BadInputError: it was not named, and there are several.
        """
        if self.output is not None:
            return self.heads[self.output]
        if len(self.heads) == 1:
            return next(iter(self.heads.values()))
        raise BadInputError(
            f"{self.source}: which output are the labels for? The model has {', '.join(self.heads)}",
            hints=[f"--head {next(iter(self.heads))}", "or labels by output name"],
        )

    def common_count(self, inputs: Mapping[str, int], labels: Mapping[str, NDArray[np.int64]]) -> int:
        """How many inputs are to be used.

        Raises:
            BadInputError: there are none, fewer than asked for, or not as many labels as inputs.
        """
        given = {f"labels of {name}": len(values) for name, values in labels.items()}
        if self.at_most:
            given = {name: min(count, *inputs.values()) for name, count in given.items()}
        counts = {**inputs, **given}
        if len(set(counts.values())) != 1:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise BadInputError(f"{self.source}: inputs and labels do not belong together: {told}")
        total = next(iter(counts.values()))
        if total == 0:
            raise BadInputError(f"{self.source}: no inputs in it")
        return self.count_of(total, f"{self.source} holds {total} inputs")

    def count_of(self, total: int, holds: str) -> int:
        """How many of all inputs are to be used.

        Raises:
            BadInputError: there are fewer than asked for; ``holds`` says so.
        """
        if self.count is not None and self.count > total and not self.at_most:
            raise BadInputError(f"--count {self.count}: {holds}", hints=[f"--count {total}"])
        return min(self.count or total, total)

    def from_file(self) -> dict[str, NDArray[np.int64]]:
        """True classes that ``--labels`` gives, by output; empty where it gives none.

        Raises:
            BadInputError: they are none of the head's classes, or are for an output without classes.
        """
        found = {}
        for name, labels in self.labels.items():
            if not labels.true:
                continue
            if name not in self.heads:
                raise BadInputError(f"{self.labels_file}: output {name} has no classes")
            numbers = class_numbers(np.asarray(labels.true), self.heads[name], f"{self.labels_file}: {name}")
            found[name] = numbers
        return found

    def class_names(
        self, outputs: Sequence[str], own: Mapping[str, tuple[str, ...]]
    ) -> dict[str, tuple[str, ...]]:
        """Class names by output: those of ``--labels``, else those of the data, else none.

        Raises:
            BadInputError: they are more or fewer than the head's classes.
        """
        found = {}
        for name in outputs:
            told = self.labels[name].classes if name in self.labels else ()
            found[name] = tuple(told or own.get(name, ()))
            check_classes(self.heads[name], found[name], str(self.labels_file if told else self.source))
        return found


def part_of(labels: Mapping[str, NDArray[np.int64]], first: int, count: int) -> dict[str, NDArray[np.int64]]:
    """The labels of ``count`` inputs."""
    return {name: values[first : first + count] for name, values in labels.items()}


def class_numbers(values: NDArray[Any], head: Head, where: str) -> NDArray[np.int64]:
    """Check true classes of a head: integers ``[n]`` or ``[n, 1]``; ``where`` names them in errors.

    Returns:
        ``[n]``.

    Raises:
        BadInputError: another shape or type, or not one of the classes.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iu":
        hints = ["class numbers: one_hot.argmax(axis=1)"] if values.ndim == 2 else ["integers from 0"]
        raise BadInputError(f"{where}: labels are {values.dtype}{list(values.shape)}", hints=hints)
    wrong = np.flatnonzero((values < 0) | (values >= head.classes))
    if len(wrong):
        raise BadInputError(
            f"{where}: label {values[wrong[0]]} of input {wrong[0]} is none of the {head.classes} classes of "
            f"{head.name}",
            hints=[f"classes count from 0 to {head.classes - 1}"],
        )
    return values.astype(np.int64)
