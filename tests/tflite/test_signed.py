"""A signature for a model that has none."""

from __future__ import annotations

from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.tflite.records import packed, unpacked
from deploy.tflite.signed import with_signature


def unsigned() -> tflite.Model:
    writer = GraphWriter()
    x, y = (writer.tensor(name, [1, 4], "int8", 0.1) for name in ("before", "after"))
    writer.operator("ABS", [x], [y], schema.AbsOptionsT())
    record = unpacked(writer.finish({"in": x}, {"out": y}))
    record.signatureDefs = []
    return tflite.load(packed(record))


def test_it_says_the_names_that_inputs_and_outputs_have_already() -> None:
    model = unsigned()
    assert model.signature is None
    signed = with_signature(model)
    assert signed.signature is not None
    assert signed.signature.inputs == {"before": model.inputs[0]}
    assert signed.signature.outputs == {"after": model.outputs[0]}
    assert (signed.tensors, signed.operators) == (model.tensors, model.operators)
