"""Draws detections into images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.models.face_detection.detections import Faces

FLOAT_COLOUR: Final = (255, 255, 255)
TARGET_COLOUR: Final = (0, 230, 90)
_POINT = 2


def sheet(
    images: Sequence[NDArray[np.uint8]],
    floats: Sequence[Faces],
    target: Sequence[Faces],
    *,
    columns: int = 4,
    side: int = 192,
) -> Any:
    """A sheet of uint8 [H, W, 3] images: the float network's boxes thin and white, the target's green.

    ``columns`` images stand in a row, each ``side`` pixels high and wide.

    Returns:
        A ``PIL.Image``.
    """
    from PIL import Image, ImageDraw

    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * side, rows * side))
    for number, (image, one, two) in enumerate(zip(images, floats, target, strict=True)):
        tile = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(tile)
        for box in two.boxes:
            pen.rectangle([float(value) * side for value in box], outline=TARGET_COLOUR, width=3)
        for box in one.boxes:
            pen.rectangle([float(value) * side for value in box], outline=FLOAT_COLOUR)
        for x, y in two.landmarks.reshape(-1, 2) * side:
            pen.ellipse([x - _POINT, y - _POINT, x + _POINT, y + _POINT], fill=TARGET_COLOUR)
        page.paste(tile, (number % columns * side, number // columns * side))
    return page
