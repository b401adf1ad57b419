"""NPU_OP_CONV and NPU_OP_DEPTHWISE as ``convolution.c`` takes them."""

from __future__ import annotations

from functools import partial

from deploy.npu.core.records import NotCovered, Record, Tables, window
from deploy.npu.execution.workspace import PreparedWeights, Workspace
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.stream.u85_registers import Start
from deploy.npu.weights.unpacked import Unpack

_MOST_STEPS = 1 << 34
"""Multiply-accumulates that the core takes on, since nothing interrupts it; NumPy computes more, or refuses."""
_MOST_TAPS = {1: (1 << 31) // (255 * 255), 2: 256}
"""Of a depthwise kernel, by the bytes of an element of the IFM: its sums, of weights of 9 bits, fit 32 bits."""


def translate_convolution(operation: ConvolutionOperation, tables: Tables, *, unpack: Unpack) -> Record:
    """See :mod:`deploy.npu.core.translation`."""
    if operation.ifm.dtype.itemsize > 2 or operation.macs > _MOST_STEPS:
        raise NotCovered
    taps = operation.kernel.height * operation.kernel.width
    if operation.depthwise and taps > _MOST_TAPS[operation.ifm.dtype.itemsize]:
        raise NotCovered
    words = {
        "kind": tables.numbers["KIND_CONVOLUTION"],
        "work": operation.macs,
        **tables.map("ifm", operation.ifm),
        **tables.output(operation),
        **window(operation),
        **tables.streams(operation.streams),
        "depthwise": int(operation.depthwise),
    }
    return Record(words, partial(_weights, operation, unpack))


def translate_u85_convolution(operation: U85ConvolutionOperation, tables: Tables, *, unpack: Unpack) -> Record:
    """One whose weights are a stream and whose sums no other operation adds to."""
    accumulators = operation.accumulators
    if operation.ifm2 is not None or not accumulators.stored or accumulators.start is not Start.ZERO:
        raise NotCovered
    return translate_convolution(operation, tables, unpack=unpack)


def _weights(operation: ConvolutionOperation, unpack: Unpack, workspace: Workspace) -> PreparedWeights:
    return workspace.weights.get(operation, workspace.memory, unpack)
