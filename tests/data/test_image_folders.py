"""A folder of photos is all that a classifier needs, whatever range of values its network takes."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.cli.main import run
from deploy.quantizing.float_model import import_keras

pytestmark = pytest.mark.early

CLASSES = ("blob", "checks", "down", "up")


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels ``[count, 16, 16, 3]`` and classes of noisy pictures that are not told apart with ease."""
    random = np.random.default_rng(seed)
    kinds = np.arange(count) % len(CLASSES)
    rows, columns = np.mgrid[:16, :16]
    shapes = [
        np.exp(-((rows - 8) ** 2 + (columns - 8) ** 2) / 20) * 2 - 1,
        ((rows // 4 + columns // 4) % 2) * 2.0 - 1,
        np.sin((rows + columns) / 2),
        np.sin((rows - columns) / 2),
    ]
    force = random.uniform(10, 40, (count, 1, 1))
    grey = 128 + force * np.array(shapes)[kinds] + random.normal(0, 45, (count, 16, 16))
    colour = grey[..., None] + random.normal(0, 10, (count, 1, 1, 3))
    return np.clip(colour, 0, 255).astype(np.uint8), kinds


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNGs per class."""
    folder = tmp_path_factory.mktemp("photos")
    images, kinds = pictures(400, seed=7)
    for i, (image, kind) in enumerate(zip(images, kinds, strict=True)):
        (folder / CLASSES[kind]).mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / CLASSES[kind] / f"{i:03}.png")
    return folder


def classifier(keras: Any, preparing: list[Any]) -> Any:
    """A classifier with layers that prepare pixels inside."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    x = image = keras.Input((16, 16, 3), name="image")
    for layer in preparing:
        x = layer(x)
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    return keras.Model(image, layers.Dense(len(CLASSES), name="kind")(layers.Flatten()(x)))


@functools.cache
def trained_weights(signed: bool) -> list[np.ndarray]:
    """Of a classifier of pixels in [0, 1] or, signed, in [-1, 1]."""
    keras = import_keras()
    model = classifier(keras, [])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss)
    images, kinds = pictures(1200, seed=1)
    pixels = images.astype(np.float32) / 255
    model.fit(2 * pixels - 1 if signed else pixels, kinds, epochs=6, verbose=0)
    return list(model.get_weights())


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("preparing", "signed", "low", "high", "options"),
    [
        (["Rescaling", 1 / 255], False, 0, 255, []),
        (["Rescaling", 1 / 127.5, -1], True, 0, 255, []),
        ([], False, 0, 1, []),
        ([], True, -1, 1, ["--image-range", "-1..1"]),
    ],
    ids=["rescaling", "rescaling-signed", "unit", "signed"],
)
@pytest.mark.usefixtures("in_folder")
def test_a_classifier_is_as_accurate_on_target_as_in_float_with_nothing_but_its_folder_of_images(
    preparing: list[Any], signed: bool, low: float, high: float, options: list[str], photos: Path
) -> None:
    keras = import_keras()
    layer, *arguments = preparing or [None]
    model = classifier(keras, [getattr(keras.layers, layer)(*arguments)] if layer else [])
    model.set_weights(trained_weights(signed))
    model.save("net.keras")
    images, kinds = pictures(400, seed=7)
    said = np.asarray(model(low + images.astype(np.float32) / 255 * (high - low))).argmax(axis=1)
    accuracy = float((said == kinds).mean())
    assert 0.8 < accuracy < 1.0

    words = ["compile", "net.keras", "--data", str(photos), "--npu", "U55-64", "-o", "build", "-q", *options]
    assert run([*words, "--verify", "none", "--advice", "none"]) == 0
    # What the input was quantized for says how images are scaled from here on.
    assert run(["evaluate", "build", "--data", str(photos), "--json", "e.json", "-q"]) == 0
    (output,) = json.loads(Path("e.json").read_text())["outputs"]
    scores = {score["contestant"]: score["accuracy"] for score in output["scores"]}
    assert scores["float"] == pytest.approx(accuracy, abs=1e-9)
    assert abs(scores["target"] - accuracy) <= 0.005
    assert run(["verify", "build", "--data", str(photos), "--json", "v.json", "-q"]) == 0
    verdict = json.loads(Path("v.json").read_text())
    assert verdict["inputs"] == len(images)
    assert f"images scaled to {low:g}..{high:g}" in verdict["input_source"]
    right = [each["target"] == each["true"] for each in verdict["predictions"]]
    assert np.mean(right) == pytest.approx(scores["target"])
