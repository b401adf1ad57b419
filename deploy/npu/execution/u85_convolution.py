"""NPU_OP_CONV and NPU_OP_DEPTHWISE of Ethos-U85: sums kept between operations, and weights that are a feature map.

What is kept are sums without bias: that is added where they become an OFM. (Source: measured on Vela's streams,
which compute large strides that way.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_MACS
from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.activation import finish
from deploy.npu.execution.convolution import Tile, accumulate, convolve
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import ACCUMULATORS, Memory
from deploy.npu.execution.requantization import Requantizer
from deploy.npu.execution.scaling import rescale
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Kernel, Upscale
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.stream.u85_registers import Start
from deploy.npu.weights.u85_layout import unpack

_SUM = np.dtype(np.float64)


def convolve_u85(operation: U85ConvolutionOperation, workspace: Workspace) -> None:
    """Execute a convolution.

    Raises:
        MemoryAccessError: a feature map or stream lies outside its region.
        WeightStreamError: the weights do not decode to what the operation needs.
        StreamError: there are no sums to go on with.
        UnsupportedError: a combination that is not modelled.
    """
    if operation.ifm.dtype.itemsize > 2:
        raise UnsupportedError("a convolution of 32-bit elements")
    if operation.ifm2 is not None:
        _multiply(operation, workspace.memory)
    elif operation.accumulators.stored and operation.accumulators.start is Start.ZERO:
        convolve(operation, workspace, unpack=unpack)
    else:
        _partial(operation, workspace)


def _partial(operation: U85ConvolutionOperation, workspace: Workspace) -> None:
    """One of several operations that add up their sums."""
    memory, ofm = workspace.memory, operation.ofm
    weights = workspace.weights.get(operation, memory, unpack)
    ifm = read(memory, operation.ifm)
    sums = np.empty((len(ifm), *ofm.extents), _SUM)

    def store(tile: Tile, values: NDArray[np.floating]) -> None:
        target = tile.of(sums)
        target[...] = values.reshape(target.shape)

    accumulate(operation, weights, ifm, store)
    if operation.accumulators.start is Start.KEPT:
        np.add(sums, memory.chained(ACCUMULATORS, ofm.extents, _SUM), out=sums)
    if not operation.accumulators.stored:
        memory.chain(ACCUMULATORS, sums)
        return
    requantize = Requantizer(operation, weights.scales, _SUM)
    result = requantize(sums.reshape(-1, ofm.depth), memory)
    write(memory, ofm, result.reshape(sums.shape))


def _multiply(operation: U85ConvolutionOperation, memory: Memory) -> None:
    """A product of two feature maps."""
    kernel, ifm2, ofm, scale = operation.kernel, operation.ifm2, operation.ofm, operation.scale
    point = Kernel(1, 1, 1, 1, 1, 1, kernel.part_kernel_first)
    if kernel != point or operation.padding.any or operation.upscale is not Upscale.NONE:
        raise UnsupportedError("a convolution with a kernel that is a feature map", parameters={"kernel": kernel})
    if ifm2 is None or scale is None or ifm2.dtype.itemsize > 2:
        raise UnsupportedError("a product of such feature maps", parameters={"scale": scale})
    if ofm.elements * operation.ifm.depth > MAX_MACS:
        raise UnsupportedError("a product of this size", parameters={"elements": ofm.elements})
    first, second = read(memory, operation.ifm), read(memory, ifm2)
    a = np.subtract(first, operation.ifm.zero_point, dtype=_SUM, casting="unsafe")
    b = np.subtract(second, ifm2.zero_point, dtype=_SUM, casting="unsafe")
    # A row of the second is an output channel. Sums of products of 16 bits are exact: there are too few of them.
    sums = (a.reshape(len(a), -1, operation.ifm.depth) @ b[:, 0].swapaxes(1, 2)).reshape(-1, *ofm.extents)
    if operation.accumulators.start is Start.KEPT:
        sums = np.add(sums, memory.chained(ACCUMULATORS, ofm.extents, _SUM), dtype=_SUM)
    if not operation.accumulators.stored:
        memory.chain(ACCUMULATORS, sums)
        return
    scaled = rescale(sums.astype(np.int64), scale.multiplier, scale.shift, operation.rounding)
    write(memory, ofm, finish(scaled, operation, memory))
