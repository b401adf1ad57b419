"""A ``.tflite`` with two signatures, and the networks that it is made of."""

from __future__ import annotations

from tflite_writer import GraphWriter, schema

from deploy.tflite.records import packed, unpacked


def doubled(name: str = "double") -> bytes:
    """y = x + x."""
    writer = GraphWriter(name)
    x, y = writer.tensor("x", (1, 8), "int8", 0.1), writer.tensor("y", (1, 8), "int8", 0.2)
    writer.operator("ADD", [x, x], [y], schema.AddOptionsT(), version=2)
    return writer.finish({"first": x}, {"sum": y})


def negated() -> bytes:
    """y = |z|, on another number of elements."""
    writer = GraphWriter("negate")
    z, y = writer.tensor("z", (1, 16), "int8", 0.1), writer.tensor("y", (1, 16), "int8", 0.1)
    writer.operator("ABS", [z], [y], schema.AbsOptionsT())
    return writer.finish({"second": z}, {"size": y})


def two_signatures(first: str = "double", second: str = "size") -> bytes:
    """Two networks in one file, which share nothing but the file."""
    record, other = unpacked(doubled()), unpacked(negated())
    for tensor in other.subgraphs[0].tensors:
        tensor.buffer = 0
    for operator in other.subgraphs[0].operators:
        operator.opcodeIndex += len(record.operatorCodes)
    record.subgraphs += other.subgraphs
    record.operatorCodes += other.operatorCodes
    other.signatureDefs[0].subgraphIndex = 1
    record.signatureDefs += other.signatureDefs
    record.signatureDefs[0].signatureKey, record.signatureDefs[1].signatureKey = first, second
    return packed(record)
