"""NPU_OP_CONV and NPU_OP_DEPTHWISE of Ethos-U85 as ``convolution.c`` and ``product.c`` take them."""

from __future__ import annotations

from deploy.npu.core.convolution import MOST_STEPS, output_of, translate_convolution
from deploy.npu.core.records import NotCovered, Record, Tables, Words
from deploy.npu.execution.u85_convolution import check_product
from deploy.npu.execution.workspace import Pack
from deploy.npu.stream.operations import FeatureMap
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.stream.u85_registers import Start


def translate_u85_convolution(operation: U85ConvolutionOperation, tables: Tables, *, pack: Pack) -> Record:
    """A convolution whose weights may be a feature map, and whose sums may be kept."""
    if operation.ifm2 is not None:
        return _product(operation, operation.ifm2, tables)
    record = translate_convolution(operation, tables, pack=pack)
    return record._replace(words={**record.words, **_sums(operation, tables)})


def _product(operation: U85ConvolutionOperation, ifm2: FeatureMap, tables: Tables) -> Record:
    check_product(operation)
    ifm, ofm = operation.ifm, operation.ofm
    fits = ifm.extents[:2] == ofm.extents[:2] and ifm2.extents == (1, ofm.depth, ifm.depth)
    if not fits or operation.macs > MOST_STEPS:
        raise NotCovered
    return Record(
        {
            "kind": tables.numbers["KIND_PRODUCT"],
            "work": operation.macs,
            **tables.map("ifm", ifm),
            **tables.map("ifm2", ifm2),
            **output_of(operation, tables),
            **_sums(operation, tables),
        }
    )


def _sums(operation: U85ConvolutionOperation, tables: Tables) -> Words:
    """What becomes of the accumulators."""
    kept = operation.accumulators.start is Start.KEPT
    if kept:
        tables.kept(operation.ofm)
    return {"keeps_sums": int(kept), "leaves_sums": int(not operation.finishes)}
