"""NPU_OP_RESIZE as ``resize.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.records import NotCovered, Record, Tables, Words
from deploy.npu.execution.resize import shift_of
from deploy.npu.stream.u85_operations import AxisSampling, ResizeOperation


def translate_resize(operation: ResizeOperation, tables: Tables) -> Record:
    """See :mod:`deploy.npu.core.translation`."""
    shift_of(operation)
    if operation.ifm.dtype.itemsize > 2:
        raise NotCovered
    return Record(
        {
            "kind": tables.numbers["KIND_RESIZE"],
            "work": 4 * operation.ofm.elements,
            **tables.map("ifm", operation.ifm),
            **tables.output(operation),
            "mode": int(operation.mode),
            **_sampling("vertical", operation.vertical),
            **_sampling("horizontal", operation.horizontal),
        }
    )


def _sampling(name: str, found: AxisSampling) -> Words:
    return {f"{name}.parts": (found.parts, found.step, found.offset)}
