"""Data on its way from where it lies to a model: what is asked of it, its batches, and all of it held at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.fit import Fit
from deploy.data.heads import Head, check_classes, class_numbers
from deploy.data.image_range import ImageRange
from deploy.data.labels import Labels, OutputLabels
from deploy.data.specs import InputSpec
from deploy.errors import BadInputError

MAX_LABELS = 10_000_000
"""Most labels that are read."""

MAX_HELD_BYTES = 4 * 1024**3
"""Most bytes of samples that are held at once."""

_BATCH_BYTES = 16 * 1024**2
"""Samples of so many bytes are read at a time: as real values they may take four times as many."""


@dataclass(frozen=True)
class Request:
    """What is asked of data.

    Attributes:
        source: as the user named it.
        specs: the inputs of the model that it is for.
        heads: the model's outputs with classes; empty where they are not known, and labels are left alone.
        labels: from ``--labels``; class names win over the data's own.
        labels_file: its name, for errors.
        output: the head that labels without a name are for; None where there is only one.
        count: how many samples to use; None for all.
        at_most: whether fewer samples than ``count`` will do, and labels may go on after the last one.
        spread: whether samples are picked evenly spread, as data is often sorted by class; else the first ones.
        labelled: whether data without labels is refused.
        assignments: options of the network, ``KEY=VALUE`` each: a function is called with those that it takes, so
            that it can give data of the right size.
        image_range: what pixels are scaled to; None for what the model shows.
    """

    source: str
    specs: tuple[InputSpec, ...]
    heads: Mapping[str, Head] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    labels_file: Path | None = None
    output: str | None = None
    count: int | None = None
    at_most: bool = False
    spread: bool = False
    labelled: bool = False
    assignments: tuple[str, ...] = ()
    image_range: ImageRange | None = None

    @property
    def only_head(self) -> Head | None:
        """The head that labels without a name are for; None where there is none, or several."""
        if self.output is not None:
            return self.heads[self.output]
        return next(iter(self.heads.values())) if len(self.heads) == 1 else None

    def wanted_head(self) -> Head:
        """The head that labels without a name are for.

        Raises:
            BadInputError: it was not named, and there are several.
        """
        if (head := self.only_head) is None:
            raise BadInputError(
                f"{self.source}: which output are the labels for? The model has {', '.join(self.heads) or 'none'}",
                hints=[f"--head {next(iter(self.heads), 'OUTPUT')}", "or labels by output name"],
            )
        return head

    def common_count(self, inputs: Mapping[str, int], labels: Mapping[str, NDArray[np.int64]]) -> int:
        """How many samples are to be used.

        Raises:
            BadInputError: there are none, fewer than asked for, or not as many labels as samples.
        """
        if len(set(inputs.values())) != 1:
            told = ", ".join(f"{name} {count}" for name, count in inputs.items())
            raise BadInputError(f"{self.source}: the inputs have different numbers of samples ({told})")
        total = next(iter(inputs.values()))
        if total == 0:
            raise BadInputError(f"{self.source}: no samples in it")
        for name, values in labels.items():
            if len(values) < total or (len(values) > total and not self.at_most):
                what = f"{', '.join(inputs)} {total}, labels of {name} {len(values)}"
                raise BadInputError(f"{self.source}: inputs and labels do not belong together: {what}")
        return self.count_of(total)

    def count_of(self, total: int) -> int:
        """How many of all samples are to be used.

        Raises:
            BadInputError: there are fewer than asked for.
        """
        if self.count is not None and self.count > total and not self.at_most:
            raise BadInputError(
                f"--count {self.count}: {self.source} holds {total} samples", hints=[f"--count {total}"]
            )
        return min(self.count or total, total)

    def places(self, total: int, count: int, first: int, size: int) -> NDArray[np.int64]:
        """Which of all samples are used, in order: of ``count`` of them ``size``, from the ``first`` on."""
        chosen = np.arange(first, min(first + size, count), dtype=np.int64)
        return chosen * total // count if self.spread else chosen

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


@dataclass(frozen=True)
class Batch:
    """Samples side by side, with their labels.

    Attributes:
        first: index of the first one in the data.
        stored: input name -> ``[n, *shape]`` as the model takes it.
        given: input name -> ``[n, *shape]`` real values, where the data has those; else absent.
        true: output name -> true class numbers ``[n]``.
    """

    first: int
    stored: dict[str, NDArray[Any]]
    given: dict[str, NDArray[Any]]
    true: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(next(iter(self.stored.values())))

    @property
    def samples(self) -> list[dict[str, NDArray[Any]]]:
        """The inputs one by one, as the model takes them."""
        return [{name: array[i] for name, array in self.stored.items()} for i in range(len(self))]


@dataclass(frozen=True)
class DataStream:
    """Data for a model, read batch by batch.

    Attributes:
        source: as the user named it, and what was made of it.
        specs: the inputs that it is for.
        count: how many samples; None where only reading to the end tells.
        names: output name -> class names (empty for numbers); the outputs that have labels.
        batches: called with a size, yields batches of at most that many samples, from the beginning.
        fit: of the real values that were read so far.
        remarks: what a reader of the result should know, known from the beginning.
    """

    source: str
    specs: tuple[InputSpec, ...]
    count: int | None
    names: dict[str, tuple[str, ...]]
    batches: Callable[[int], Iterator[Batch]] = field(repr=False)
    fit: Fit = field(repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the result should know, of what was read so far."""
        return (*self.remarks, *self.fit.sentences)


@dataclass(frozen=True)
class Dataset:
    """Checked samples, all of them in memory.

    Attributes:
        source: where they come from, for messages and documents.
        arrays: per input ``[samples, *shape]`` without the batch of 1, as the model takes it.
        labels: per output with classes its names, and the true class of each sample, as far as they are known.
        notes: what a reader of the result should know, one sentence each.
    """

    source: str
    arrays: Mapping[str, NDArray[Any]]
    labels: Labels = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield samples: per input one array of the model's own shape (a batch of 1)."""
        for i in range(len(self)):
            yield {name: array[i : i + 1] for name, array in self.arrays.items()}


def held(stream: DataStream) -> Dataset:
    """Read all of a stream.

    Raises:
        BadInputError: a sample does not fit the model, there are none, or more than memory should hold.
    """
    bytes_each = max(1, sum(spec.sample_bytes for spec in stream.specs))
    most = MAX_HELD_BYTES // bytes_each
    if (stream.count or 0) > most:
        raise BadInputError(
            f"{stream.source}: {stream.count} samples of {bytes_each} bytes are too many",
            hints=[f"--count {most}"],
        )
    parts: dict[str, list[NDArray[Any]]] = {spec.name: [] for spec in stream.specs}
    true: dict[str, list[int]] = {name: [] for name in stream.names}
    done = 0
    for batch in stream.batches(max(1, min(_BATCH_BYTES // bytes_each, most + 1))):
        done += len(batch)
        if done > most:
            raise BadInputError(f"{stream.source}: gives more than {most} samples", hints=["--count N"])
        for name, stored in batch.stored.items():
            parts[name].append(stored)
        for name, numbers in batch.true.items():
            true[name] += numbers.tolist()
    if done == 0:
        raise BadInputError(f"{stream.source}: no samples in it")
    arrays = {
        spec.name: np.concatenate(parts[spec.name]).reshape(done, *spec.sample_shape) for spec in stream.specs
    }
    labels = {name: OutputLabels(classes=names, true=tuple(true[name])) for name, names in stream.names.items()}
    return Dataset(stream.source, arrays, labels, stream.notes)


def spread(available: int, limit: int) -> NDArray[np.int64]:
    """Indices of at most ``limit`` items spread evenly over those available, in order."""
    count = min(available, limit)
    return np.arange(count, dtype=np.int64) * available // count


def part_of(labels: Mapping[str, NDArray[np.int64]], places: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """The labels of some samples."""
    return {name: values[places] for name, values in labels.items()}
