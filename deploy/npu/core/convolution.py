"""NPU_OP_CONV and NPU_OP_DEPTHWISE as ``convolution.c`` takes them."""

from __future__ import annotations

from functools import partial

from deploy.npu.core.records import NotCovered, Record, Tables, Words, window
from deploy.npu.execution.u85_convolution import check_product
from deploy.npu.execution.workspace import Pack, Packed, Workspace
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import FeatureMap
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.stream.u85_registers import Start

_MOST_STEPS = 1 << 34
"""Multiply-accumulates that the core takes on, since nothing interrupts it; NumPy computes more, or refuses."""


def translate_convolution(operation: ConvolutionOperation, tables: Tables, *, pack: Pack) -> Record:
    """See :mod:`deploy.npu.core.translation`."""
    if operation.ifm.dtype.itemsize > 2 or operation.macs > _MOST_STEPS:
        raise NotCovered
    words = {
        "kind": tables.numbers["KIND_CONVOLUTION"],
        "work": operation.macs,
        **tables.map("ifm", operation.ifm),
        **_output(operation, tables),
        **window(operation),
        **tables.streams(operation.streams),
        "depthwise": int(operation.depthwise),
    }
    return Record(words, partial(_weights, operation, pack))


def translate_u85_convolution(operation: U85ConvolutionOperation, tables: Tables, *, pack: Pack) -> Record:
    """A convolution of Ethos-U85, whose weights may be a feature map, and whose sums may be kept."""
    if operation.ifm2 is not None:
        return _product(operation, operation.ifm2, tables)
    record = translate_convolution(operation, tables, pack=pack)
    return record._replace(words={**record.words, **_sums(operation, tables)})


def _product(operation: U85ConvolutionOperation, ifm2: FeatureMap, tables: Tables) -> Record:
    check_product(operation)
    ifm, ofm = operation.ifm, operation.ofm
    fits = ifm.extents[:2] == ofm.extents[:2] and ifm2.extents == (1, ofm.depth, ifm.depth)
    if not fits or operation.macs > _MOST_STEPS:
        raise NotCovered
    return Record(
        {
            "kind": tables.numbers["KIND_PRODUCT"],
            "work": operation.macs,
            **tables.map("ifm", ifm),
            **tables.map("ifm2", ifm2),
            **_output(operation, tables),
            **_sums(operation, tables),
        }
    )


def _output(operation: ConvolutionOperation, tables: Tables) -> Words:
    return tables.output(operation) if operation.finishes else tables.left(operation.ofm)


def _sums(operation: U85ConvolutionOperation, tables: Tables) -> Words:
    """What becomes of the accumulators."""
    kept = operation.accumulators.start is Start.KEPT
    if kept:
        tables.kept(operation.ofm)
    return {"keeps_sums": int(kept), "leaves_sums": int(not operation.finishes)}


def _weights(operation: ConvolutionOperation, pack: Pack, workspace: Workspace) -> Packed | None:
    return workspace.weights.packed(operation, workspace.memory, pack)
