"""Training of MobileNetV4: what the data does not fit, and a short real run with a larger network as teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy import zoo
from deploy.errors import BadInputError
from deploy.models.datasets import fashion_mnist
from deploy.models.mobilenetv4.builder import Options
from deploy.models.mobilenetv4.train import network_input, train
from deploy.zoo import training

FITTING = {"classes": 10, "channels": 1, "size": 32}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1000}, "classes is 1000, but training on Fashion-MNIST needs 10"),
        ({"channels": 3}, "channels is 3, but training on Fashion-MNIST needs 1"),
        ({"size": 0}, "size is 224, but training on Fashion-MNIST needs 32 or 64"),
    ],
)
def test_options_that_the_data_does_not_fit_are_refused(
    changes: dict[str, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=message) as raised:
        train(tmp_path / "x.weights.h5", options=Options(**{**FITTING, **changes}))
    assert raised.value.hints == ("--set classes=10 --set channels=1 --set size=32",)


@pytest.mark.parametrize("size", [32, 64])
def test_an_image_becomes_an_input_without_interpolation(size: int) -> None:
    image = np.random.default_rng(0).integers(1, 256, (2, 28, 28), np.uint8)
    given = network_input(image, size)
    assert given.shape == (2, size, size, 1) and given.dtype == np.uint8
    times = size // 32
    inner = given[:, 2 * times : -2 * times : times, 2 * times : -2 * times : times, 0]
    assert np.array_equal(inner, image)
    assert np.count_nonzero(given) == image.size * times**2


@pytest.mark.slow  # Keras takes a minute to trace its optimizer for so many layers
@pytest.mark.tensorflow
@pytest.mark.skipif(not fashion_mnist.FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_a_wider_network_teaches_a_narrow_one(tmp_path: Path) -> None:
    options = ["classes=10", "channels=1", "size=32"]
    wide, narrow = tmp_path / "wide.weights.h5", tmp_path / "narrow.weights.h5"
    zoo.network("mobilenetv4", [*options, "width=0.5"], trained=False).model.save_weights(wide)
    lines: list[str] = []
    teacher = training.TeacherChoice("models:mobilenetv4", [*options, "width=0.5"], wide)
    chosen = [*options, "width=0.25"]
    training.train("mobilenetv4", narrow, chosen, epochs=2, images=256, teacher=teacher, log=lines.append)
    # The wide one is not trained, which its accuracy tells.
    before, *epochs = lines
    assert before.startswith(
        "teacher models:mobilenetv4 classes=10 channels=1 size=32 width=0.5: accuracy on 256 "
    )
    assert float(before.rpartition(" ")[2]) < 0.4
    assert [line.partition(": ")[0] for line in epochs] == ["epoch 1/2", "epoch 2/2"]
    assert all("training accuracy logits 0." in line for line in epochs)
    assert zoo.network("mobilenetv4", chosen, weights=narrow).trained == str(narrow)
