"""The outputs of a model that tell classes apart: the heads whose accuracy can be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.tflite import Model

NO_CLASS = -1
"""What a contestant says whose output is not a number."""


@dataclass(frozen=True)
class Head:
    """An output with one value a class."""

    name: str
    classes: int


def heads_of(model: Model) -> dict[str, Head]:
    """The heads of a model by name: outputs of one value a class, at least two classes.

    Raises:
        BadInputError: it has none.
    """
    found = {}
    for index, name in model.output_names().items():
        tensor = model.tensors[index]
        if len(tensor.shape) >= 2 and tensor.shape[-1] >= 2 and tensor.elements == tensor.shape[-1]:
            found[name] = Head(name, tensor.shape[-1])
    if not found:
        shapes = ", ".join(
            f"{name} {list(model.tensors[index].shape)}" for index, name in model.output_names().items()
        )
        raise BadInputError(
            f"the model has no output with classes: {shapes}",
            hints=["accuracy is counted on outputs of shape [1, classes]"],
        )
    return found


def ranks(values: NDArray[Any], true: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of the true class among all: 0 where its value is the largest; of equal ones the first class leads.

    Args:
        values: ``[n, classes]``.
        true: ``[n]``.

    Returns:
        ``[n]``; as many as there are classes where a value is not a number.
    """
    classes = values.shape[1]
    own = values[np.arange(len(values)), true][:, np.newaxis]
    ahead = (values > own) | ((values == own) & (np.arange(classes) < true[:, np.newaxis]))
    found: NDArray[np.int64] = np.where(_numbers(values), ahead.sum(axis=1), classes)
    return found


def top_class(values: NDArray[Any]) -> NDArray[np.int64]:
    """Class of the largest value, the first of equal ones; ``NO_CLASS`` where a value is not a number.

    Args:
        values: ``[n, classes]``.
    """
    found: NDArray[np.int64] = np.where(_numbers(values), values.argmax(axis=1), NO_CLASS)
    return found


def _numbers(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind != "f":
        return np.ones(len(values), np.bool_)
    numbers: NDArray[np.bool_] = ~np.isnan(values).any(axis=1)
    return numbers


def check_classes(head: Head, names: Sequence[str], source: str) -> None:
    """Check that class names fit a head.

    Raises:
        BadInputError: there are more or fewer than classes.
    """
    if names and len(names) != head.classes:
        raise BadInputError(
            f"{source}: {len(names)} class names for {head.name}, which has {head.classes} classes"
        )
