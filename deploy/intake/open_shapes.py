"""Models whose batch size is open (-1 in the file) with batch 1 written into every shape.

A converter that was not told the batch computes shapes while the model runs: SHAPE, STRIDED_SLICE, PACK, then
RESHAPE to what they made. With batch 1 all of that is constant. LiteRT computes it once, and says which
shapes the tensors really have: those in such a file are guesses.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError, DeployError
from deploy.tflite import Model, Tensor, damage_named, schema

_SHAPES = frozenset(["SHAPE", "RANK"])


def open_inputs(model: Model) -> dict[str, tuple[int, ...]]:
    """Inputs with open dimensions, by name, with the shape that the file states (-1 for open)."""
    found = {}
    with damage_named("the inputs' shapes"):
        graph = schema().Model.GetRootAs(model.content, 0).Subgraphs(0)
        for index, name in model.input_names().items():
            stated = graph.Tensors(index).ShapeSignatureAsNumpy()
            shape = () if isinstance(stated, int) else tuple(map(int, stated))
            if min(shape, default=0) < 0:
                found[name] = shape
    return found


def computes_shapes(model: Model) -> bool:
    """Whether operators compute with shapes while the model runs."""
    return any(operator.code in _SHAPES for operator in model.operators)


def unshaped_outputs(model: Model) -> tuple[str, ...]:
    """Outputs of custom operators that have no shape in the file, by name: a converter does not know it."""
    custom = {index for operator in model.operators if operator.is_custom for index in operator.outputs}
    return tuple(
        name for index, name in model.output_names().items() if index in custom and not model.tensors[index].shape
    )


def fix_shapes(record: Any, model: Model, source: str) -> None:
    """Write the shapes that tensors have with the inputs' stated sizes (1 where open), and what follows from them.

    Args:
        record: ``ModelT`` of the model; is changed.
        model: that file, read.
        source: names it in errors.

    Raises:
        BadInputError: LiteRT cannot run the model once.
    """
    values = _values(model, source)
    graph = record.subgraphs[0]
    for tensor, value in zip(graph.tensors, values, strict=True):
        tensor.shapeSignature = None
        if value is not None:
            tensor.shape = list(value.shape)
    constant = _constant_operators(model, values)
    needed = {int(i) for at, each in enumerate(graph.operators) if at not in constant for i in each.inputs}
    for operator in (model.operators[at] for at in constant):
        for index in needed.intersection(operator.outputs):
            content = schema().BufferT()
            content.data = np.frombuffer(np.ascontiguousarray(values[index]).tobytes(), np.uint8)
            graph.tensors[index].buffer = len(record.buffers)
            record.buffers.append(content)
    graph.operators = [each for at, each in enumerate(graph.operators) if at not in constant]


def described(shapes: dict[str, tuple[int, ...]]) -> str:
    """Open inputs in words."""
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())


def _values(model: Model, source: str) -> list[NDArray[Any] | None]:
    """What every tensor holds after an inference on zeros; None for what LiteRT does not keep."""
    from deploy.judging.reference import InnerTensors  # few files leave shapes open

    try:
        kernels = InnerTensors(model)
        zeros = {name: _zeros(model.tensors[index]) for index, name in model.input_names().items()}
        with contextlib.suppress(BadInputError):  # that an output is not of the stated shape
            kernels.run(zeros)
        kept = kernels.tensors(tensor.index for tensor in model.tensors)
        return [kept.get(tensor.index) for tensor in model.tensors]
    except DeployError as error:
        raise BadInputError(
            f"{source}: it leaves shapes open, and with batch 1 they cannot be found out: {error.message}",
            hints=["convert the model again with a fixed input shape (batch 1)"],
        ) from error


def _zeros(tensor: Tensor) -> NDArray[Any]:
    return np.zeros(tensor.shape, tensor.dtype)


def _constant_operators(model: Model, values: list[NDArray[Any] | None]) -> set[int]:
    """Positions of operators that compute plain numbers from shapes and constants alone; none writes an output."""
    constant: set[int] = set()
    known = {tensor.index for tensor in model.tensors if tensor.data is not None}
    for operator in model.operators:
        writes = set(operator.outputs)
        follows = operator.code in _SHAPES or known.issuperset(index for index in operator.inputs if index >= 0)
        numbers = all(values[i] is not None and model.tensors[i].quantization is None for i in writes)
        if follows and numbers and writes.isdisjoint(model.outputs):
            constant.add(operator.index)
            known |= writes
    return constant
