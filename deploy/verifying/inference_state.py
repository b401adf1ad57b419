"""The state of inferences on the host: what variable tensors and resource variables hold between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.tflite import Model, Operator
from deploy.tflite import state as kept
from deploy.tflite.state import RESOURCE_OPERATORS
from deploy.verifying.tensor_memory import TensorMemory

_Key = TypeVar("_Key")


@dataclass
class InferenceState:
    """What a batch of inferences keeps.

    Attributes:
        batch: how many inferences run side by side; each has a state of its own.
        variables: index of a variable tensor -> bytes ``(batch, n)``.
        resources: name of a resource variable -> bytes ``(batch, n)``.
        called: whether the operators that run once have run.
        continued: whether an inference has left it. Then kernels with variable tensors, which keep these
            themselves, go on from what they hold: they know the last inference alone.
    """

    batch: int
    variables: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    resources: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    called: bool = False
    continued: bool = False

    def copy(self) -> InferenceState:
        """One that can be changed without changing this one; arrays are replaced, never written to."""
        return replace(self, variables=dict(self.variables), resources=dict(self.resources))


class InitialState:
    """What a model's state is before its first inference.

    Args:
        model: read from a ``.tflite`` that Vela wrote.

    Raises:
        BadInputError: its resource variables cannot be told, or are initialised with more than constants.
    """

    def __init__(self, model: Model) -> None:
        self._variables = {tensor.index: kept.initial_variable(tensor) for tensor in kept.variable_tensors(model)}
        self._resources = kept.default_resources(model) if kept.has_resources(model) else {}

    def state(self, batch: int) -> InferenceState:
        """A fresh state for a batch of inferences."""
        return InferenceState(batch, _repeated(self._variables, batch), _repeated(self._resources, batch))


def _repeated(values: Mapping[_Key, NDArray[np.uint8]], batch: int) -> dict[_Key, NDArray[np.uint8]]:
    return {key: np.repeat(value[np.newaxis], batch, axis=0) for key, value in values.items()}


class ResourceStep:
    """An operator of resource variables, of those that only move bytes.

    Args:
        operator: the operator.
        model: that it belongs to.

    Attributes:
        index: position of the operator in the model.

    Raises:
        BadInputError: it names no variable, or one that nothing is assigned to.
    """

    def __init__(self, operator: Operator, model: Model) -> None:
        self.index = operator.index
        self._once = kept.once_resources(model) if operator.code == kept.CALL_ONCE else {}
        self._access = next((found for found in kept.accesses(model) if found.operator is operator), None)
        if self._access is not None:
            expected = kept.initial_resources(model).get(self._access.name)
            if expected is None or expected.size != self._access.tensor.nbytes:
                raise BadInputError(
                    f"operator {operator.index} ({operator.code}): nothing of {self._access.tensor.nbytes} bytes "
                    f"is assigned to the variable {self._access.name!r}"
                )

    def run(self, state: InferenceState, tensors: TensorMemory) -> None:
        """Move what it moves."""
        if self._once and not state.called:
            state.resources |= _repeated(self._once, state.batch)
            state.called = True
        if self._access is None:
            return
        if self._access.assigns:
            content = tensors.read(self._access.tensor)
            state.resources[self._access.name] = (
                np.ascontiguousarray(content).view(np.uint8).reshape(state.batch, -1)
            )
        else:
            tensor, content = self._access.tensor, state.resources[self._access.name]
            tensors.write(tensor, content.view(tensor.dtype).reshape(state.batch, *tensor.shape))


def resource_steps(model: Model) -> dict[int, ResourceStep]:
    """The operators of resource variables of a model, by their position.

    Raises:
        BadInputError: one cannot run on the host.
    """
    return {
        operator.index: ResourceStep(operator, model)
        for operator in model.operators
        if operator.code in RESOURCE_OPERATORS
    }
