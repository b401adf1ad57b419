"""Reads ``.tflite`` files, treating every byte of them as hostile.

The flatbuffers runtime for Python does not verify what it reads, so every access runs inside one guard
(:func:`load`), every count is bounded before it is used, and indices are checked before they are stored.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.downloads import check_downloaded
from deploy.errors import BadInputError
from deploy.streams import check_readable_file
from deploy.tflite.generated import DTYPE_NUMBERS, IDENTIFIER, names_of, schema
from deploy.tflite.model import CONTROL_FLOW, Model, Operator, Quantization, Signature, Tensor

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Far above what fits on a microcontroller; a bound on what is read into memory."""

_MAX_ITEMS = 100_000
_MAX_RANK = 8

_WITHOUT_OUTPUTS = CONTROL_FLOW | {"ASSIGN_VARIABLE", "HASHTABLE_IMPORT"}
_WITHOUT_INPUTS = CONTROL_FLOW | {"VAR_HANDLE", "HASHTABLE"}
"""Built-in operators that may have none; every other one writes a tensor, and reads a first one."""


def read(path: Path) -> Model:
    """Read and check a ``.tflite`` file.

    Raises:
        BadInputError: the file is missing, too large, truncated or not a TFLite model.
    """
    check_readable_file(path)
    check_downloaded(path)
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise BadInputError(f"{path}: {size} bytes is more than the {MAX_FILE_BYTES} that are read")
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot read the model: {error.strerror}") from error
    return load(content, source=str(path))


def load(content: bytes, *, source: str = "model") -> Model:
    """Parse a ``.tflite`` held in memory; ``source`` names it in errors.

    Raises:
        BadInputError: the bytes are not a usable TFLite model.
    """
    if len(content) < 16 or content[4:8] != IDENTIFIER:
        raise BadInputError(
            f"{source}: not a TFLite model (the TFL3 identifier is missing)",
            hints=["pass a .tflite file, a .keras or .h5 model, a SavedModel folder or FILE.py:function"],
        )
    with damage_named(source):
        return _parse(content)


@contextlib.contextmanager
def damage_named(source: str) -> Iterator[None]:
    """Work on what a file holds: whatever goes wrong there is the file's damage.

    Raises:
        BadInputError: an index, a shape or a length did not fit.
    """
    try:
        yield
    except (
        struct.error,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ) as error:
        raise BadInputError(
            f"{source}: the TFLite model is damaged ({type(error).__name__}: {error})",
            hints=["the file may be truncated: write it again and compare its size"],
        ) from error


def _count(value: int, what: str) -> int:
    if not 0 <= value <= _MAX_ITEMS:
        raise ValueError(f"{value} {what}")
    return value


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace") if value else ""


def _ints(array: Any, limit: int = _MAX_ITEMS) -> tuple[int, ...]:
    """An int vector as flatbuffers returns it: an array, or 0 when the field is absent."""
    if isinstance(array, int):
        return ()
    if len(array) > limit:
        raise ValueError(f"vector of {len(array)} elements")
    return tuple(array.tolist())


def subgraph(model: Model, number: int) -> Model:
    """Another subgraph of a model's file, as a model.

    Raises:
        BadInputError: there is no such subgraph, or it is damaged.
    """
    with damage_named(f"subgraph {number}"):
        return _parse(model.content, number)


def _parse(content: bytes, number: int = 0) -> Model:
    root = schema().Model.GetRootAs(content, 0)
    if not 0 <= number < _count(root.SubgraphsLength(), "subgraphs"):
        raise ValueError(f"no subgraph {number}")
    graph = root.Subgraphs(number)
    tensors = _tensors(root, graph, len(content))
    codes = [
        _operator_code(root.OperatorCodes(i)) for i in range(_count(root.OperatorCodesLength(), "operator codes"))
    ]
    operators = []
    for i in range(_count(graph.OperatorsLength(), "operators")):
        item = graph.Operators(i)
        code, custom = codes[item.OpcodeIndex()]
        inputs = _tensor_indices(item.InputsAsNumpy(), len(tensors), optional=True)
        outputs = _tensor_indices(item.OutputsAsNumpy(), len(tensors))
        if not custom and not outputs and code not in _WITHOUT_OUTPUTS:
            raise ValueError(f"operator {i} ({code}) has no output")
        if not custom and (not inputs or inputs[0] < 0) and code not in _WITHOUT_INPUTS:
            raise ValueError(f"operator {i} ({code}) has no input")
        operators.append(Operator(index=i, code=code, inputs=inputs, outputs=outputs, is_custom=custom))
    return Model(
        content=content,
        tensors=tensors,
        operators=tuple(operators),
        inputs=_tensor_indices(graph.InputsAsNumpy(), len(tensors)),
        outputs=_tensor_indices(graph.OutputsAsNumpy(), len(tensors)),
        signature=_signature(root, len(tensors), number),
        metadata=_metadata(root),
        tensor_counts=tuple(root.Subgraphs(i).TensorsLength() for i in range(root.SubgraphsLength())),
        subgraph=number,
    )


def _tensor_indices(array: Any, count: int, *, optional: bool = False) -> tuple[int, ...]:
    indices = _ints(array)
    lowest = -1 if optional else 0
    for index in indices:
        if not lowest <= index < count:
            raise ValueError(f"tensor index {index} of {count}")
    return indices


def _operator_code(code: Any) -> tuple[str, bool]:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == schema().BuiltinOperator.CUSTOM:
        return _text(code.CustomCode()) or "CUSTOM", True
    return names_of("BuiltinOperator").get(number, f"BUILTIN_{number}"), False


def _dtype(number: int) -> str:
    name = names_of("TensorType").get(number, f"TYPE_{number}")
    return name.lower() if name.lower() in DTYPE_NUMBERS else name


def _tensors(root: Any, graph: Any, file_size: int) -> tuple[Tensor, ...]:
    buffers = _count(root.BuffersLength(), "buffers")
    tensors = []
    for i in range(_count(graph.TensorsLength(), "tensors")):
        item = graph.Tensors(i)
        shape = _ints(item.ShapeAsNumpy(), _MAX_RANK)
        if any(dimension < 0 for dimension in shape):
            raise ValueError(f"tensor {i} has shape {shape}")
        buffer = item.Buffer()
        if not 0 <= buffer < max(buffers, 1):
            raise ValueError(f"tensor {i} uses buffer {buffer} of {buffers}")
        tensor = Tensor(
            index=i,
            name=_text(item.Name()),
            shape=shape,
            dtype=_dtype(item.Type()),
            quantization=_quantization(item.Quantization()),
            data=_buffer(root, buffer) if buffers else None,
            buffer=buffer,
            is_variable=bool(item.IsVariable()),
        )
        if tensor.is_variable and tensor.data is not None:
            raise ValueError(f"variable tensor {i} is a constant")  # LiteRT refuses it, too
        if tensor.nbytes > 2**31 or (tensor.data is not None and tensor.data.size > file_size):
            raise ValueError(f"tensor {i} of {tensor.nbytes} bytes")
        # As LiteRT sees it; what NumPy has no type for (int4) has 0 bytes here.
        if tensor.data is not None and tensor.nbytes not in (0, tensor.data.size) and item.Sparsity() is None:
            raise ValueError(f"constant {i} of {tensor.nbytes} bytes holds {tensor.data.size}")
        tensors.append(tensor)
    return tuple(tensors)


def _buffer(root: Any, index: int) -> NDArray[np.uint8] | None:
    data = root.Buffers(index).DataAsNumpy()
    if isinstance(data, int) or data.size == 0:
        return None
    view: NDArray[np.uint8] = np.asarray(data, dtype=np.uint8)
    return view


def _quantization(record: Any) -> Quantization | None:
    if record is None or record.ScaleLength() == 0:
        return None
    count = _count(record.ScaleLength(), "scales")
    scales = tuple(record.ScaleAsNumpy().tolist())
    zero_points = _ints(record.ZeroPointAsNumpy()) or (0,) * count
    if len(zero_points) == 1 < count:
        zero_points = zero_points * count
    if len(zero_points) != count:
        raise ValueError(f"{count} scales but {len(zero_points)} zero points")
    return Quantization(scales, zero_points, int(record.QuantizedDimension()))


def _signature(root: Any, tensors: int, graph: int) -> Signature | None:
    for i in range(_count(root.SignatureDefsLength(), "signatures")):
        item = root.SignatureDefs(i)
        if item.SubgraphIndex() != graph:
            continue
        inputs = [item.Inputs(k) for k in range(_count(item.InputsLength(), "signature inputs"))]
        outputs = [item.Outputs(k) for k in range(_count(item.OutputsLength(), "signature outputs"))]
        for entry in (*inputs, *outputs):
            if not 0 <= entry.TensorIndex() < tensors:
                raise ValueError(f"signature names tensor {entry.TensorIndex()} of {tensors}")
        return Signature(
            _text(item.SignatureKey()),
            {_text(entry.Name()): entry.TensorIndex() for entry in inputs},
            {_text(entry.Name()): entry.TensorIndex() for entry in outputs},
        )
    return None


def _metadata(root: Any) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for i in range(_count(root.MetadataLength(), "metadata entries")):
        item = root.Metadata(i)
        if not 0 <= item.Buffer() < root.BuffersLength():
            raise ValueError(f"metadata {i} uses buffer {item.Buffer()}")
        data = _buffer(root, item.Buffer())
        found[_text(item.Name())] = b"" if data is None else data.tobytes()
    return found
