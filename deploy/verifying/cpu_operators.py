"""Runs the operators that Vela leaves on the CPU: each as a one-operator model of its own on LiteRT's kernels.

On the target TFLM runs them with its own kernels, on tensors in the arena that the NPU shares. Here they read and
write the same places in the arena (:mod:`deploy.verifying.npu_inference`), with LiteRT's reference kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import tflite
from deploy.errors import BadInputError, DeployError, NotInstalledError, TargetError
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.kernels import Kernels
from deploy.judging.oracles import ANY_KERNELS, MakeKernels, sequence_of
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Stacked, stacked, unstacked
from deploy.tflite import Model, Operator
from deploy.tflite.single_operator import OperatorFiles
from deploy.tflite.state import RESOURCE_OPERATORS


class CpuOperator:
    """One operator of a model, ready to run alone.

    Args:
        operator: the operator.
        model: the model it belongs to.
        content: a file with this operator alone, see :mod:`deploy.tflite.single_operator`.
        kernels: what runs it, the first that can: LiteRT's reference kernels where nothing else is said.
        process: that they run in; None for one of their own.

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
        kernels: Sequence[MakeKernels] = (ReferenceKernels,),
        process: KernelProcess | None = None,
    ) -> None:
        self.index = operator.index
        self.code = operator.code
        self.inputs = model.activations(operator)
        self.keeps_state = any(index >= 0 and model.tensors[index].is_variable for index in operator.inputs)
        self.outputs = tuple(model.tensors[index] for index in operator.outputs)
        self._single = single = tflite.load(content, source=f"operator {operator.index} ({operator.code})")
        # The one-operator model lists its inputs and outputs in this order.
        self._input_names = list(single.input_names().values())
        self._output_names = list(single.output_names().values())
        self._process = process or KernelProcess()
        self._left, self._refusals = list(kernels), list[DeployError]()
        self._kernels = self._next_kernels()

    @property
    def kernels(self) -> str:
        """The name of those that run it."""
        return self._kernels.name

    def _next_kernels(self) -> Kernels:
        """The first kernels of those that are left that can prepare it."""
        while self._left:
            try:
                return self._left.pop(0)(self._single, process=self._process)
            except (BadInputError, NotInstalledError) as error:
                self._refusals.append(error)
        raise type(self._refusals[0])("; ".join(dict.fromkeys(error.message for error in self._refusals)))

    def run(self, inputs: Mapping[int, NDArray[Any]], *, keep_state: bool = False) -> dict[int, NDArray[Any]]:
        """Run it once.

        Args:
            inputs: tensor index -> array of the tensor's shape and dtype, one for every activation input.
            keep_state: start from the state that the last run left.

        Returns:
            Tensor index -> array of the tensor's shape and dtype, one for every output.

        Raises:
            TargetError: the kernels fail, or compute another shape than the model states.
        """
        batch = {index: array[np.newaxis] for index, array in inputs.items()}
        outputs = self.run_batch(batch, keep_state=keep_state)
        return {index: array[0] for index, array in outputs.items()}

    def run_batch(
        self,
        inputs: Mapping[int, NDArray[Any]],
        batch: int = 1,
        *,
        keep_state: bool = False,
        sequence: bool = False,
    ) -> dict[int, NDArray[Any]]:
        """Run it for several inferences.

        Args:
            inputs: tensor index -> ``(batch, *shape)``, one for every activation input.
            batch: how many inferences.
            keep_state: start from the state that the last run left.
            sequence: each but the first starts from the state that the one before it left.

        Returns:
            Tensor index -> ``(batch, *shape)``, one for every output.

        Raises:
            TargetError: as :meth:`run`.
        """
        pairs = zip(self._input_names, self.inputs, strict=True)
        named = {name: inputs[tensor.index][:batch] for name, tensor in pairs}
        try:
            answers = self._answers(named, batch, keep_state=keep_state, sequence=sequence)
        except DeployError as error:
            raise TargetError(f"CPU operator {self.index} ({self.code}): {error.message}") from error
        outputs = {}
        for name, tensor in zip(self._output_names, self.outputs, strict=True):
            array = answers[name]
            if array.nbytes != batch * tensor.nbytes or array.dtype != np.dtype(tensor.dtype):
                raise TargetError(
                    f"CPU operator {self.index} ({self.code}) computed {array.dtype}{list(array.shape[1:])} for "
                    f"{tensor.name}, the model says {tensor.dtype}{list(tensor.shape)}"
                )
            outputs[tensor.index] = array.reshape(batch, *tensor.shape)
        return outputs

    def _answers(self, inputs: Stacked, batch: int, *, keep_state: bool, sequence: bool) -> Stacked:
        """What the kernels say; where they fail, or end their process, the next ones that can."""
        while True:
            try:
                if not sequence:
                    return self._kernels.run_batch(inputs, batch, keep_state=keep_state)
                return stacked(sequence_of(self._kernels, unstacked(inputs, batch), keep_state=keep_state))
            except BadInputError as error:
                self._refusals.append(error)
                if keep_state:
                    raise
                self._kernels = self._next_kernels()


def cpu_operators(
    model: Model, custom_code: str, kernels: MakeKernels = ReferenceKernels
) -> dict[int, CpuOperator]:
    """The operators of a compiled model that a CPU computes, by their position; not those of resource variables.

    Their kernels share one process.

    Args:
        model: that Vela wrote.
        custom_code: of the operators to leave out.
        kernels: what runs them; where these cannot, LiteRT's reference kernels, TFLM's, LiteRT's optimised ones.

    Raises:
        BadInputError: one cannot run on the host: there is no kernel.
        NotInstalledError: LiteRT is missing.
    """
    left = [each for each in model.operators if each.code not in (custom_code, *RESOURCE_OPERATORS)]
    if not left:
        return {}
    files, process, found = OperatorFiles(model), KernelProcess(), dict[int, CpuOperator]()
    order = tuple(dict.fromkeys((kernels, *ANY_KERNELS)))
    for operator in left:
        try:
            found[operator.index] = CpuOperator(operator, model, files.content(operator), order, process)
        except BadInputError as error:
            raise BadInputError(
                f"operator {operator.index} ({operator.code}) is left on the CPU and cannot run on the host: "
                f"{error.message}"
            ) from error
    return found
