"""The inputs of a run: what a user gives, or made up reproducibly and labelled as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deploy.data.labels import Labels, OutputLabels, load_labels
from deploy.errors import BadInputError
from deploy.judging.input_patterns import uniform
from deploy.judging.input_ranges import input_ranges
from deploy.judging.samples import Sample, SampleDigest
from deploy.tflite import Model, Tensor

if TYPE_CHECKING:
    from deploy.data.image_range import ImageRange
    from deploy.data.loading import Given

_MOST_BYTES = 2 << 30
"""Of made-up inputs, which are all held."""

_SAMPLE_BYTES = 1 << 10
"""What a sample takes beside its arrays, about."""


@dataclass(frozen=True)
class InputSet:
    """Samples in the order they are fed.

    Attributes:
        samples: per sample, one array per input of the model, of exactly its shape and dtype.
        source: where they come from, for the verdict.
        fresh: how many of them, the last ones, were made up for this run alone.
        seed: that repeats those; None where there are none.
        labels: class names and true classes by output, as far as they are known.
        notes: what a reader of the verdict should know, one sentence each.
    """

    samples: tuple[Sample, ...]
    source: str
    fresh: int = 0
    seed: int | None = None
    labels: Labels = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Over names, dtypes, shapes and bytes of all samples."""
        return SampleDigest().add(self.samples).hexdigest()


def given_inputs(
    given: Given,
    model: Model,
    count: int | None = None,
    *,
    labels: Path | None = None,
    image_range: ImageRange | None = None,
    at_most: bool = False,
    fed: Sequence[str] | None = None,
    source: str | None = None,
) -> InputSet:
    """The inputs that a user gives, whatever form they come in, with their labels.

    Args:
        given: by the user.
        model: that takes them, as it was before it was compiled.
        count: how many; None for all there are.
        labels: ``.json`` with class names and true labels; they win over those of the data.
        image_range: what pixels are scaled to; None for what the model shows.
        at_most: whether fewer samples than ``count`` will do, and they are picked evenly spread.
        fed: the inputs that are fed; None for all of the model's.
        source: names arrays in memory, in errors and documents.

    Raises:
        BadInputError: data or labels cannot be used, do not fit the model or each other, or there are fewer
            samples than ``count``.
    """
    from deploy.data.heads import heads_in  # most runs are given nothing
    from deploy.data.loading import open_data, source_of
    from deploy.data.specs import specs_of
    from deploy.data.stream import Request, held

    specs = {spec.name: spec for spec in specs_of(model)}
    request = Request(
        source or source_of(given),
        tuple(specs[name] for name in (specs if fed is None else fed)),
        heads=heads_in(model),
        labels=load_labels(labels, model) if labels else {},
        labels_file=labels,
        count=count,
        at_most=at_most,
        spread=at_most,
        image_range=image_range,
    )
    data = held(open_data(given, request))
    shapes = {spec.name: spec.shape for spec in request.specs}
    samples = tuple(
        {name: array[i].reshape(shapes[name]) for name, array in data.arrays.items()} for i in range(len(data))
    )
    return InputSet(samples, data.source, labels={**request.labels, **data.labels}, notes=data.notes)


def named_labels(labels: Labels) -> tuple[Labels, tuple[str, ...]]:
    """The class names alone, for inputs that labels were not made for; and a note where there are labels."""
    dropped = any(each.true for each in labels.values())
    names = {name: OutputLabels(classes=each.classes) for name, each in labels.items()}
    note = "the true labels are not used: they are for inputs that --data names"
    return names, (note,) if dropped else ()


def check_room(model: Model, count: int) -> None:
    """Check, before any work, that so many inputs can be made up.

    Args:
        model: the source model.
        count: how many.

    Raises:
        BadInputError: they would take more memory than made-up inputs may.
    """
    each = _SAMPLE_BYTES + sum(tensor.nbytes for tensor in model.input_tensors)
    if count * each > _MOST_BYTES:
        raise BadInputError(
            f"--count {count}: so many inputs take more than the {_MOST_BYTES >> 30} GiB that made-up ones may",
            hints=[f"--count {_MOST_BYTES // each} at the most"],
        )


def random_inputs(model: Model, count: int, seed: int = 0) -> InputSet:
    """Make up samples: uniform over what each input can represent, the same for the same model and seed.

    Args:
        model: the source model.
        count: how many.
        seed: of the random numbers.

    Raises:
        BadInputError: they would take too much memory.
    """
    check_room(model, count)
    generator = np.random.default_rng(seed)
    ranges = input_ranges(model)
    samples = tuple({name: uniform(generator, each) for name, each in ranges.items()} for _ in range(count))
    return InputSet(samples, f"random, uniform, seed {seed}")


def named_inputs(model: Model) -> dict[str, Tensor]:
    """The model's input tensors by the name users match by, in the file's order."""
    return {name: model.tensors[index] for index, name in model.input_names().items()}
