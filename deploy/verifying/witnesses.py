"""What the NPU must compute where it is known to round otherwise than LiteRT's reference kernels, in NumPy.

Each is computed from the source model alone, and never from the command stream that it is to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from deploy.tflite import Model, Operator

Compute = Callable[[Operator, Model, Mapping[int, NDArray[Any]]], NDArray[Any]]


@dataclass(frozen=True)
class Witness:
    """Known arithmetic of the NPU.

    Attributes:
        cause: why it differs from the reference's, one sentence.
        compute: takes the operator, its model and tensor index -> ``(batch, *shape)`` of its activations; returns
            its first output, ``(batch, *shape)``.
    """

    cause: str
    compute: Compute


def witness_of(operator: Operator, source: Model) -> Witness | None:
    """The known arithmetic of an operator, where there is one."""
    return None
