"""Writes quantized ``.tflite`` files with the schema alone: no TensorFlow, a few milliseconds, any operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder, flexbuffers

TYPES = {
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "float32": schema.TensorType.FLOAT32,
    "resource": schema.TensorType.RESOURCE,
    "bool": schema.TensorType.BOOL,
}


class GraphWriter:
    """One subgraph, tensor by tensor and operator by operator; both return or take tensor indices."""

    def __init__(self, description: str = "written") -> None:
        self._model = schema.ModelT()
        self._model.version, self._model.description = 3, description
        self._model.buffers, self._model.operatorCodes = [schema.BufferT()], []
        self._further: list[GraphWriter] = []
        self._begin()

    def _begin(self) -> None:
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._graph.inputs, self._graph.outputs = [], []

    def further(self) -> GraphWriter:
        """Another subgraph of the file, without inputs and outputs; the first one has number 1."""
        other = GraphWriter.__new__(GraphWriter)
        other._model = self._model
        other._begin()
        self._further.append(other)
        return other

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        scales: Any = None,
        zero: int = 0,
        data: Any = None,
        *,
        variable: bool = False,
        axis: int = 0,
    ) -> int:
        """Add a tensor: a constant when it has data, quantized when it has scales (per channel when several)."""
        item = schema.TensorT()
        item.name, item.shape, item.type, item.isVariable = name, list(shape), TYPES[dtype], variable
        if scales is not None:
            item.quantization = schema.QuantizationParametersT()
            item.quantization.scale = np.atleast_1d(np.asarray(scales, np.float32))
            item.quantization.zeroPoint = np.full(item.quantization.scale.shape, zero, np.int64)
            item.quantization.quantizedDimension = axis
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self._model.buffers.append(buffer)
            item.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(item)
        return len(self._graph.tensors) - 1

    def scale(self, tensor: int) -> float:
        """The (first) scale of a tensor, as it is stored."""
        return float(self._graph.tensors[tensor].quantization.scale[0])

    def operator(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
        *,
        version: int = 1,
        intermediates: Sequence[int] = (),
        custom: bytes | None = None,
    ) -> None:
        """Add an operator.

        Args:
            name: as the schema spells it, ``CONV_2D``.
            inputs: tensors; -1 for an optional one that is left out.
            outputs: tensors.
            options: ``schema.Conv2DOptionsT()`` and the like.
            version: of the operator.
            intermediates: tensors that only carry quantization (LSTM).
            custom: options of a custom operator, whose code the name is then.
        """
        code = schema.BuiltinOperator.CUSTOM if custom is not None else getattr(schema.BuiltinOperator, name)
        codes = [entry.builtinCode for entry in self._model.operatorCodes]
        if code not in codes:
            codes.append(code)
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), version
            entry.customCode = name if custom is not None else None
            self._model.operatorCodes.append(entry)
        item = schema.OperatorT()
        if custom is not None:
            item.customOptions = np.frombuffer(custom, np.uint8)
        item.opcodeIndex, item.inputs, item.outputs = codes.index(code), list(inputs), list(outputs)
        if intermediates:
            item.intermediates = list(intermediates)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            item.builtinOptionsType, item.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        self._graph.operators.append(item)

    def custom(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Mapping[str, Any]) -> None:
        """Add a custom operator; its options are a map in a flexbuffer, as TFLite's own ones have them."""
        builder = flexbuffers.Builder()
        builder.MapFromElements(dict(options))
        entry = schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        entry.customCode, entry.version = name, 1
        self._model.operatorCodes.append(entry)
        item = schema.OperatorT()
        item.opcodeIndex, item.inputs, item.outputs = (
            len(self._model.operatorCodes) - 1,
            list(inputs),
            list(outputs),
        )
        item.customOptions = list(bytes(builder.Finish()))
        self._graph.operators.append(item)

    def finish(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        """The file, with a SignatureDef that names inputs and outputs."""
        self._graph.inputs, self._graph.outputs = list(inputs.values()), list(outputs.values())
        self._model.subgraphs = [self._graph, *(other._graph for other in self._further)]
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs, signature.outputs = _named(inputs), _named(outputs)
        self._model.signatureDefs = [signature]
        builder = Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _named(tensors: Mapping[str, int]) -> list[Any]:
    entries = []
    for name, index in tensors.items():
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        entries.append(entry)
    return entries
