"""Tensors whose values are known from what resource variables hold before and after an inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model, Tensor
from deploy.tflite.state import accesses


def variable_values(
    model: Model, before: Mapping[str, NDArray[np.uint8]], after: Mapping[str, NDArray[np.uint8]]
) -> dict[int, NDArray[Any]]:
    """What is read from variables before anything is assigned to them, and what is assigned last.

    Args:
        model: with resource variables, or without.
        before: name of a variable -> bytes ``(batch, n)`` that it held.
        after: name of a variable -> bytes ``(batch, n)`` that it holds now.

    Returns:
        Tensor index -> ``(batch, *shape)``.
    """
    found = accesses(model)
    last = {access.name: access.operator.index for access in found if access.assigns}
    assigned: set[str] = set()
    values: dict[int, NDArray[Any]] = {}

    def hold(tensor: Tensor, content: NDArray[np.uint8] | None) -> None:
        if content is not None and tensor.data is None and content.shape[1:] == (tensor.nbytes,):
            values[tensor.index] = np.ascontiguousarray(content).view(tensor.dtype).reshape(-1, *tensor.shape)

    for access in found:
        if not access.assigns:
            hold(access.tensor, None if access.name in assigned else before.get(access.name))
            continue
        assigned.add(access.name)
        if last[access.name] == access.operator.index:
            hold(access.tensor, after.get(access.name))
    return values
