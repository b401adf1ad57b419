"""Accuracy of a quantized network over labelled data, by the reference kernels: measured, not on a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.build_folder import Figure
from deploy.data.heads import heads_of
from deploy.data.image_range import ImageRange
from deploy.data.labels import load_labels
from deploy.data.loading import open_data
from deploy.data.specs import specs_of
from deploy.data.stream import Request
from deploy.figures import SHARE
from deploy.judging.samples import Sample
from deploy.sweeping.pareto import ACCURACY
from deploy.tflite import Model
from deploy.zoo.model_source import ModelSource

CHUNK = 64
"""Samples of one job."""


@dataclass(frozen=True)
class LabelledSource:
    """Where labelled samples come from, as ``deploy sweep`` takes them; ``count`` None for all."""

    data: str
    labels: Path | None
    count: int | None = None
    image_range: ImageRange | None = None


@dataclass(frozen=True)
class Chunk:
    """Samples for one job."""

    samples: tuple[Sample, ...]
    true: dict[str, list[int]]


@dataclass(frozen=True)
class Labelled:
    """Samples for a network, and what a reader of its accuracy should know of them."""

    chunks: tuple[Chunk, ...]
    notes: tuple[str, ...]


def load_labelled(given: LabelledSource, model: Model, source: ModelSource) -> Labelled:
    """The labelled samples for one network, cut into pieces.

    Args:
        given: where they come from. A function is called with those of the network's options that it takes, so
            that it can give data of the right size.
        model: the quantized network.
        source: the network.

    Raises:
        BadInputError: the data does not fit the network, there are fewer labels than samples, or a label is none
            of the network's classes.
    """
    request = Request(
        given.data,
        specs_of(model),
        heads=heads_of(model),
        labels=load_labels(given.labels, model) if given.labels else {},
        labels_file=given.labels,
        count=given.count,
        at_most=True,
        labelled=True,
        assignments=tuple(source.assignments),
        image_range=given.image_range,
    )
    stream = open_data(given.data, request)
    chunks = tuple(
        Chunk(tuple(batch.samples), {name: numbers.tolist() for name, numbers in batch.true.items()})
        for batch in stream.batches(CHUNK)
    )
    return Labelled(chunks, stream.notes)


def figures(results: Sequence[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """Accuracy per output, and over all of them, of the results of all chunks."""
    inputs = sum(int(result["inputs"]) for result in results)
    names = list(results[0]["right"])
    right = {name: sum(int(result["right"][name]) for result in results) for name in names}
    source = f"{results[0]['kernels']} on this network's quantized form, {inputs} labelled inputs"

    def figure(name: str, value: float) -> Figure:
        return Figure(name=name, value=value, unit=SHARE, label="measured", source=source)

    found = [figure(f"{ACCURACY}_{name}", count / inputs) for name, count in right.items()]
    mean = sum(right.values()) / (inputs * len(right))
    return (figure(ACCURACY, mean), *(found if len(found) > 1 else ()))
