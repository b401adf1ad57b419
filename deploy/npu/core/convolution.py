"""NPU_OP_CONV and NPU_OP_DEPTHWISE as ``convolution.c`` takes them."""

from __future__ import annotations

from functools import partial

from deploy.npu.core.records import NotCovered, Record, Tables, Words, window
from deploy.npu.execution.workspace import Pack, Packed, Workspace
from deploy.npu.stream.convolution import ConvolutionOperation

MOST_STEPS = 1 << 34
"""Multiply-accumulates that the core takes on, since nothing interrupts it; NumPy computes more, or refuses."""


def translate_convolution(operation: ConvolutionOperation, tables: Tables, *, pack: Pack) -> Record:
    """See :mod:`deploy.npu.core.translation`."""
    if operation.ifm.dtype.itemsize > 2 or operation.macs > MOST_STEPS:
        raise NotCovered
    words = {
        "kind": tables.numbers["KIND_CONVOLUTION"],
        "work": operation.macs,
        **tables.map("ifm", operation.ifm),
        **output_of(operation, tables),
        **window(operation),
        **tables.streams(operation.streams),
        "depthwise": int(operation.depthwise),
    }
    return Record(words, partial(_weights, operation, pack))


def output_of(operation: ConvolutionOperation, tables: Tables) -> Words:
    """Where the results of a convolution go: to its feature map, or they are left inside the NPU."""
    return tables.output(operation) if operation.finishes else tables.left(operation.ofm)


def _weights(operation: ConvolutionOperation, pack: Pack, workspace: Workspace) -> Packed | None:
    return workspace.weights.packed(operation, workspace.memory, pack)
