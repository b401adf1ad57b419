"""Where a quantized model loses its precision: the error of each operator, alone and grown along the way.

As TensorFlow's quantization debugger measures it: an operator's own error is what its integers differ by from the
float operator that is given the same (dequantized) inputs, in root mean square. An error of 0.29 steps is that of
rounding alone; one of several steps is an operator whose inside is too coarse, and one that is small in steps, but
large beside the values, has a range that a few values take for themselves.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import tflite
from deploy.build_folder import Document
from deploy.data.quantized import real_values
from deploy.judging.kernel_process import KernelProcess
from deploy.quantizing.tensor_values import TensorValues
from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.single_operator import OperatorFiles

_BORDERS = ("QUANTIZE", "DEQUANTIZE")


class LayerError(Document):
    """One operator.

    Attributes:
        index: its number in the quantized model.
        operator: TFLite's name.
        name: of the tensor that it writes.
        steps: its own error in steps of its output, root mean square.
        own: its own error as a share of its output's spread (standard deviation).
        carried: the error that its output has got up to here, as a share of the spread.
    """

    index: int
    operator: str
    name: str
    steps: float
    own: float
    carried: float


def layer_errors(
    floating: Model,
    quantized: Model,
    samples: Iterable[tuple[Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]]],
) -> tuple[LayerError, ...]:
    """Compare operator by operator.

    Args:
        floating: the float model in the form that was quantized.
        quantized: what was made of it.
        samples: per sample the inputs of the float and of the quantized model, by name.

    Returns:
        In the order of execution, those that both models have.
    """
    pairs = _pairs(floating, quantized)
    wanted = [index for _, operator in pairs for index in (*operator.inputs, *operator.outputs) if index >= 0]
    truths = TensorValues(floating, [index for first, _ in pairs for index in first.outputs])
    inside = TensorValues(quantized, list(dict.fromkeys(wanted)), reference=True)
    files, process = OperatorFiles(floating), KernelProcess()
    alone = [_Alone(floating, quantized, *pair, files, process) for pair in pairs]
    sums = [_Sums() for _ in pairs]
    for real, stored in samples:
        truth, found = truths.run(real), inside.run(stored)
        for (first, second), single, total in zip(pairs, alone, sums, strict=True):
            output = quantized.tensors[second.outputs[0]]
            result = real_values(found[output.index], output).astype(np.float64)
            total.add(result, single.run(found), truth[first.outputs[0]])
    return tuple(
        LayerError(
            index=second.index,
            operator=second.code,
            name=quantized.name_of(second),
            steps=total.own / step,
            own=total.own / total.spread,
            carried=total.carried / total.spread,
        )
        for (_, second), total in zip(pairs, sums, strict=True)
        if (step := _step(quantized.tensors[second.outputs[0]])) and total.spread > 0
    )


def _pairs(floating: Model, quantized: Model) -> list[tuple[Operator, Operator]]:
    """Operators that are the same in both models, those with one float output.

    Converters drop operators that move nothing and rename outputs of the model: operators are the same where the
    longest common sequences of kinds and shapes say so.
    """
    first, second = (
        [operator for operator in model.operators if operator.code not in _BORDERS and operator.outputs]
        for model in (floating, quantized)
    )
    keys = [
        [(operator.code, model.tensors[operator.outputs[0]].shape) for operator in operators]
        for model, operators in ((floating, first), (quantized, second))
    ]
    blocks = difflib.SequenceMatcher(a=keys[0], b=keys[1], autojunk=False).get_matching_blocks()
    pairs = [(first[i + k], second[j + k]) for i, j, size in blocks for k in range(size)]
    return [(a, b) for a, b in pairs if len(a.outputs) == 1 and _same_operands(floating, quantized, a, b)]


def _same_operands(floating: Model, quantized: Model, a: Operator, b: Operator) -> bool:
    """Whether two operators take operands of the same shapes, constants in the same places."""
    shapes = [
        [
            (model.tensors[index].shape, model.tensors[index].data is None)
            for index in operator.inputs
            if index >= 0
        ]
        for model, operator in ((floating, a), (quantized, b))
    ]
    return floating.tensors[a.outputs[0]].dtype == "float32" and shapes[0] == shapes[1]


class _Alone:
    """A float operator on its own, fed with what the quantized one is given."""

    def __init__(
        self,
        floating: Model,
        quantized: Model,
        first: Operator,
        second: Operator,
        files: OperatorFiles,
        process: KernelProcess,
    ) -> None:
        model = tflite.load(files.content(first), source=first.code)
        # By position: both read the same tensors, the float model's constants being its own.
        given = dict.fromkeys(index for index in first.inputs if index >= 0)
        activations = {tensor.index for tensor in floating.activations(first)}
        places = [first.inputs.index(index) for index in given if index in activations]
        self._sources = [quantized.tensors[second.inputs[place]] for place in places]
        self._names = list(model.input_names().values())
        self._output = model.outputs[0]
        self._values = TensorValues(model, model.outputs, process=process)

    def run(self, found: Mapping[int, NDArray[Any]]) -> NDArray[np.float64]:
        reals = (real_values(found[tensor.index], tensor) for tensor in self._sources)
        result = self._values.run(dict(zip(self._names, reals, strict=True)))[self._output]
        return result.astype(np.float64)


class _Sums:
    """Errors over all samples."""

    def __init__(self) -> None:
        self._own = self._carried = self._sum = self._squares = 0.0
        self._count = 0

    def add(self, result: NDArray[np.float64], alone: NDArray[np.float64], truth: NDArray[Any]) -> None:
        reference = truth.astype(np.float64)
        self._own += float(((result - alone) ** 2).sum())
        self._carried += float(((result - reference) ** 2).sum())
        self._sum += float(reference.sum())
        self._squares += float((reference**2).sum())
        self._count += reference.size

    @property
    def own(self) -> float:
        return float(np.sqrt(self._own / self._count))

    @property
    def carried(self) -> float:
        return float(np.sqrt(self._carried / self._count))

    @property
    def spread(self) -> float:
        if not self._count:
            return 0.0
        return float(np.sqrt(max(self._squares / self._count - (self._sum / self._count) ** 2, 0.0)))


def _step(tensor: Tensor) -> float:
    return tensor.quantization.scales[0] if tensor.quantization is not None else 0.0


def worst(errors: Sequence[LayerError], count: int) -> list[LayerError]:
    """The operators that lose most by themselves."""
    return sorted(errors, key=lambda error: error.own, reverse=True)[:count]
