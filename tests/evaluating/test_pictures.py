"""A classifier from a folder of PNG files: whether or not the network scales pixels itself, without options."""

from __future__ import annotations

import json
from pathlib import Path

import garments
import numpy as np
import pytest

from deploy import api

pytestmark = garments.NEEDED

TRAINED_ON, CALIBRATED_WITH, CLASSIFIED = 12_000, 200, 1_000
POINTS = 0.5
"""Of accuracy between float model and target, at most."""


def write_pictures(folder: Path, images: np.ndarray, classes: np.ndarray) -> None:
    """A folder for each class."""
    from PIL import Image

    for number, (image, kind) in enumerate(zip(images, classes, strict=True)):
        (folder / str(kind)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(kind) / f"{number}.png")


@pytest.mark.parametrize("scales", [True, False])
def test_the_target_is_as_accurate_as_the_float_model(scales: bool, tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(3)
    x = given = keras.Input((28, 28, 1), name="image")
    if scales:
        x = layers.Rescaling(1 / 255)(x)
    for channels in (16, 32):
        x = layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(given, layers.Dense(10)(layers.Flatten()(x)))
    images, classes = garments.training(TRAINED_ON)
    garments.train_classifier(model, garments.pixels(images) / (1 if scales else 255), classes)
    model.save(tmp_path / "net.keras")
    write_pictures(tmp_path / "train", images[:CALIBRATED_WITH], classes[:CALIBRATED_WITH])
    write_pictures(tmp_path / "test", *garments.unseen(CLASSIFIED))
    build = api.compile(
        tmp_path / "net.keras", "U55-128", output=tmp_path / "build", calibration=tmp_path / "train"
    )
    document = api.evaluate(build, tmp_path / "test")
    (output,) = document.outputs
    found = {score.contestant: 100 * score.accuracy for score in output.scores}
    print(json.dumps(found), document.inputs)
    assert document.inputs == CLASSIFIED
    assert found["float"] > 80
    assert abs(found["target"] - found["float"]) <= POINTS
