"""Which class an output names, and where the true one stands."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_CLASS = -1
"""What a contestant says whose output is not a number."""


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
