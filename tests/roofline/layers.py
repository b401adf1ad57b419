"""A layer to change, and how far the roofline may be from Vela."""

from __future__ import annotations

from dataclasses import replace

from deploy.roofline.layer import Layer
from deploy.tflite.options import Window

BOUND = 1.3


def conv(**changes: object) -> Layer:
    """A 1x1 convolution of 16x16x64 to 128 channels."""
    layer = Layer(
        index=0,
        operator="CONV_2D",
        name="x",
        inputs=((16, 16, 64),),
        output=(16, 16, 128),
        window=Window(1, 1, 1, 1),
        macs=16 * 16 * 64 * 128,
        weight_bytes=64 * 128 + 4 * 128,
        packed_bytes=64 * 128 + 10 * 128,
        input_bytes=16 * 16 * 64,
        output_bytes=16 * 16 * 128,
        element_bytes=1,
        producers=(-1,),
        consumers=1,
    )
    return replace(layer, **changes)  # type: ignore[arg-type]
