"""What a model keeps from one inference to the next: variable tensors, and resource variables by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.tflite.model import NPU_OPERATOR, Model, Operator, Tensor
from deploy.tflite.options import options_of
from deploy.tflite.reading import subgraph

CALL_ONCE, VAR_HANDLE = "CALL_ONCE", "VAR_HANDLE"
READ_VARIABLE, ASSIGN_VARIABLE = "READ_VARIABLE", "ASSIGN_VARIABLE"
RESOURCE_OPERATORS = frozenset([CALL_ONCE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE])
"""The operators of resource variables: they move bytes and compute nothing."""


def is_stateful(model: Model) -> bool:
    """Whether a model keeps anything from one inference to the next."""
    return bool(variable_tensors(model)) or has_resources(model)


def has_resources(model: Model) -> bool:
    """Whether a model has resource variables."""
    return any(operator.code in RESOURCE_OPERATORS for operator in model.operators)


def variable_tensors(model: Model) -> tuple[Tensor, ...]:
    """The variable tensors of a model."""
    return tuple(tensor for tensor in model.tensors if tensor.is_variable)


def initial_variable(tensor: Tensor) -> NDArray[np.uint8]:
    """The bytes that a variable tensor holds at first: its zero point where it is int8, else zero.

    Source: ``ResetVariableTensor`` of LiteRT, ``ResetTensorData`` of TFLM.
    """
    return np.full(tensor.nbytes, _default_byte(tensor), np.uint8)


def _default_byte(tensor: Tensor) -> int:
    zero_points = tensor.quantization.zero_points if tensor.quantization else ()
    return zero_points[0] & 0xFF if tensor.dtype == "int8" and zero_points else 0


@dataclass(frozen=True)
class Access:
    """An operator that reads or assigns a resource variable.

    Attributes:
        name: of the variable, container and shared name.
        tensor: that it writes, or that holds what it assigns.
        assigns: whether it assigns.
    """

    operator: Operator
    name: str
    tensor: Tensor
    assigns: bool


def accesses(model: Model) -> tuple[Access, ...]:
    """The operators that read and assign resource variables, in the model's order.

    Raises:
        BadInputError: one has no variable, or not the tensors that it needs.
    """
    names: dict[int, str] = {}
    found = []
    for operator in model.operators:
        if operator.code == VAR_HANDLE and operator.outputs:
            names[operator.outputs[0]] = _name(model, operator)
        elif operator.code in (READ_VARIABLE, ASSIGN_VARIABLE):
            assigns = operator.code == ASSIGN_VARIABLE
            tensors = operator.inputs[1:2] if assigns else operator.outputs[:1]
            if not operator.inputs or operator.inputs[0] not in names or not tensors or tensors[0] < 0:
                raise BadInputError(f"operator {operator.index} ({operator.code}) names no variable of the model")
            found.append(Access(operator, names[operator.inputs[0]], model.tensors[tensors[0]], assigns))
    return tuple(found)


def _name(model: Model, operator: Operator) -> str:
    options = options_of(model, operator)
    parts = [] if options is None else [options.container, options.sharedName]
    return "/".join(part.decode("utf-8", "replace") for part in parts if part)


def default_resources(model: Model) -> dict[str, NDArray[np.uint8]]:
    """What resource variables hold before anything was assigned to them: the zero point of what they are for.

    Source: TFLM's ``MicroResourceVariables::Allocate``, which fills all bytes with the zero point.

    Returns:
        Name -> bytes, of every variable that something is assigned to.
    """
    found = {access.name: access.tensor for access in reversed((*_assigned(model), *_assigned_once(model)))}
    return {
        name: np.full(
            tensor.nbytes, (tensor.quantization.zero_points[0] if tensor.quantization else 0) & 0xFF, np.uint8
        )
        for name, tensor in found.items()
    }


def once_resources(model: Model) -> dict[str, NDArray[np.uint8]]:
    """What CALL_ONCE assigns to resource variables, in the first inference: name -> bytes.

    Raises:
        BadInputError: its subgraph does something else than to assign constants.
    """
    found = {}
    for access in _assigned_once(model):
        if access.tensor.data is None:
            raise BadInputError(f"what initialises the variable {access.name!r} is no constant")
        found[access.name] = np.asarray(access.tensor.data)
    return found


def initial_resources(model: Model) -> Mapping[str, NDArray[np.uint8]]:
    """What resource variables hold where they are first read in a model that calls its CALL_ONCE before."""
    return {**default_resources(model), **once_resources(model)}


def _assigned(model: Model) -> Iterator[Access]:
    return (access for access in accesses(model) if access.assigns)


def _assigned_once(model: Model) -> Iterator[Access]:
    for operator in model.operators:
        if operator.code == CALL_ONCE:
            graph = subgraph(model, getattr(options_of(model, operator), "initSubgraphIndex", -1))
            for other in graph.operators:
                if other.code not in (VAR_HANDLE, ASSIGN_VARIABLE):
                    covered = "initial values that are constants are covered"
                    # They were constants before Vela.
                    elsewhere = "compile for U55 or U65: for U85 Vela keeps variables in the arena"
                    raise BadInputError(
                        f"operator {operator.index} (CALL_ONCE) initialises variables with {other.code}",
                        hints=[elsewhere if other.code == NPU_OPERATOR else covered],
                    )
            yield from _assigned(graph)
