"""The range that pixels are scaled to: read, guessed from what a model shows, applied."""

import numpy as np
import pytest

from deploy.data.image_range import (
    PIXELS,
    SIGNED,
    UNIT,
    ImageRange,
    parse_image_range,
    range_prepared_by,
    usual_range,
)
from deploy.data.specs import InputSpec
from deploy.errors import BadInputError
from deploy.tflite import Quantization


@pytest.mark.parametrize(
    ("text", "low", "high"), [("0..1", 0, 1), (" -1 .. 1", -1, 1), ("0..255", 0, 255), ("-2.1..2.64", -2.1, 2.64)]
)
def test_a_range_is_two_numbers(text: str, low: float, high: float) -> None:
    assert parse_image_range(text) == ImageRange(low, high)


@pytest.mark.parametrize("text", ["", "1", "1..0", "0..0", "a..b", "0..nan", "0..1e999", "0-255"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="--image-range"):
        parse_image_range(text)


def test_pixels_are_scaled_as_frameworks_do_it() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(UNIT.scaled(pixels), pixels.astype(np.float32) / 255)
    assert np.array_equal(SIGNED.scaled(pixels), pixels.astype(np.float32) / np.float32(127.5) - 1)
    assert np.array_equal(PIXELS.scaled(pixels), pixels)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        ("uint8", 1 / 255, 0, UNIT),
        ("int8", 0.8 / 255, -128, UNIT),  # no calibration picture was white
        ("int8", 1.0, -128, PIXELS),
        ("uint8", 0.9, 0, PIXELS),
        ("int8", 2 / 255, -1, SIGNED),
        ("int8", 1 / 128, 0, SIGNED),
        ("uint8", 1 / 128, 128, SIGNED),
        ("int16", 255 / 32767, 0, PIXELS),
        ("int16", 6 / 32767, 0, None),
        ("uint8", 4.7 / 255, 114, None),  # each channel by its own mean and deviation
        ("int8", 1.07, -13, None),
    ],
)
def test_the_quantization_of_an_input_shows_its_range(
    dtype: str, scale: float, zero_point: int, expected: ImageRange | None
) -> None:
    spec = InputSpec("image", (1, 4, 4, 3), dtype, Quantization((scale,), (zero_point,)))
    if expected is not None:
        assert spec.image_range("photos") == expected
        return
    with pytest.raises(BadInputError, match="photos: input image takes") as caught:
        spec.image_range("photos")
    assert caught.value.hints[0].startswith("--image-range 0..1")


def test_an_input_of_16_bits_is_symmetric_whatever_its_data_was() -> None:
    assert InputSpec("image", (1, 4, 4, 3), "int16", Quantization((1 / 32767,), (0,))).image_range("x") is None


def test_a_usual_range_needs_both_ends() -> None:
    assert usual_range(0, 1) == UNIT
    assert usual_range(-1, 0.99) == SIGNED
    assert usual_range(0, 128) == PIXELS
    assert usual_range(-123, 151) is None
    assert usual_range(0, 6) is None


def test_what_first_layers_do_with_values_shows_which_pixels_they_are_made_for() -> None:
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    assert range_prepared_by(lambda x: np.array([x / 255])) == PIXELS
    assert range_prepared_by(lambda x: np.array([x / 128 - 1])) == PIXELS
    assert range_prepared_by(lambda x: (x - mean) / deviation) == UNIT
    assert range_prepared_by(lambda x: (x / 255 - mean) / deviation) == PIXELS
    assert range_prepared_by(lambda x: np.array([2 * x - 1])) == UNIT
    assert range_prepared_by(lambda x: np.array([x])) is None
    assert range_prepared_by(lambda x: np.array([1e6 * x])) is None
