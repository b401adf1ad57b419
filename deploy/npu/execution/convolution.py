"""NPU_OP_CONV and NPU_OP_DEPTHWISE: convolutions, transpose convolutions and fully connected layers.

``acc = sum((ifm - zero_point) * weight) + bias``, scaled per channel, finished by
:mod:`deploy.npu.execution.activation`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import operand, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.scaling import Integers, rescale
from deploy.npu.execution.windows import taps
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.weights.unpacked import ChannelScales, Unpack


def convolve(operation: ConvolutionOperation, workspace: Workspace, *, unpack: Unpack) -> None:
    """Execute a convolution.

    Raises:
        MemoryAccessError: a feature map or stream lies outside its region.
        WeightStreamError: the weights do not decode to what the operation needs.
        UnsupportedError: an IFM of 32 bits.
    """
    check(operation)
    weights = workspace.weights.get(operation, workspace.memory, unpack)
    store(accumulate(operation, weights.weights, workspace.memory), weights.scales, operation, workspace.memory)


def check(operation: ConvolutionOperation) -> None:
    """Refuse what is not modelled of any NPU's convolutions.

    Raises:
        UnsupportedError: an IFM of 32 bits.
    """
    if operation.ifm.dtype.itemsize > 2:
        raise UnsupportedError("a convolution of 32-bit elements")


def accumulate(operation: ConvolutionOperation, weights: NDArray[np.int16], memory: Memory) -> Integers:
    """The sums of a convolution, without bias: ``(batch, OFM height, OFM width, OFM depth)``.

    Args:
        operation: the convolution.
        weights: ``(ofm depth, kernel height, kernel width, ifm depth)``; ifm depth 1 if it is depthwise.
        memory: holds the IFM.

    Raises:
        MemoryAccessError: the IFM lies outside its region.
    """
    ifm, wide = operand(memory, operation.ifm), weights.astype(np.int64)
    sums = np.zeros((len(ifm), *operation.ofm.extents), np.int64)
    for y, x, tap in taps(operation, ifm):
        if operation.depthwise:
            sums += tap * wide[:, y, x, 0]
        else:
            sums += np.einsum("byxi,oi->byxo", tap, wide[:, y, x])
    return sums


def store(sums: Integers, scales: ChannelScales, operation: ConvolutionOperation, memory: Memory) -> None:
    """Make an OFM of sums ``(batch, height, width, depth)`` and write it.

    Raises:
        MemoryAccessError: it lies outside its region.
    """
    scaled = rescale(sums + scales.bias, scales.multiplier, scales.shift, operation.rounding)
    write(memory, operation.ofm, finish(scaled, operation, memory))
