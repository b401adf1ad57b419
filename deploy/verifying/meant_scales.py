"""Which bias, multiplier and shift each channel of a convolution has by the source model alone.

They follow from the scales of its tensors as TFLite's kernels make them (``QuantizeMultiplier``), and as Vela
5.2.0 writes them: 31 bits and a shift to the right; where sums have 64 bits, the 15 to which both round these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.npu.weights.unpacked import ChannelScales
from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.generated import DTYPE_NUMBERS
from deploy.tflite.options import options_of
from deploy.verifying.fixed_point import constant, zero_point_of

CONVOLUTIONS = frozenset(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])
"""Operators of which Vela makes convolutions of the same channels."""

_DTYPES = ("int8", "uint8", "int16")


@dataclass(frozen=True)
class MeantScales:
    """What a model says.

    Attributes:
        channels: bias and scale of each channel.
        known: bool ``(channels,)``, whether multiplier and shift are: not where they leave what a record holds.
    """

    channels: ChannelScales
    known: NDArray[np.bool_]


def meant_scales(operator: Operator, source: Model) -> MeantScales | None:
    """What the source model says of an operator's channels.

    Args:
        operator: of the source model.
        source: that model.

    Returns:
        None where it is no convolution of constant weights and biases between quantized tensors, or one that Vela
        computes in another way.

    Raises:
        BadInputError: the operator's options are damaged.
    """
    if operator.code not in CONVOLUTIONS or len(operator.inputs) < 2 or len(operator.outputs) != 1:
        return None
    activation, weights, bias = _operands(operator, source)
    output = source.tensors[operator.outputs[0]]
    if activation is None or weights is None or weights.data is None or not (activation.shape and weights.shape):
        return None
    depthwise = operator.code == "DEPTHWISE_CONV_2D"
    channels = weights.shape[-1] if depthwise else weights.shape[0]
    if channels > 2 * weights.data.size:  # of a damaged model: even two of four bits have a byte
        return None
    if activation.dtype not in _DTYPES or output.dtype != activation.dtype:
        return None
    if activation.dtype == "int16" and zero_point_of(activation):
        return None  # Vela subtracts it behind the operator
    if depthwise and activation.shape[-1] not in (1, channels):
        return None  # Vela computes the channels of one multiple after those of another
    biases = _biases(bias, channels)
    ifm, weight, ofm = _scales(activation, 1), _scales(weights, channels), _scales(output, 1)
    if biases is None or ifm is None or weight is None or ofm is None:
        return None
    # TFLite's kernels for one scale of all weights multiply in float; Vela does so for these.
    in_float = activation.dtype == "uint8" or (operator.code == "FULLY_CONNECTED" and weight.size == 1)
    with np.errstate(all="ignore"):
        product = (ifm * weight).astype(np.float64) if in_float else ifm.astype(np.float64) * weight
        multiplier, shift = _fixed_point(product / ofm)
    if activation.dtype == "int16" and _has_wide_sums(bias, operator, source):
        multiplier, shift = np.minimum((multiplier >> 16) + (multiplier >> 15 & 1), 0x7FFF), shift - 16
    known = _whole(ifm) & _whole(weight) & _whole(ofm) & (shift >= 0) & (shift < 64) & (multiplier < 1 << 31)
    times = channels // weight.size
    return MeantScales(
        ChannelScales(biases, np.repeat(multiplier, times), np.repeat(shift, times)), np.repeat(known, times)
    )


def _operands(operator: Operator, source: Model) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Activation, weights and bias; None for each that is left out."""
    given = [source.tensors[index] if index >= 0 else None for index in (*operator.inputs, -1, -1)]
    if operator.code == "TRANSPOSE_CONV":  # the output's shape comes first, then the weights
        return given[2], given[1], given[3]
    return given[0], given[1], given[2]


def _biases(bias: Tensor | None, channels: int) -> NDArray[np.int64] | None:
    """Of each channel; None where they are no constants."""
    if bias is None:
        return np.zeros(channels, np.int64)
    if bias.data is None or bias.dtype not in ("int32", "int64") or bias.elements != channels:
        return None
    if bias.data.size != bias.nbytes:  # a sparse one
        return None
    return constant(bias).reshape(channels).astype(np.int64)


def _scales(tensor: Tensor, channels: int) -> NDArray[np.float32] | None:
    """One scale, or one of each channel; None where there are others."""
    if tensor.quantization is None or len(tensor.quantization.scales) not in (1, channels):
        return None
    return np.array(tensor.quantization.scales, np.float32)


def _whole(scales: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a scale keeps all its bits in Vela, which has multiplier and shift of each."""
    found: NDArray[np.bool_] = (scales >= 2.0**-32) & (scales < 2.0**31)
    return found


def _has_wide_sums(bias: Tensor | None, operator: Operator, source: Model) -> bool:
    """Whether the kernels of int16 add up in 64 bits: the type of the bias says it, or an option without one."""
    if bias is not None:
        return bias.dtype == "int64"
    return bool(getattr(options_of(source, operator), "quantizedBiasType", 0) != DTYPE_NUMBERS["int32"])


def _fixed_point(factors: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """31 bits and a shift to the right of each."""
    fraction, exponent = np.frexp(factors)
    return np.floor(fraction * 2.0**31 + 0.5).astype(np.int64), 31 - exponent.astype(np.int64)
