"""An image with faces: what detectors are trained and measured with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.models.face_detection.anchors import Floats


@dataclass(frozen=True)
class Scene:
    """One image and what is in it.

    Attributes:
        image: uint8 [size, size, 3].
        boxes: left, top, right, bottom as fractions of the image, float64 [N, 4].
        landmarks: x, y of five points, float64 [N, 5, 2].
    """

    image: NDArray[np.uint8]
    boxes: Floats
    landmarks: Floats
