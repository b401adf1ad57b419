"""Training: a short real run, and what the weights file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy import zoo
from deploy.errors import BadInputError
from deploy.models.datasets import fashion_mnist
from deploy.models.distillation.training import Recipe, trainer
from deploy.models.multihead_mobilenetv3.builder import Options
from deploy.models.multihead_mobilenetv3.train import examples, train
from deploy.zoo.networks import save_weights

pytestmark = pytest.mark.skipif(
    not fashion_mnist.FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(heads={"garment": 10}), "heads is"),
        (Options(size=64), "size is 64, but training on Fashion-MNIST needs 56"),
        (Options(channels=3), "channels is 3"),
        (Options(softmax=True), "softmax is True"),
    ],
)
def test_options_that_the_data_does_not_fit_are_refused(options: Options, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=message):
        train(tmp_path / "x.weights.h5", options=options)


def small(_options: Options) -> Any:
    """A network with the demo's inputs and outputs that Keras takes a second to trace."""
    import keras

    image = keras.Input((56, 56, 1), name="image")
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(image)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(3)(keras.layers.BatchNormalization()(x)))
    return keras.Model(image, {name: keras.layers.Dense(n, name=name)(x) for name, n in Options().heads.items()})


@pytest.mark.tensorflow
def test_a_short_training_of_a_small_network_lowers_the_loss_and_writes_weights_that_load(tmp_path: Path) -> None:
    file, lines = tmp_path / "new" / "trial.weights.h5", []
    train_small = trainer(
        Recipe(loss_weights={"garment": 1.0, "kind": 0.3}), Options(), small, examples, save_weights
    )
    model = train_small(file, epochs=2, seed=3, images=640, log=lines.append)
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines]
    assert len(losses) == 2 and losses[1] < 0.9 * losses[0]
    loaded = small(Options())
    loaded.load_weights(file)
    for trained, read in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(trained, read)
    # Weights only: with the optimizer's state it would be more than twice as large.
    assert file.stat().st_size < 1.5 * 4 * model.count_params()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.slow  # Keras takes half a minute to trace its optimizer for so many layers
@pytest.mark.tensorflow
def test_a_short_training_lowers_the_loss_and_writes_weights_that_load(tmp_path: Path) -> None:
    file, lines = tmp_path / "new" / "trial.weights.h5", []
    model = train(file, epochs=2, seed=3, images=640, log=lines.append)
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines]
    assert len(losses) == 2 and losses[1] < 0.9 * losses[0]
    loaded = zoo.build("multihead-mobilenetv3", weights=file)
    for trained, read in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(trained, read)
    # Weights only: with the optimizer's state it would be more than twice as large.
    assert file.stat().st_size < 1_000_000
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_seed_decides_the_first_weights(tmp_path: Path) -> None:
    import keras

    def first_step(seed: int) -> str:
        lines: list[str] = []
        train(tmp_path / "x.weights.h5", epochs=1, seed=seed, images=128, log=lines.append)
        keras.backend.clear_session()
        return lines[0]

    assert first_step(1) == first_step(1) != first_step(2)
