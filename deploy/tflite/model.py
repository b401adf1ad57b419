"""What a ``.tflite`` holds, as plain dataclasses."""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NPU_OPERATOR = "ethos-u"
"""Custom code of the operator that Vela puts in the place of what runs on the NPU."""


CONTROL_FLOW = frozenset(["CALL", "CALL_ONCE", "IF", "WHILE"])
"""The operators that run other subgraphs of the file."""


@dataclass(frozen=True)
class Quantization:
    """Affine quantization: real = scale * (quantized - zero_point).

    Attributes:
        scales: one per tensor, or one per slice along ``axis``.
        zero_points: as many as scales.
        axis: the quantized dimension when there is more than one scale.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True)
class Tensor:
    """A tensor of a subgraph.

    Attributes:
        index: position in the subgraph.
        shape: dimensions; empty for a scalar.
        dtype: NumPy name (``int8``), or TFLite's own name where NumPy has none (``STRING``).
        quantization: None for a tensor that is not quantized.
        data: the constant content, or None for an activation. uint8, read-only.
        buffer: index of the flatbuffer buffer behind it.
        is_variable: whether it keeps its content from one inference to the next (a state).
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    data: NDArray[np.uint8] | None = field(repr=False, compare=False)
    buffer: int = 0
    is_variable: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @functools.cached_property
    def nbytes(self) -> int:
        """Size in bytes (0 for types that NumPy does not have)."""
        try:
            return self.elements * np.dtype(self.dtype).itemsize
        except TypeError:
            return 0


@dataclass(frozen=True)
class Operator:
    """An operator.

    Attributes:
        index: position in execution order.
        code: the builtin's name (``CONV_2D``) or the custom code (``ethos-u``).
        inputs: tensors; -1 for an optional one that is left out.
        is_custom: whether the code is a custom one.
    """

    index: int
    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_custom: bool = False

    @property
    def on_npu(self) -> bool:
        """Whether it is what Vela made for the NPU."""
        return self.code == NPU_OPERATOR


@dataclass(frozen=True)
class Signature:
    """A SignatureDef: maps names that users chose to tensor indices of the subgraph."""

    key: str
    inputs: dict[str, int]
    outputs: dict[str, int]


@dataclass(frozen=True)
class Model:
    """A subgraph of a ``.tflite`` file: the first one, which is the one that runs, where nothing else is said.

    Attributes:
        inputs: tensor indices of the graph's inputs, in the file's order.
        outputs: tensor indices of the graph's outputs, in the file's order.
        signature: the first SignatureDef of that subgraph, if the file has one.
        metadata: name -> raw bytes (``OfflineMemoryAllocation`` for instance).
        tensor_counts: how many tensors each subgraph of the file has.
        subgraph: number of this one in the file.
    """

    content: bytes = field(repr=False)
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signature: Signature | None
    metadata: dict[str, bytes] = field(repr=False)
    tensor_counts: tuple[int, ...] = ()
    subgraph: int = 0

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The graph's inputs, in the file's order."""
        return tuple(self.tensors[index] for index in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """The graph's outputs, in the file's order."""
        return tuple(self.tensors[index] for index in self.outputs)

    def activations(self, operator: Operator) -> tuple[Tensor, ...]:
        """The inputs of an operator that are neither constants nor its own state, each once."""
        present = dict.fromkeys(index for index in operator.inputs if index >= 0)
        tensors = (self.tensors[index] for index in present)
        return tuple(tensor for tensor in tensors if tensor.data is None and not tensor.is_variable)

    def name_of(self, operator: Operator) -> str:
        """An operator's name, which is that of its first output; empty where it has none (ASSIGN_VARIABLE)."""
        return self.tensors[operator.outputs[0]].name if operator.outputs else ""

    def output_names(self) -> dict[int, str]:
        """Tensor index -> name to show and match by: the SignatureDef's name, else the tensor's."""
        return _io_names(self.tensors, self.outputs, self.signature.outputs if self.signature else {})

    def signature_with(self, outputs: dict[str, int]) -> Signature:
        """The signature of a model with the same inputs and other outputs.

        Args:
            outputs: name -> tensor index.
        """
        inputs = {name: index for index, name in self.input_names().items()}
        return Signature(self.signature.key if self.signature else "", inputs, outputs)

    def input_names(self) -> dict[int, str]:
        """Tensor index -> name to show and match by: the SignatureDef's name, else the tensor's."""
        return _io_names(self.tensors, self.inputs, self.signature.inputs if self.signature else {})


def _io_names(tensors: tuple[Tensor, ...], indices: tuple[int, ...], named: dict[str, int]) -> dict[int, str]:
    by_index = {index: name for name, index in named.items()}
    names: dict[int, str] = {}
    for position, index in enumerate(indices):
        name = by_index.get(index) or tensors[index].name or f"tensor_{position}"
        names[index] = name if name not in names.values() else f"{name}#{position}"
    return names
