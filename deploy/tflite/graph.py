"""A quantized ``.tflite`` as a graph that can be changed and written again.

What a rewrite does not touch is written as it was read: operators keep their options, tensors their names and
quantization, the SignatureDef its names. Tensors and constants that nothing uses any more are left out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.tflite.generated import DTYPE_NUMBERS, schema
from deploy.tflite.model import Model, Quantization, Tensor
from deploy.tflite.reading import damage_named, load
from deploy.tflite.records import new_signature, packed, unpacked

_LEGACY_CODES = 127
"""Codes up to here also stand in the field that older readers look at."""


@dataclass(frozen=True, eq=False)
class Node:
    """An operator. Two are the same only when they are one.

    Attributes:
        code: TFLite's name, ``CONV_2D``, or the custom code.
        inputs: tensors; -1 for an optional one that is left out.
        options: the schema's options object (``Conv2DOptionsT``), or None.
        custom: whether the code is a custom one.
        record: as read, for what is not named here; None for a new operator.
    """

    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any = None
    version: int = 1
    custom: bool = False
    record: Any = field(default=None, repr=False)


class Graph:
    """The first subgraph of a model.

    Attributes:
        tensors: by index; a rewrite adds to them.
        nodes: in execution order; to change them, assign a new list.
        inputs: tensors, in the file's order.
        outputs: tensors, in the file's order.
    """

    def __init__(self, model: Model | None = None) -> None:
        """Take over a model that has passed :func:`deploy.tflite.load`; None for an empty graph.

        Raises:
            BadInputError: it has several subgraphs, or its operators are not in the order of execution.
        """
        self.tensors: list[Tensor] = []
        self.nodes = []
        self.inputs: tuple[int, ...] = ()
        self.outputs: tuple[int, ...] = ()
        self._records: dict[int, Any] = {}
        self._model: Any = None
        if model is not None:
            self._read(model)

    def _read(self, model: Model) -> None:
        if len(model.tensor_counts) != 1:
            subgraphs = len(model.tensor_counts)
            raise BadInputError(f"the model has {subgraphs} subgraphs; only models of one can be rewritten")
        with damage_named("the model"):
            self._take(model)

    def _take(self, model: Model) -> None:
        self._model = unpacked(model.content)
        records = self._model.subgraphs[0]
        self.tensors = list(model.tensors)
        self._records = dict(enumerate(records.tensors))
        codes = self._model.operatorCodes
        self.nodes = [
            Node(
                operator.code,
                operator.inputs,
                operator.outputs,
                record.builtinOptions,
                codes[record.opcodeIndex].version,
                operator.is_custom,
                record,
            )
            for operator, record in zip(model.operators, records.operators, strict=True)
        ]
        self.inputs, self.outputs = model.inputs, model.outputs
        written: set[int] = set()
        later = {index for node in self.nodes for index in node.outputs}
        for number, node in enumerate(self.nodes):
            if any(index in later and index not in written for index in node.inputs):
                raise BadInputError(f"operator {number} ({node.code}) reads what is computed after it")
            if not written.isdisjoint(node.outputs):
                raise BadInputError(f"operator {number} ({node.code}) writes what was computed before")
            written.update(node.outputs)

    @property
    def nodes(self) -> list[Node]:
        """The operators."""
        return self._nodes

    @nodes.setter
    def nodes(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._found: tuple[dict[int, Node], dict[int, list[Node]]] | None = None

    def add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        quantization: Quantization | None = None,
        data: NDArray[Any] | None = None,
    ) -> int:
        """Add a tensor; returns its index.

        Args:
            name: need not be unique.
            shape: dimensions.
            dtype: NumPy name.
            quantization: None for a tensor that is not quantized.
            data: content of a constant, of that shape and dtype; None for an activation.
        """
        content = None
        if data is not None:
            content = np.frombuffer(np.ascontiguousarray(data, np.dtype(dtype)).tobytes(), np.uint8)
        index = len(self.tensors)
        self.tensors.append(Tensor(index, name, tuple(shape), dtype, quantization, content))
        return index

    def rename(self, index: int, name: str) -> None:
        """Give a tensor another name."""
        self.tensors[index] = replace(self.tensors[index], name=name)
        if index in self._records:
            self._records[index] = copy.copy(self._records[index])
            self._records[index].name = name

    def constant(self, index: int) -> NDArray[Any]:
        """The content of a constant, in its shape and dtype.

        Raises:
            ValueError: it has none, or too little.
        """
        tensor = self.tensors[index]
        if tensor.data is None:
            raise ValueError(f"{tensor.name} is no constant")
        return tensor.data.view(np.dtype(tensor.dtype)).reshape(tensor.shape)

    def producer(self, tensor: int) -> Node | None:
        """The operator that writes a tensor; None for inputs and constants."""
        return self._ends()[0].get(tensor)

    def consumers(self, tensor: int) -> list[Node]:
        """The operators that read a tensor."""
        return self._ends()[1].get(tensor, [])

    def _ends(self) -> tuple[dict[int, Node], dict[int, list[Node]]]:
        """Who writes and who reads each tensor, found out anew when the operators have changed."""
        if self._found is None:
            producers: dict[int, Node] = {}
            consumers: dict[int, list[Node]] = {}
            for node in self.nodes:
                producers.update(dict.fromkeys(node.outputs, node))
                for index in dict.fromkeys(node.inputs):
                    consumers.setdefault(index, []).append(node)
            self._found = producers, consumers
        return self._found

    def private(self, tensor: int, reader: Node) -> bool:
        """Whether an activation is read by this operator alone and is no output of the graph."""
        return tensor not in self.outputs and self.consumers(tensor) == [reader]

    def activations(self, node: Node) -> tuple[int, ...]:
        """The inputs of an operator that are no constants."""
        return tuple(index for index in node.inputs if index >= 0 and self.tensors[index].data is None)

    def replace(self, old: Iterable[Node], new: Sequence[Node]) -> None:
        """Put operators in the place of others, where the last of those stood."""
        gone = set(old)
        last = max(index for index, node in enumerate(self.nodes) if node in gone)
        before = [node for node in self.nodes[:last] if node not in gone]
        self.nodes = [*before, *new, *self.nodes[last + 1 :]]

    def redirect(self, old: int, new: int) -> None:
        """Let every reader of one tensor read another one."""
        self.nodes = [
            replace(node, inputs=tuple(new if index == old else index for index in node.inputs))
            if old in node.inputs
            else node
            for node in self.nodes
        ]
        self.outputs = tuple(new if index == old else index for index in self.outputs)

    def model(self, *, inputs: dict[str, int] | None = None, outputs: dict[str, int] | None = None) -> Model:
        """Write the graph and read it again.

        Args:
            inputs: names of the inputs for a SignatureDef, which a graph that was not read does not have.
            outputs: likewise.

        Raises:
            BadInputError: what was read cannot be written.
        """
        if inputs is not None and outputs is not None:
            self.inputs, self.outputs = tuple(inputs.values()), tuple(outputs.values())
        with damage_named("the rewritten model"):
            content = _Writer(self, self._model, self._records).write(inputs, outputs)
        return load(content, source="the rewritten model")


class _Writer:
    """One file from one graph."""

    def __init__(self, graph: Graph, read: Any, records: dict[int, Any]) -> None:
        self._schema = schema()
        self._graph, self._read, self._records = graph, read, records
        used = {*graph.inputs, *graph.outputs}
        for node in graph.nodes:
            used.update((*node.inputs, *node.outputs, *self._intermediates(node)))
        for signature in (read.signatureDefs if read is not None else None) or []:
            used.update(entry.tensorIndex for entry in (*(signature.inputs or []), *(signature.outputs or [])))
        used.discard(-1)
        self._position = {index: place for place, index in enumerate(sorted(used))}
        self._buffers: list[Any] = [self._schema.BufferT()]
        self._shared: dict[bytes, int] = {}
        self._codes: list[Any] = []

    def write(self, inputs: dict[str, int] | None, outputs: dict[str, int] | None) -> bytes:
        schema, graph = self._schema, self._graph
        subgraph = schema.SubGraphT()
        subgraph.tensors = [self._tensor(index) for index in self._position]
        subgraph.operators = [self._operator(node) for node in graph.nodes]
        subgraph.inputs = [self._position[index] for index in graph.inputs]
        subgraph.outputs = [self._position[index] for index in graph.outputs]
        model = schema.ModelT()
        model.version, model.subgraphs = 3, [subgraph]
        if self._read is not None:
            subgraph.name = self._read.subgraphs[0].name
            model.description = self._read.description
            model.signatureDefs = [self._signature(record) for record in self._read.signatureDefs or []]
            model.metadata = [self._metadata(record) for record in self._read.metadata or []]
        if inputs is not None and outputs is not None:
            ends = ({name: self._position[index] for name, index in each.items()} for each in (inputs, outputs))
            model.signatureDefs = [new_signature(*ends)]
        model.buffers, model.operatorCodes = self._buffers, self._codes
        return packed(model)

    @staticmethod
    def _intermediates(node: Node) -> tuple[int, ...]:
        found = node.record.intermediates if node.record is not None else None
        return () if found is None else tuple(int(index) for index in found)

    def _buffer(self, data: NDArray[np.uint8] | None) -> int:
        if data is None:
            return 0
        content = data.tobytes()
        if content not in self._shared:
            record = self._schema.BufferT()
            record.data = np.frombuffer(content, np.uint8)
            self._shared[content] = len(self._buffers)
            self._buffers.append(record)
        return self._shared[content]

    def _tensor(self, index: int) -> Any:
        tensor = self._graph.tensors[index]
        if index in self._records:
            record = copy.copy(self._records[index])
        else:
            record = self._schema.TensorT()
            record.name, record.shape = tensor.name, list(tensor.shape)
            record.type = DTYPE_NUMBERS[tensor.dtype]
            record.quantization = self._quantization(tensor.quantization)
        record.buffer = self._buffer(tensor.data)
        return record

    def _quantization(self, quantization: Quantization | None) -> Any:
        if quantization is None:
            return None
        record = self._schema.QuantizationParametersT()
        record.scale = np.asarray(quantization.scales, np.float32)
        record.zeroPoint = np.asarray(quantization.zero_points, np.int64)
        record.quantizedDimension = quantization.axis
        return record

    def _operator(self, node: Node) -> Any:
        record = self._schema.OperatorT() if node.record is None else copy.copy(node.record)
        record.opcodeIndex = self._code(node)
        record.inputs = [self._position.get(index, -1) for index in node.inputs]
        record.outputs = [self._position[index] for index in node.outputs]
        if intermediates := self._intermediates(node):
            record.intermediates = [self._position[index] for index in intermediates]
        if node.record is None and node.options is not None:
            kind = type(node.options).__name__.removesuffix("T")
            record.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
            record.builtinOptions = node.options
        return record

    def _code(self, node: Node) -> int:
        record = self._schema.OperatorCodeT()
        if node.custom:
            builtin, record.customCode = self._schema.BuiltinOperator.CUSTOM, node.code
        else:
            builtin = getattr(self._schema.BuiltinOperator, node.code)
        record.builtinCode, record.deprecatedBuiltinCode = builtin, min(builtin, _LEGACY_CODES)
        record.version = node.version
        for position, known in enumerate(self._codes):
            if vars(known) == vars(record):
                return position
        self._codes.append(record)
        return len(self._codes) - 1

    def _signature(self, record: Any) -> Any:
        def entries(named: Any) -> list[Any]:
            kept = []
            for entry in named or []:
                kept.append(copy.copy(entry))
                kept[-1].tensorIndex = self._position[entry.tensorIndex]
            return kept

        signature = copy.copy(record)
        signature.inputs, signature.outputs = entries(record.inputs), entries(record.outputs)
        return signature

    def _metadata(self, record: Any) -> Any:
        kept = copy.copy(record)
        data = self._read.buffers[record.buffer].data
        kept.buffer = self._buffer(None if data is None else np.asarray(data, np.uint8))
        return kept
