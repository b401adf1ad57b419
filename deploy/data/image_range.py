"""The range that pixels 0 to 255 are scaled to, and how it is known which one a model takes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError

_TEXT = re.compile(r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*\.\.\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")
_FAINT, _BRIGHT = 0.4, 1.1
"""The brightest calibration picture, as a share of white, at which a range is still taken for a usual one."""

_LARGEST_ACTIVATION = 5.0
_LEAST_SPAN = 0.5
"""What networks compute with: inputs that were prepared lie within a few units, and fill at least half a one."""


@dataclass(frozen=True)
class ImageRange:
    """What black and white become; a range of real values.

    Attributes:
        low: the value of a pixel 0.
        high: the value of a pixel 255.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    def scaled(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Pixels 0 to 255 in this range; same shape."""
        steps = np.float32(255 / (self.high - self.low))
        scaled: NDArray[np.float32] = pixels.astype(np.float32) / steps + np.float32(self.low)
        return scaled


UNIT, SIGNED, PIXELS = ImageRange(0, 1), ImageRange(-1, 1), ImageRange(0, 255)
USUAL = (UNIT, SIGNED, PIXELS)
"""The ranges that images are prepared in, but for those of each channel's own."""


def parse_image_range(text: str) -> ImageRange:
    """Read ``0..255``.

    Raises:
        BadInputError: it is no range.
    """
    match = _TEXT.fullmatch(text.strip())
    low, high = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not low < high or not math.isfinite(high - low):
        raise BadInputError(
            f"--image-range {text}: not a range of values", hints=[f"--image-range {each}" for each in USUAL]
        )
    return ImageRange(low, high)


def parsed(text: str | None) -> ImageRange | None:
    """As :func:`parse_image_range`; None for none."""
    return None if text is None else parse_image_range(text)


def usual_range(low: float, high: float, *, symmetric: bool = False) -> ImageRange | None:
    """The usual range that fits what an input can hold; None where none does, or more than one.

    The darkest and the brightest picture that a model was calibrated with need not have been black and white.

    Args:
        low: the smallest real value that it can hold.
        high: the largest.
        symmetric: whether zero lies in the middle whatever the data: then ``low`` says nothing.
    """
    fitting = [
        each
        for each in USUAL
        if _FAINT * each.high <= high <= _BRIGHT * each.high
        and (symmetric or abs(low - each.low) <= 0.25 * (each.high - each.low))
    ]
    return fitting[0] if len(fitting) == 1 else None


def range_prepared_by(prepared: Callable[[float], NDArray[Any]]) -> ImageRange | None:
    """The range for which a model's own first steps (``Rescaling``, ``Normalization``) give sensible values.

    Args:
        prepared: an input value -> what it becomes, an array with what it becomes in each channel.

    Returns:
        None where none does, or it cannot be told.
    """
    ends = {each: (prepared(each.low), prepared(each.high)) for each in USUAL}
    exact = [each for each, (low, high) in ends.items() if any(_equals(low, high, usual) for usual in USUAL)]
    if exact:
        return exact[0] if len(exact) == 1 else None
    sensible = [
        each
        for each, (low, high) in ends.items()
        if max(np.abs(low).max(), np.abs(high).max()) <= _LARGEST_ACTIVATION
        and np.abs(high - low).max() >= _LEAST_SPAN
    ]
    return sensible[0] if len(sensible) == 1 else None


def _equals(low: NDArray[Any], high: NDArray[Any], usual: ImageRange) -> bool:
    """Within 2 %: a range that is divided by 128 instead of 127.5 is one of -1 to 1."""
    slack = 0.02 * (usual.high - usual.low)
    return bool(np.abs(low - usual.low).max() <= slack and np.abs(high - usual.high).max() <= slack)
