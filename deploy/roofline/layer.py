"""What each layer of a quantized model computes and moves: the numbers that a roofline is made of."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from deploy.errors import BadInputError
from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.options import Window, window_of

Shape = tuple[int, int, int]
"""Height, width, depth; what is left of a longer shape is in the height."""

_POINT = Window(1, 1, 1, 1)
_SCALE_BYTES = 10
_WEIGHTED = frozenset(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])


@dataclass(frozen=True)
class Layer:
    """One operator of a quantized model.

    Attributes:
        operator: TFLite's name, ``CONV_2D``.
        inputs: shapes of the inputs that are no constants.
        output: shape of the (first) output.
        window: kernel or pooling window and its stride; 1x1 without one.
        weight_bytes: constants that are read: weights and biases as the file stores them, other constant operands.
        packed_bytes: the same as an Ethos-U stores them: weights compressed (their entropy, which Vela's encoder
            comes within a few per cent of), 10 bytes of bias and scale a channel.
        input_bytes: of the inputs that are no constants.
        producers: indices of the operators that made ``inputs``, -1 for an input of the network.
        consumers: how many operators read the output, and one more if it is an output of the network.
    """

    index: int
    operator: str
    name: str
    inputs: tuple[Shape, ...]
    output: Shape
    window: Window
    macs: int
    weight_bytes: int
    packed_bytes: int
    input_bytes: int
    output_bytes: int
    element_bytes: int
    producers: tuple[int, ...]
    consumers: int

    @property
    def activation_bytes(self) -> int:
        """Read and written feature maps together."""
        return self.input_bytes + self.output_bytes

    @property
    def intensity(self) -> float:
        """Multiply-accumulates by byte moved."""
        return self.macs / max(1, self.weight_bytes + self.activation_bytes)


def layers(model: Model) -> tuple[Layer, ...]:
    """The layers of a quantized model, before Vela, in execution order.

    QUANTIZE and DEQUANTIZE between float and integer are left out: they run on the CPU.

    Raises:
        BadInputError: the model was compiled by Vela, holds float feature maps, or an operator without an output.
    """
    if any(operator.is_custom for operator in model.operators):
        raise BadInputError(
            "the roofline needs a model as the converter wrote it; this one has custom operators",
            hints=["pass the quantized .tflite, not the one that Vela compiled"],
        )
    computing = [operator for operator in model.operators if not _is_border(model, operator)]
    made = {output: operator.index for operator in computing for output in operator.outputs}
    used = Counter(index for operator in model.operators for index in set(operator.inputs))
    used.update(model.outputs)
    return tuple(_layer(model, operator, made, used) for operator in computing)


def _is_border(model: Model, operator: Operator) -> bool:
    """Whether it converts between float and integer, at the edge of the network."""
    touched = [model.tensors[index].dtype for index in (*operator.inputs, *operator.outputs) if index >= 0]
    return operator.code in ("QUANTIZE", "DEQUANTIZE") and any(dtype.startswith("float") for dtype in touched)


def _layer(model: Model, operator: Operator, made: dict[int, int], used: Counter[int]) -> Layer:
    if not operator.outputs:
        raise BadInputError(f"operator {operator.index} ({operator.code}) has no output")
    tensors = [model.tensors[index] for index in operator.inputs if index >= 0]
    outputs = [model.tensors[index] for index in operator.outputs]
    moving = [tensor for tensor in tensors if tensor.data is None]
    if any(tensor.dtype.startswith("float") for tensor in (*moving, *outputs)):
        raise BadInputError(
            f"operator {operator.index} ({operator.code}) computes in floating point: quantize first"
        )
    constants = [tensor for tensor in tensors if tensor.data is not None]
    packed = sum(tensor.nbytes for tensor in constants)
    window = window_of(model, operator) or _POINT
    weights = next((tensor for tensor in constants if tensor.dtype == "int8"), None)
    if operator.code in _WEIGHTED and weights is not None:
        window = _kernel(operator.code, weights, window)
        packed = packed_bytes(weights) + _SCALE_BYTES * _shape(outputs[0])[2]
    return Layer(
        index=operator.index,
        operator=operator.code,
        name=outputs[0].name,
        inputs=tuple(_shape(tensor) for tensor in moving),
        output=_shape(outputs[0]),
        window=window,
        macs=_macs(operator.code, tensors, outputs[0]),
        weight_bytes=sum(tensor.nbytes for tensor in constants),
        packed_bytes=packed,
        input_bytes=sum(tensor.nbytes for tensor in moving),
        output_bytes=sum(tensor.nbytes for tensor in outputs),
        element_bytes=max(1, outputs[0].nbytes // max(1, outputs[0].elements)),
        producers=tuple(made.get(tensor.index, -1) for tensor in moving),
        consumers=used[operator.outputs[0]],
    )


def packed_bytes(weights: Tensor) -> int:
    """Size of constant int8 weights compressed to the entropy of their values."""
    if weights.data is None or not weights.data.size:
        return 0
    counts = np.bincount(weights.data, minlength=256)
    shares = counts[counts > 0] / weights.data.size
    return math.ceil(weights.data.size * float(-(shares * np.log2(shares)).sum()) / 8)


def _shape(tensor: Tensor) -> Shape:
    *rest, width, depth = (1, 1, *tensor.shape)
    return math.prod(rest), width, depth


def _kernel(code: str, weights: Tensor, window: Window) -> Window:
    if code == "FULLY_CONNECTED" or len(weights.shape) != 4:
        return _POINT
    return Window(weights.shape[1], weights.shape[2], window.stride_y, window.stride_x)


def _macs(code: str, tensors: list[Tensor], output: Tensor) -> int:
    if code == "BATCH_MATMUL" and len(tensors) == 2:
        # Whether an operand is transposed is a flag; the sizes tell the summed dimension without it.
        return tensors[0].elements * output.shape[-1]
    if code not in _WEIGHTED or len(tensors) < 2:
        return 0
    if code == "TRANSPOSE_CONV" and len(tensors) > 2:
        # Inputs: output shape, weights, feature map; every input element meets every tap of every output channel.
        weights, ifm = tensors[1], tensors[2]
        return ifm.elements * weights.elements // max(1, weights.shape[-1])
    weights = tensors[1]
    outputs = weights.shape[-1] if code == "DEPTHWISE_CONV_2D" else weights.shape[0]
    return output.elements * weights.elements // max(1, outputs)
