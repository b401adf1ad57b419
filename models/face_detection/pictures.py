"""Draws detections into images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.models.face_detection.detections import Faces

FLOAT_COLOUR: Final = (255, 255, 255)
TARGET_COLOUR: Final = (0, 230, 90)
_POINT, _COLUMNS, _SIDE = 2, 4, 192
"""Radius of a landmark, images in a row, and their height and width on the sheet, in pixels."""


def sheet(
    images: Sequence[NDArray[np.uint8]],
    floats: Sequence[Faces],
    target: Sequence[Faces],
) -> Any:
    """A sheet of uint8 [H, W, 3] images: the float network's boxes thin and white, the target's green.

    Returns:
        A ``PIL.Image``.
    """
    from PIL import Image, ImageDraw

    rows = -(-len(images) // _COLUMNS)
    page = Image.new("RGB", (_COLUMNS * _SIDE, rows * _SIDE))
    for number, (image, one, two) in enumerate(zip(images, floats, target, strict=True)):
        tile = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(tile)
        for box in two.boxes:
            pen.rectangle([float(value) * _SIDE for value in box], outline=TARGET_COLOUR, width=3)
        for box in one.boxes:
            pen.rectangle([float(value) * _SIDE for value in box], outline=FLOAT_COLOUR)
        for x, y in two.landmarks.reshape(-1, 2) * _SIDE:
            pen.ellipse([x - _POINT, y - _POINT, x + _POINT, y + _POINT], fill=TARGET_COLOUR)
        page.paste(tile, (number % _COLUMNS * _SIDE, number // _COLUMNS * _SIDE))
    return page
