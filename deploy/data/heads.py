"""The outputs of a model that tell classes apart: what labels are for, and the checks of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.tflite import Model


@dataclass(frozen=True)
class Head:
    """An output with one value a class."""

    name: str
    classes: int


def heads_in(model: Model) -> dict[str, Head]:
    """The heads of a model by name: outputs of one value a class, at least two classes; it may have none."""
    found = {}
    for index, name in model.output_names().items():
        tensor = model.tensors[index]
        if len(tensor.shape) >= 2 and tensor.shape[-1] >= 2 and tensor.elements == tensor.shape[-1]:
            found[name] = Head(name, tensor.shape[-1])
    return found


def heads_of(model: Model) -> dict[str, Head]:
    """The heads of a model by name: see :func:`heads_in`.

    Raises:
        BadInputError: it has none.
    """
    found = heads_in(model)
    if not found:
        shapes = ", ".join(
            f"{name} {list(model.tensors[index].shape)}" for index, name in model.output_names().items()
        )
        raise BadInputError(
            f"the model has no output with classes: {shapes}",
            hints=["accuracy is counted on outputs of shape [1, classes]"],
        )
    return found


def check_classes(head: Head, names: Sequence[str], source: str) -> None:
    """Check that class names fit a head.

    Raises:
        BadInputError: there are more or fewer than classes.
    """
    if names and len(names) != head.classes:
        raise BadInputError(
            f"{source}: {len(names)} class names for {head.name}, which has {head.classes} classes"
        )


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
