"""Files that hold one operator of a model each, or some of them side by side."""

from __future__ import annotations

import copy
from typing import Any

from deploy.tflite.generated import IDENTIFIER
from deploy.tflite.model import CONTROL_FLOW, Model, Operator
from deploy.tflite.records import unpacked


class OperatorFiles:
    """Writes files that hold one operator of a model each, or some of them side by side."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._whole: Any = unpacked(model.content)

    def content(self, *operators: Operator) -> bytes:
        """A file with some operators: their tensors, constants and options as they are, nothing else.

        Its inputs are the operators' activation inputs in order, each once; its outputs the operators' outputs.
        Operators do not start from each other's outputs: what one reads of another is an input, too.
        Further subgraphs stay where control flow (WHILE, IF) refers to them by number.
        """
        import flatbuffers

        whole, graph = self._whole, copy.copy(self._whole.subgraphs[0])
        fed = dict.fromkeys(tensor.index for each in operators for tensor in self._model.activations(each))
        computed = [index for each in operators for index in each.outputs]
        # What is both read and computed is two tensors here.
        apart = frozenset(fed).intersection(computed)
        tensors: dict[tuple[int, bool], int] = {}

        def place(index: int, *, read: bool) -> int:
            return tensors.setdefault((index, read and index in apart), len(tensors)) if index >= 0 else -1

        graph.operators = []
        for operator in operators:
            single = copy.copy(whole.subgraphs[0].operators[operator.index])
            single.inputs = [place(index, read=True) for index in operator.inputs]
            single.outputs = [place(index, read=False) for index in operator.outputs]
            # Those of an LSTM hold no data, only how its inner numbers are quantized.
            inner = [] if single.intermediates is None else [int(index) for index in single.intermediates]
            single.intermediates = [place(index, read=False) for index in inner]
            graph.operators.append(single)
        graph.tensors = [whole.subgraphs[0].tensors[index] for index, _ in tensors]
        graph.inputs = [place(index, read=True) for index in fed]
        graph.outputs = [place(index, read=False) for index in computed]
        result = copy.copy(whole)
        control = any(operator.code in CONTROL_FLOW for operator in operators)
        result.subgraphs = [graph, *(whole.subgraphs[1:] if control else ())]
        result.subgraphs, result.buffers = _with_own_buffers(result.subgraphs, whole.buffers)
        if not control:
            # LiteRT looks for kernels of all codes in a file, whether an operator has them or not.
            codes = list(dict.fromkeys(single.opcodeIndex for single in graph.operators))
            result.operatorCodes = [whole.operatorCodes[code] for code in codes]
            for single in graph.operators:
                single.opcodeIndex = codes.index(single.opcodeIndex)
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
