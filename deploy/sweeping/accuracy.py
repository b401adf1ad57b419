"""Accuracy of a quantized network over labelled data, by the reference kernels: measured, not on a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy import user_function
from deploy.build_folder import Figure
from deploy.errors import BadInputError
from deploy.judging.inputs import load_inputs, named_inputs, read_arrays
from deploy.judging.labels import load_labels
from deploy.judging.samples import Sample
from deploy.quantizing import dataset
from deploy.quantizing.dataset import Dataset, InputSpec
from deploy.quantizing.model_source import ModelSource
from deploy.quantizing.quantization import quantized_inputs
from deploy.sweeping.pareto import ACCURACY
from deploy.tables import SHARE
from deploy.tflite.model import Model

CHUNK = 64
"""Samples of one job."""

_ALL = 1_000_000


@dataclass(frozen=True)
class LabelledData:
    """Where labelled samples come from.

    Attributes:
        data: ``.npz`` or ``.npy`` with integers as the quantized network takes them or with real values, a folder
            of images, or ``FILE.py:function``.
        labels: ``.json`` with the true class numbers per output.
        count: how many samples are used at most; None for all.
    """

    data: str
    labels: Path
    count: int | None = None


@dataclass(frozen=True)
class Chunk:
    """Samples for one job.

    Attributes:
        samples: for the quantized network.
        true: output -> true class number of each sample.
    """

    samples: tuple[Sample, ...]
    true: dict[str, list[int]]


def load_chunks(given: LabelledData, model: Model, source: ModelSource) -> tuple[Chunk, ...]:
    """The labelled samples for one network, cut into pieces.

    Args:
        given: where they come from. A function is called with those of the network's options that it takes, so
            that it can give data of the right size.
        model: the quantized network.
        source: the network.

    Raises:
        BadInputError: the data does not fit the network, or there are fewer labels than samples.
    """
    samples = _samples(given, model, source)
    labels = {name: item.true for name, item in load_labels(given.labels, model).items() if item.true}
    if not labels:
        raise BadInputError(f"{given.labels}: holds no true labels")
    for name, true in labels.items():
        if len(true) < len(samples):
            raise BadInputError(
                f"{given.labels}: {name} has {len(true)} labels, {given.data} {len(samples)} samples"
            )
    return tuple(
        Chunk(
            samples[start : start + CHUNK],
            {
                name: list(true[start : start + len(samples[start : start + CHUNK])])
                for name, true in labels.items()
            },
        )
        for start in range(0, len(samples), CHUNK)
    )


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


def _samples(given: LabelledData, model: Model, source: ModelSource) -> tuple[Sample, ...]:
    path = Path(given.data)
    if path.suffix in (".npz", ".npy") and not _holds_floats(path, model):
        return load_inputs(path, model).samples[: given.count]
    specs = [
        InputSpec(name, tensor.shape, "float32" if tensor.quantization else tensor.dtype)
        for name, tensor in named_inputs(model).items()
    ]
    data = _real(given.data, specs, source)
    count = min(len(data), given.count or len(data))
    cut = Dataset(data.source, {name: array[:count] for name, array in data.arrays.items()})
    return tuple(quantized_inputs(model, sample) for sample in cut)


def _real(text: str, specs: Sequence[InputSpec], source: ModelSource) -> Dataset:
    if not user_function.is_reference(text):
        return dataset.load(text, specs, _ALL)
    takes = user_function.parameters(text)
    value = user_function.call(text, [item for item in source.assignments if item.partition("=")[0] in takes])
    arrays = value if isinstance(value, Mapping) else {"array": np.asarray(value)}
    return dataset.of_arrays(text, {str(name): array for name, array in arrays.items()}, specs, _ALL)


def _holds_floats(path: Path, model: Model) -> bool:
    """Whether a file holds real values for inputs that take integers."""
    integers = any(tensor.quantization for tensor in named_inputs(model).values())
    return integers and any(array.dtype.kind == "f" for array in read_arrays(path).values())
