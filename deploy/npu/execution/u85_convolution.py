"""NPU_OP_CONV and NPU_OP_DEPTHWISE of Ethos-U85: sums kept between operations, and weights that are a feature map.

What is kept are sums without bias: that is added where they become an OFM. (Source: measured on Vela's streams,
which compute large strides that way.)
"""

from __future__ import annotations

import numpy as np

from deploy.npu.bounds import MAX_MACS
from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.convolution import accumulate, check, store
from deploy.npu.execution.feature_maps import operand
from deploy.npu.execution.memory import ACCUMULATORS, Memory
from deploy.npu.execution.scaling import Integers
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import FeatureMap, Kernel, Scale, Upscale
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.stream.u85_registers import Start
from deploy.npu.weights.unpacked import ChannelScales, Unpack


def convolve_u85(operation: U85ConvolutionOperation, workspace: Workspace, *, unpack: Unpack) -> None:
    """Execute a convolution.

    Raises:
        MemoryAccessError: a feature map or stream lies outside its region.
        WeightStreamError: the weights do not decode to what the operation needs.
        StreamError: there are no sums to go on with.
        UnsupportedError: a combination that is not modelled.
    """
    check(operation)
    memory, accumulators = workspace.memory, operation.accumulators
    if operation.ifm2 is None:
        weights = workspace.weights.get(operation, memory, unpack)
        sums, scales = accumulate(operation, weights.weights, memory), weights.scales
    else:
        check_product(operation)
        sums, scales = _product(operation.ifm, operation.ifm2, memory), _same_for_all(operation.scale)
    if accumulators.start is Start.KEPT:
        sums = sums + memory.chained(ACCUMULATORS, operation.ofm.extents, sums.dtype).astype(np.int64)
    if accumulators.stored:
        store(sums, scales, operation, memory)
    else:
        memory.chain(ACCUMULATORS, sums)


def check_product(operation: U85ConvolutionOperation) -> None:
    """Refuse what is not modelled of convolutions whose weights are a feature map.

    Raises:
        UnsupportedError: says what.
    """
    kernel, ifm, ifm2 = operation.kernel, operation.ifm, operation.ifm2
    point = Kernel(1, 1, 1, 1, 1, 1, kernel.part_kernel_first)
    if kernel != point or operation.padding.any or operation.upscale is not Upscale.NONE:
        raise UnsupportedError("a convolution with a kernel that is a feature map", parameters={"kernel": kernel})
    if ifm2 is None or operation.scale is None or ifm2.dtype.itemsize > 2:
        raise UnsupportedError("a product of such feature maps", parameters={"scale": operation.scale})
    if operation.ofm.elements * ifm.depth > MAX_MACS:
        raise UnsupportedError("a product of this size", parameters={"elements": operation.ofm.elements})


def _product(ifm: FeatureMap, ifm2: FeatureMap, memory: Memory) -> Integers:
    """A row of the second is what an output channel has in place of weights."""
    sums: Integers = np.einsum("byxi,boi->byxo", operand(memory, ifm), operand(memory, ifm2)[:, 0])
    return sums


def _same_for_all(scale: Scale | None) -> ChannelScales:
    """OFM_SCALE for all channels, without a bias."""
    if scale is None:
        raise AssertionError("a product has a scale")
    return ChannelScales(*(np.array([value], np.int64) for value in (0, scale.multiplier, scale.shift)))
