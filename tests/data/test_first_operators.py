"""A float input of a TFLite model shows which pixels it takes by what is done with it first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.data.image_range import PIXELS, SIGNED, UNIT, ImageRange
from deploy.data.specs import specs_of


def shown(steps: list[tuple[str, Any]], *, scale: float | None = None, zero: int = 0) -> ImageRange | None:
    """What the input of a model shows that multiplies, adds and so on with constants first, or quantizes."""
    writer = GraphWriter()
    x = first = writer.tensor("image", (1, 4, 4, 3), "float32")
    for number, (code, constant) in enumerate(steps):
        values = np.asarray(constant, np.float32)
        known = writer.tensor(f"c{number}", values.shape, "float32", data=values)
        y = writer.tensor(f"y{number}", (1, 4, 4, 3), "float32")
        writer.operator(code, [x, known], [y])
        x = y
    kind = {"dtype": "int8", "scales": scale, "zero": zero} if scale else {"dtype": "float32"}
    out = writer.tensor("out", (1, 4, 4, 3), **kind)
    writer.operator("QUANTIZE" if scale else "RELU", [x], [out])
    (spec,) = specs_of(tflite.load(writer.finish({"image": first}, {"out": out})))
    return spec.prepares


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("MUL", 1 / 255)], PIXELS),
        ([("MUL", 1 / 127.5), ("ADD", -1.0)], PIXELS),
        ([("SUB", [123.0, 117.0, 104.0]), ("DIV", [58.0, 57.0, 57.5])], PIXELS),
        ([("SUB", [0.48, 0.45, 0.4]), ("MUL", [4.3, 4.4, 4.4])], UNIT),
        ([("DIV", 0.0)], None),
        ([], None),
    ],
)
def test_constants_at_the_beginning_show_it(steps: list[tuple[str, Any]], expected: ImageRange | None) -> None:
    assert shown(steps) == expected


def test_the_integers_behind_a_float_input_show_it() -> None:
    assert shown([], scale=1.0, zero=-128) == PIXELS
    assert shown([], scale=2 / 255, zero=-1) == SIGNED
    assert shown([], scale=0.03, zero=10) is None
