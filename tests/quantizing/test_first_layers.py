"""The first layers of a Keras model show which pixels they are made for."""

from typing import Any

import pytest

from deploy.data.image_range import PIXELS, UNIT, ImageRange
from deploy.quantizing.float_model import freeze_keras, import_keras

MEAN, VARIANCE = [0.485, 0.456, 0.406], [0.05, 0.05, 0.05]

pytestmark = pytest.mark.tensorflow


def network(keras: Any, *layers: Any) -> Any:
    x = image = keras.Input((16, 16, 3), name="image")
    for layer in layers:
        x = layer(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(x))
    return keras.Model(image, keras.layers.Dense(4, name="y")(x))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([("Rescaling", 1 / 255)], PIXELS),
        ([("Rescaling", 1 / 127.5, -1)], PIXELS),
        ([("Rescaling", 1 / 255), ("Normalization", -1, MEAN, VARIANCE)], PIXELS),
        ([("Normalization", -1, MEAN, VARIANCE)], UNIT),
        ([("RandomFlip",), ("Rescaling", 1 / 255)], PIXELS),
        ([("Rescaling", 2.0, -1.0)], UNIT),
        ([("Rescaling", 1.0)], None),
        ([("BatchNormalization",)], None),
        ([], None),
    ],
)
def test_the_range_of_pixels_is_read_off_the_first_layers(layers: list[Any], expected: ImageRange | None) -> None:
    keras = import_keras()
    made = [getattr(keras.layers, name)(*arguments) for name, *arguments in layers]
    (spec,) = freeze_keras(network(keras, *made), "net", "net").inputs
    assert spec.prepares == expected


def test_a_model_within_a_model_shows_it_too() -> None:
    keras = import_keras()
    image = keras.Input((16, 16, 3), name="photo")
    outer = keras.Model(image, network(keras, keras.layers.Rescaling(1 / 255))(image))
    (spec,) = freeze_keras(outer, "net", "net").inputs
    assert spec.prepares == PIXELS


def test_an_input_that_is_used_twice_or_is_no_picture_shows_none() -> None:
    keras = import_keras()
    image = keras.Input((16, 16, 3), name="image")
    twice = keras.layers.Concatenate()([keras.layers.Rescaling(1 / 255)(image), image])
    vector = keras.Input((7,), name="vector")
    row = keras.layers.Dense(3)(keras.layers.Rescaling(1 / 255)(vector))
    model = keras.Model([image, vector], [keras.layers.Flatten()(twice), row])
    assert [spec.prepares for spec in freeze_keras(model, "net", "net").inputs] == [None, None]
