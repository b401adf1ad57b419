"""Calibration data that will spoil a model is named."""

import numpy as np

from deploy.quantizing.calibration import findings

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.random((100, 8, 8, 1), np.float32)


def test_usual_data_is_not_remarked_on() -> None:
    assert findings({"image": PICTURES}) == ()
    assert findings({"signal": RANDOM.standard_normal((100, 400)).astype(np.float32)}) == ()
    assert findings({"tokens": np.ones((100, 8), np.int32)}) == ()


def test_dark_pictures_with_few_bright_points_have_no_outliers() -> None:
    points = np.zeros((100, 4096), np.float32)
    points[:, 7] = 1
    points[:, 8] = RANDOM.random(100)
    assert findings({"image": points}) == ()


def test_few_samples_are_named_with_their_number() -> None:
    (found,) = findings({"image": PICTURES[:3]})
    assert "3 samples" in found


def test_an_input_of_one_value_is_named() -> None:
    (found,) = findings({"image": PICTURES, "gain": np.full((100, 1), 0.5, np.float32)})
    assert "gain is 0.5 throughout" in found


def test_the_same_sample_again_and_again_is_named() -> None:
    (found,) = findings({"image": np.repeat(PICTURES[:1], 50, axis=0)})
    assert "all 50 samples" in found


def test_one_sample_that_takes_most_of_the_range_is_named() -> None:
    data = PICTURES.copy()
    data[17] *= 255
    (found,) = findings({"image": data})
    assert "sample 17" in found
    assert "100% of the steps serve 1 of 100 samples" in found


def test_a_sample_of_twice_the_range_at_most_is_no_outlier() -> None:
    data = PICTURES.copy()
    data[17] *= 1.9
    assert findings({"image": data}) == ()
