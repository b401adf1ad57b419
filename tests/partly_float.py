"""Models whose body is int8, with float operators behind it or within it."""

from __future__ import annotations

import numpy as np
from flatbuffers import flexbuffers
from tflite_writer import GraphWriter, schema


def tail() -> bytes:
    """|x| in int8, then -|x| in float: a float output that no DEQUANTIZE makes."""
    writer = GraphWriter("tail")
    x, size = writer.tensor("x", (1, 16), "int8", 0.1), writer.tensor("size", (1, 16), "int8", 0.1)
    real, y = writer.tensor("real", (1, 16), "float32"), writer.tensor("negative", (1, 16), "float32")
    writer.operator("ABS", [x], [size], schema.AbsOptionsT())
    writer.operator("DEQUANTIZE", [size], [real])
    writer.operator("NEG", [real], [y], schema.NegOptionsT())
    return writer.finish({"x": x}, {"negative": y})


def island() -> bytes:
    """The root of |x|, in float between int8, and twice of it."""
    writer = GraphWriter("island")
    x, size = writer.tensor("x", (1, 16), "int8", 0.1), writer.tensor("size", (1, 16), "int8", 0.1)
    real, root = writer.tensor("real", (1, 16), "float32"), writer.tensor("root", (1, 16), "float32")
    narrow, y = writer.tensor("narrow", (1, 16), "int8", 0.03), writer.tensor("y", (1, 16), "int8", 0.06)
    writer.operator("ABS", [x], [size], schema.AbsOptionsT())
    writer.operator("DEQUANTIZE", [size], [real])
    writer.operator("SQRT", [real], [root])
    writer.operator("QUANTIZE", [root], [narrow], schema.QuantizeOptionsT())
    writer.operator("ADD", [narrow, narrow], [y], schema.AddOptionsT(), version=2)
    return writer.finish({"x": x}, {"twice": y})


def detector(anchors: int = 24, classes: int = 3, most: int = 6, *, floats: bool = True) -> bytes:
    """Boxes and scores in int8, then TFLite_Detection_PostProcess, which is given floats or these integers."""
    rng = np.random.default_rng(2)
    writer = GraphWriter("detector")
    boxes, scores = (1, anchors, 4), (1, anchors, classes)
    x, z = writer.tensor("x", boxes, "int8", 0.02), writer.tensor("z", scores, "int8", 1 / 256, -128)
    near, sure = writer.tensor("near", boxes, "int8", 0.04), writer.tensor("sure", scores, "int8", 1 / 256, -128)
    real = [writer.tensor(f"real_{name}", shape, "float32") for name, shape in (("b", boxes), ("s", scores))]
    centres = np.hstack([rng.random((anchors, 2)), np.full((anchors, 2), 0.2)]).astype(np.float32)
    places = writer.tensor("anchors", (anchors, 4), "float32", data=centres)
    found = {
        name: writer.tensor(name, shape, "float32")
        for name, shape in (("box", (1, most, 4)), ("kind", (1, most)), ("score", (1, most)), ("number", (1,)))
    }
    writer.operator("ADD", [x, x], [near], schema.AddOptionsT(), version=2)
    writer.operator("MAXIMUM", [z, z], [sure], schema.MaximumMinimumOptionsT())
    writer.operator("DEQUANTIZE", [near], [real[0]], version=2)
    writer.operator("DEQUANTIZE", [sure], [real[1]], version=2)
    options = flexbuffers.Builder()
    with options.Map():
        for key, value in (
            ("max_detections", most),
            ("max_classes_per_detection", 1),
            ("num_classes", classes - 1),
        ):
            options.Int(key, value)
        options.Bool("use_regular_nms", False)
        for key, number in (
            *(("nms_score_threshold", 0.5), ("nms_iou_threshold", 0.5)),
            *(("y_scale", 10.0), ("x_scale", 10.0), ("h_scale", 5.0), ("w_scale", 5.0)),
        ):
            options.Float(key, number)
    writer.operator(
        "TFLite_Detection_PostProcess",
        [*(real if floats else (near, sure)), places],
        [*found.values()],
        custom=bytes(options.Finish()),
    )
    return writer.finish({"x": x, "z": z}, found)
