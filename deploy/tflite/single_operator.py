"""Files that hold one operator of a model each."""

from __future__ import annotations

import copy
from typing import Any

from deploy.tflite.generated import IDENTIFIER
from deploy.tflite.model import CONTROL_FLOW, Model, Operator
from deploy.tflite.records import unpacked


class OperatorFiles:
    """Writes files that hold one operator of a model each."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._whole: Any = unpacked(model.content)

    def content(self, operator: Operator) -> bytes:
        """A file with one operator: its tensors, constants and options as they are, nothing else.

        Its inputs are the operator's activation inputs in order, each once; its outputs the operator's outputs.
        Further subgraphs stay where control flow (WHILE, IF) refers to them by number.
        """
        import flatbuffers

        whole, graph = self._whole, copy.copy(self._whole.subgraphs[0])
        tensors: dict[int, int] = {}
        single = copy.copy(whole.subgraphs[0].operators[operator.index])
        # Those of an LSTM hold no data, only how its inner numbers are quantized.
        inner = [] if single.intermediates is None else [int(index) for index in single.intermediates]
        for index in (*operator.inputs, *operator.outputs, *inner):
            if index >= 0:
                tensors.setdefault(index, len(tensors))
        graph.tensors = [whole.subgraphs[0].tensors[index] for index in tensors]
        single.intermediates = [tensors[index] for index in inner]
        single.inputs = [tensors.get(index, -1) for index in operator.inputs]
        single.outputs = [tensors[index] for index in operator.outputs]
        graph.operators = [single]
        graph.inputs = [tensors[tensor.index] for tensor in self._model.activations(operator)]
        graph.outputs = [tensors[index] for index in operator.outputs]
        result = copy.copy(whole)
        result.subgraphs = [graph, *(whole.subgraphs[1:] if operator.code in CONTROL_FLOW else ())]
        result.subgraphs, result.buffers = _with_own_buffers(result.subgraphs, whole.buffers)
        if len(result.subgraphs) == 1:
            # LiteRT looks for kernels of all codes in a file, whether an operator has them or not.
            result.operatorCodes, single.opcodeIndex = [whole.operatorCodes[single.opcodeIndex]], 0
        result.signatureDefs, result.metadata, result.metadataBuffer = [], [], []
        builder = flatbuffers.Builder(1024)
        builder.Finish(result.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())


def _with_own_buffers(subgraphs: list[Any], buffers: list[Any]) -> tuple[list[Any], list[Any]]:
    """Subgraphs and the buffers that their tensors refer to, behind the first one, which is nobody's."""
    numbers: dict[int, int] = {0: 0}
    found = []
    for subgraph in subgraphs:
        graph = copy.copy(subgraph)
        graph.tensors = [copy.copy(tensor) for tensor in subgraph.tensors]
        for tensor in graph.tensors:
            tensor.buffer = numbers.setdefault(tensor.buffer, len(numbers))
        found.append(graph)
    return found, [buffers[number] for number in numbers]
