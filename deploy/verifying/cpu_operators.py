"""Runs the operators that Vela leaves on the CPU: each as a one-operator model of its own on LiteRT's kernels.

On the target TFLM runs them with its own kernels, on tensors in the arena that the NPU shares. Here they read and
write the same places in the arena (:mod:`deploy.verifying.npu_inference`), with LiteRT's reference kernels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import tflite
from deploy.chatter import silenced
from deploy.errors import BadInputError, TargetError
from deploy.judging.oracles import MakeOracle
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import Model, Operator
from deploy.tflite.single_operator import OperatorFiles
from deploy.tflite.state import RESOURCE_OPERATORS


class CpuOperator:
    """One operator of a model, ready to run alone.

    Args:
        operator: the operator.
        model: the model it belongs to.
        content: a file with this operator alone, see :mod:`deploy.tflite.single_operator`.
        kernels: what runs it; LiteRT's reference kernels where nothing else is said.

    Attributes:
        index: position of the operator in the model.
        code: TFLite's name of it.
        inputs: its activation inputs (constants are part of it), each once.
        keeps_state: whether it has variable tensors, which its kernel keeps.
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
        kernels: MakeOracle = ReferenceKernels,
    ) -> None:
        self.index = operator.index
        self.code = operator.code
        self.inputs = model.activations(operator)
        self.keeps_state = any(index >= 0 and model.tensors[index].is_variable for index in operator.inputs)
        self.outputs = tuple(model.tensors[index] for index in operator.outputs)
        single = tflite.load(content, source=f"operator {operator.index} ({operator.code})")
        # The one-operator model lists its inputs and outputs in this order.
        self._input_names = list(single.input_names().values())
        self._output_names = list(single.output_names().values())
        self._kernels = kernels(single)

    def run(self, inputs: Mapping[int, NDArray[Any]], *, keep_state: bool = False) -> dict[int, NDArray[Any]]:
        """Run it once.

        Args:
            inputs: tensor index -> array of the tensor's shape and dtype, one for every activation input.
            keep_state: start from the state that the last run left.

        Returns:
            Tensor index -> array of the tensor's shape and dtype, one for every output.

        Raises:
            TargetError: the kernel fails, or computes another shape than the model states.
        """
        named = {name: inputs[tensor.index] for name, tensor in zip(self._input_names, self.inputs, strict=True)}
        try:
            results = self._kernels.run(named, keep_state=keep_state)
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


def cpu_operators(
    model: Model, custom_code: str, kernels: MakeOracle = ReferenceKernels
) -> dict[int, CpuOperator]:
    """The operators of a compiled model that a CPU computes, by their position; not those of resource variables.

    Args:
        model: that Vela wrote.
        custom_code: of the operators to leave out.
        kernels: what runs them; LiteRT's reference kernels where these cannot.

    Raises:
        BadInputError: one cannot run on the host: there is no kernel.
        NotInstalledError: LiteRT is missing.
    """
    left = [each for each in model.operators if each.code not in (custom_code, *RESOURCE_OPERATORS)]
    if not left:
        return {}
    files = OperatorFiles(model)
    found = {}
    for operator in left:
        found[operator.index] = _runnable(operator, model, files.content(operator), kernels)
    return found


def _runnable(operator: Operator, model: Model, content: bytes, kernels: MakeOracle) -> CpuOperator:
    if kernels is not ReferenceKernels:
        with contextlib.suppress(BadInputError), silenced():  # TFLM says on standard error what it cannot run
            return CpuOperator(operator, model, content, kernels)
    try:
        return CpuOperator(operator, model, content)
    except BadInputError as error:
        raise BadInputError(
            f"operator {operator.index} ({operator.code}) is left on the CPU and cannot run on the host: "
            f"{error.message}"
        ) from error
