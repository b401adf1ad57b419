"""What does not fit an input is counted; what was scaled for something else is refused or named."""

import numpy as np
import pytest

from deploy.data.fit import Fit
from deploy.data.image_range import PIXELS, UNIT
from deploy.data.specs import InputSpec
from deploy.errors import BadInputError
from deploy.tflite import Quantization

UNIT_INPUT = InputSpec("image", (1, 4), "int8", Quantization((1 / 255,), (-128,)))
PIXEL_INPUT = InputSpec("image", (1, 4), "uint8", Quantization((1.0,), (0,)))


def sentences(spec: InputSpec, *values: np.ndarray) -> tuple[str, ...]:
    fit = Fit("x.npz")
    for each in values:
        fit.add(spec, each)
    return fit.sentences


def test_values_within_the_range_and_a_step_beyond_it_are_nothing_to_speak_of() -> None:
    assert sentences(UNIT_INPUT, np.linspace(-0.003, 1.003, 100)) == ()


def test_values_that_saturate_are_counted_over_all_batches() -> None:
    (said,) = sentences(UNIT_INPUT, np.array([0.0, 1.2]), np.array([0.5, -0.4]))
    assert said.startswith(
        "2 of 4 values of image saturate (50 %): the data goes from -0.4 to 1.2, the model takes 0"
    )


@pytest.mark.parametrize("values", [np.arange(0.0, 256.0), -np.arange(0.0, 256.0)])
def test_pixels_that_were_not_scaled_are_refused(values: np.ndarray) -> None:
    with pytest.raises(BadInputError, match=r"x\.npz: the values for input image go from .* would be cut off"):
        sentences(InputSpec("image", (1, 4), "int8", Quantization((1 / 128,), (0,))), values)


def test_scaled_pixels_for_a_model_that_takes_them_as_they_are_are_named() -> None:
    (said,) = sentences(PIXEL_INPUT, np.linspace(0, 1, 10))
    assert said == "image: the data goes from 0 to 1, the model takes 0 to 255: is it scaled as in training?"
    assert sentences(PIXEL_INPUT, np.zeros(10)) == ()


def test_a_float_input_has_the_range_that_its_first_layers_are_made_for() -> None:
    assert sentences(InputSpec("image", (1, 4), "float32"), np.array([1e9])) == ()
    pixels = InputSpec("image", (1, 4), "float32", prepares=PIXELS)
    assert "is it scaled as in training?" in sentences(pixels, np.linspace(0, 1, 10))[0]
    assert sentences(pixels, np.linspace(0, 255, 10)) == ()
    with pytest.raises(BadInputError, match="the model takes 0 to 1"):
        sentences(InputSpec("image", (1, 4), "float32", prepares=UNIT), np.linspace(0, 255, 10))
