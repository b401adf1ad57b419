"""Runs the operators that Vela leaves on the CPU: each as a one-operator model of its own on LiteRT's kernels.

On the target TFLM runs them with its own kernels, on tensors in the arena that the NPU shares. Here they read and
write the same places in the arena (:mod:`deploy.verifying.npu_inference`), with LiteRT's reference kernels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError, TargetError
from deploy.judging.oracles import Oracle
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import model as tflite_model
from deploy.tflite.model import Model, Operator, Tensor

_STATEFUL = frozenset(["VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"])


class CpuOperator:
    """One operator of a model, ready to run alone.

    Args:
        operator: the operator.
        model: the model it belongs to.
        content: a file with this operator alone, see :class:`OperatorFiles`.
        kernels: what runs it; LiteRT's reference kernels where nothing else is said.

    Attributes:
        index: position of the operator in the model.
        code: TFLite's name of it.
        inputs: its activation inputs (constants are part of it), each once.
        outputs: its outputs.

    Raises:
        BadInputError: there is no such kernel.
        NotInstalledError: the kernels are not installed.
    """

    def __init__(
        self,
        operator: Operator,
        model: Model,
        content: bytes,
        kernels: Callable[[Model], Oracle] = ReferenceKernels,
    ) -> None:
        self.index = operator.index
        self.code = operator.code
        self.inputs = _activations(operator, model)
        self.outputs = tuple(model.tensors[index] for index in operator.outputs)
        single = tflite_model.load(content, source=f"operator {operator.index} ({operator.code})")
        # The one-operator model lists its inputs and outputs in this order.
        self._input_names = list(single.input_names().values())
        self._output_names = list(single.output_names().values())
        self._kernels = kernels(single)

    def run(self, inputs: Mapping[int, NDArray[Any]]) -> dict[int, NDArray[Any]]:
        """Run it once.

        Args:
            inputs: tensor index -> array of the tensor's shape and dtype, one for every activation input.

        Returns:
            Tensor index -> array of the tensor's shape and dtype, one for every output.

        Raises:
            TargetError: the kernel fails, or computes another shape than the model states.
        """
        named = {name: inputs[tensor.index] for name, tensor in zip(self._input_names, self.inputs, strict=True)}
        try:
            results = self._kernels.run(named)
        except BadInputError as error:
            raise TargetError(f"CPU operator {self.index} ({self.code}): {error.message}") from error
        outputs = {}
        for name, tensor in zip(self._output_names, self.outputs, strict=True):
            array = results[name]
            if array.nbytes != tensor.nbytes or array.dtype != np.dtype(tensor.dtype):
                raise TargetError(
                    f"CPU operator {self.index} ({self.code}) computed {array.dtype}{list(array.shape)} for "
                    f"{tensor.name}, the model says {tensor.dtype}{list(tensor.shape)}"
                )
            outputs[tensor.index] = array.reshape(tensor.shape)
        return outputs


def cpu_operators(model: Model, custom_code: str) -> dict[int, CpuOperator]:
    """All operators of a compiled model that are not the custom operator ``custom_code``, by their position.

    Raises:
        BadInputError: one cannot run on the host: no reference kernel, or it keeps state between operators.
        NotInstalledError: LiteRT is missing.
    """
    left = [operator for operator in model.operators if operator.code != custom_code]
    if not left:
        return {}
    for operator in left:
        if operator.code in _STATEFUL:
            raise BadInputError(
                f"operator {operator.index} ({operator.code}) keeps state between operators",
                hints=["host-only runs cover models without resource variables; `deploy run-fvp` runs them"],
            )
    files = OperatorFiles(model)
    found = {}
    for operator in left:
        found[operator.index] = _runnable(operator, model, files.content(operator))
    return found


def _runnable(operator: Operator, model: Model, content: bytes) -> CpuOperator:
    try:
        return CpuOperator(operator, model, content)
    except BadInputError as error:
        raise BadInputError(
            f"operator {operator.index} ({operator.code}) is left on the CPU and cannot run on the host: "
            f"{error.message}"
        ) from error


class OperatorFiles:
    """Writes files that hold one operator of a model each.

    Args:
        model: read by :mod:`deploy.tflite.model`, which has checked it.
    """

    def __init__(self, model: Model) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._model = model
        self._whole: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model.content, 0))
        self._empty: Any = schema.BufferT()

    def content(self, operator: Operator) -> bytes:
        """A file with one operator: its tensors, constants and options as they are, nothing else.

        Its inputs are the operator's activation inputs in order, each once; its outputs the operator's outputs.
        Further subgraphs stay, since control flow (WHILE, IF) refers to them by number.
        """
        import flatbuffers

        whole, graph = self._whole, copy.copy(self._whole.subgraphs[0])
        tensors: dict[int, int] = {}
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0:
                tensors.setdefault(index, len(tensors))
        graph.tensors = [whole.subgraphs[0].tensors[index] for index in tensors]
        single = copy.copy(whole.subgraphs[0].operators[operator.index])
        single.inputs = [tensors.get(index, -1) for index in operator.inputs]
        single.outputs = [tensors[index] for index in operator.outputs]
        graph.operators = [single]
        graph.inputs = [tensors[tensor.index] for tensor in _activations(operator, self._model)]
        graph.outputs = [tensors[index] for index in operator.outputs]
        result = copy.copy(whole)
        result.subgraphs = [graph, *whole.subgraphs[1:]]
        result.buffers = self._buffers(result.subgraphs)
        result.signatureDefs, result.metadata, result.metadataBuffer = [], [], []
        builder = flatbuffers.Builder(1024)
        builder.Finish(result.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _buffers(self, subgraphs: list[Any]) -> list[Any]:
        """All buffers at their numbers, those that no tensor refers to emptied."""
        used = {tensor.buffer for graph in subgraphs for tensor in graph.tensors}
        return [buffer if number in used else self._empty for number, buffer in enumerate(self._whole.buffers)]


def _activations(operator: Operator, model: Model) -> tuple[Tensor, ...]:
    present = dict.fromkeys(index for index in operator.inputs if index >= 0)
    return tuple(model.tensors[index] for index in present if model.tensors[index].data is None)
