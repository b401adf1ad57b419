"""Layers of a quantized model: multiply-accumulates and bytes by hand, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInputError
from deploy.roofline.layer import layers, packed_bytes
from deploy.tflite import model as tflite_model
from deploy.tflite.model import Tensor
from deploy.tflite.options import Window


def weights(values: np.ndarray) -> Tensor:
    raw = np.ascontiguousarray(values.astype(np.int8)).view(np.uint8).reshape(-1)
    return Tensor(0, "w", values.shape, "int8", None, raw)


def test_weights_of_one_value_take_no_space_and_two_equally_frequent_ones_a_bit_each() -> None:
    assert packed_bytes(weights(np.full((16, 16), 5))) == 0
    assert packed_bytes(weights(np.arange(256).reshape(16, 16) % 2)) == 256 // 8
    assert packed_bytes(weights(np.arange(256) - 128)) == 256


@pytest.mark.tensorflow
def test_every_layer_of_a_small_network_is_counted_by_hand(tiny_tflite: Path) -> None:
    found = layers(tflite_model.read(tiny_tflite))
    by_kind: dict[str, list] = {}
    for layer in found:
        by_kind.setdefault(layer.operator, []).append(layer)
    (conv,) = by_kind["CONV_2D"]
    assert (conv.inputs, conv.output, conv.window) == (((16, 16, 1),), (8, 8, 8), Window(3, 3, 2, 2))
    assert conv.macs == 8 * 8 * 8 * 9
    assert conv.weight_bytes == 9 * 8 + 4 * 8
    assert 80 < conv.packed_bytes <= 9 * 8 + 10 * 8
    assert (conv.input_bytes, conv.output_bytes, conv.element_bytes) == (256, 512, 1)
    assert conv.activation_bytes == 768
    assert conv.intensity == pytest.approx(4608 / (104 + 768))
    dense = by_kind["FULLY_CONNECTED"]
    assert [layer.macs for layer in dense] == [8 * 4, 8 * 4]
    assert [layer.output for layer in dense] == [(1, 1, 4), (1, 1, 4)]
    (mean,) = by_kind["MEAN"]
    assert (mean.macs, mean.inputs, mean.output) == (0, ((8, 8, 8),), (1, 1, 8))


@pytest.mark.tensorflow
def test_producers_and_consumers_follow_the_graph(tiny_tflite: Path) -> None:
    found = layers(tflite_model.read(tiny_tflite))
    first = found[0]
    assert first.operator == "QUANTIZE" and first.producers == (-1,)
    by_index = {layer.index: layer for layer in found}
    (mean,) = [layer for layer in found if layer.operator == "MEAN"]
    assert mean.consumers == 2
    assert by_index[mean.producers[0]].operator == "CONV_2D"
    assert all(layer.consumers >= 1 for layer in found)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("shape", "transposed", "macs"),
    [((1, 2, 6, 16), True, 2 * 6 * 16 * 6), ((1, 2, 8, 8), False, 2 * 8 * 8 * 8)],
)
def test_a_batched_product_is_counted_whether_or_not_an_operand_is_transposed(
    shape: tuple[int, ...], transposed: bool, macs: int
) -> None:
    found = layers(tflite_model.load(product(shape, transposed=transposed)))
    (layer,) = [layer for layer in found if layer.operator == "BATCH_MATMUL"]
    assert layer.macs == macs
    assert len(layer.inputs) == 2


def product(shape: tuple[int, ...], *, transposed: bool) -> bytes:
    """A product of two feature maps of that shape, quantized."""
    from deploy.chatter import silenced

    with silenced():
        import tensorflow as tf

        specs = [tf.TensorSpec(shape, tf.float32, name) for name in "ab"]
        function = tf.function(
            lambda a, b: tf.matmul(a, b, transpose_b=transposed), input_signature=specs, autograph=False
        )
        holder = tf.Module()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], holder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        random = np.random.default_rng(0)
        converter.representative_dataset = lambda: [
            [random.uniform(-1, 1, shape).astype(np.float32) for _ in specs] for _ in range(2)
        ]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())


def test_conversion_between_float_and_integer_at_the_edges_is_left_out(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite_model.read(mlperf_tiny["keyword_spotting"])
    assert model.operators[0].code == "QUANTIZE" and model.input_tensors[0].dtype == "float32"
    found = layers(model)
    assert found[0].operator != "QUANTIZE" and found[0].producers == (-1,)


@pytest.mark.tensorflow
def test_a_model_that_vela_compiled_is_refused(built: Path) -> None:
    with pytest.raises(BadInputError, match="as the converter wrote it"):
        layers(tflite_model.read(built / "model_vela.tflite"))


@pytest.mark.tensorflow
def test_damaged_options_of_a_convolution_are_refused(tiny_tflite: Path) -> None:
    content = bytearray(tiny_tflite.read_bytes())
    model = tflite_model.load(bytes(content))
    (conv,) = [operator for operator in model.operators if operator.code == "CONV_2D"]
    from ai_edge_litert import schema_py_generated as schema

    options = schema.Conv2DOptions()
    table = schema.Model.GetRootAs(content, 0).Subgraphs(0).Operators(conv.index).BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    offset = options._tab.Offset(8)  # stride_h, the third field
    content[table.Pos + offset : table.Pos + offset + 4] = (-1).to_bytes(4, "little", signed=True)
    with pytest.raises(BadInputError, match=r"operator \d+ \(CONV_2D\).*damaged.*a window of"):
        layers(tflite_model.load(bytes(content)))
