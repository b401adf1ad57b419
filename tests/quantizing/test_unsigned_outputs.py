"""uint8 outputs that Vela would fold into the operator before them, wrongly."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tflite_writer import GraphWriter

import deploy
from deploy import tflite
from deploy.judging.verification_record import MiscompiledError
from deploy.quantizing.tensor_values import TensorValues
from deploy.quantizing.unsigned_outputs import with_unsigned_outputs_kept
from deploy.tflite import Model


def dense(zero: int, *, image: bool = False) -> Model:
    """int8 to uint8 behind a convolution or a fully connected layer."""
    generator = np.random.default_rng(0)
    writer = GraphWriter()
    shape, weights = ((1, 4, 4, 8), (6, 1, 1, 8)) if image else ((1, 8), (6, 8))
    x = writer.tensor("x", shape, "int8", 0.02, 3)
    kernel = writer.tensor("w", weights, "int8", 0.01, data=generator.integers(-127, 128, weights).astype(np.int8))
    bias = writer.tensor("b", (6,), "int32", 0.0002, data=np.zeros(6, np.int32))
    y = writer.tensor("y", (*shape[:-1], 6), "int8", 0.05, zero)
    out = writer.tensor("out", (*shape[:-1], 6), "uint8", 0.05, zero + 128)
    if image:
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        writer.operator("CONV_2D", [x, kernel, bias], [y], options)
    else:
        writer.operator("FULLY_CONNECTED", [x, kernel, bias], [y], schema.FullyConnectedOptionsT())
    writer.operator("QUANTIZE", [y], [out], schema.QuantizeOptionsT())
    return tflite.load(writer.finish({"x": x}, {"logits": out}))


@pytest.mark.parametrize("npu", ["U55-128", "U65-256", "U85-256"])
@pytest.mark.parametrize("image", [False, True], ids=["rows", "image"])
def test_the_form_is_exact_and_vela_compiles_it_right(image: bool, npu: str, tmp_path: Path) -> None:
    model = dense(0, image=image)
    kept, names = with_unsigned_outputs_kept(model)
    assert names == ("logits",)
    assert "AVERAGE_POOL_2D" in {operator.code for operator in kept.operators}
    x = np.random.default_rng(1).integers(-128, 128, model.input_tensors[0].shape).astype(np.int8)
    before, after = (
        TensorValues(item, item.outputs, reference=True).run({"x": x})[item.outputs[0]] for item in (model, kept)
    )
    np.testing.assert_array_equal(before, after)
    with pytest.raises(MiscompiledError):
        deploy.compile(model, npu, output=tmp_path / "wrong")
    deploy.compile(kept, npu, output=tmp_path / "right")


def test_other_zero_points_stay_as_they_are() -> None:
    model = dense(-5)
    assert with_unsigned_outputs_kept(model) == (model, ())
