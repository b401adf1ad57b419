"""Fashion-MNIST as the network takes it: real garments to train, calibrate and test with.

The images are 28x28 grayscale. The network's input is 56x56: every pixel is repeated twice in both directions
(``numpy.repeat``), nothing else. The first convolution has stride 2, so that the network sees the original
resolution after it; and the preprocessing is exact, has no library version in it, and is a one-liner on any host.

``calibration`` and ``test_inputs`` can be named wherever DATA is asked for (``fashion_mnist.py:calibration``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.models.datasets.fashion_mnist import GARMENTS, SIDE, Split, load_test, load_training
from deploy.models.datasets.trial_data import write_trial_data
from deploy.models.multihead_mobilenetv3.builder import Options

KINDS: Final = ("Top", "Trousers", "Dress", "Footwear", "Bag")
"""Names of the second head's classes."""

KIND_OF_GARMENT: Final = (0, 1, 0, 2, 0, 3, 0, 3, 4, 3)
"""Garment class -> kind class."""

CLASS_NAMES: Final = {"garment": GARMENTS, "kind": KINDS}
"""Head name -> class names."""

SCALE: Final = 2
"""How often each pixel is repeated in both directions."""


def labels_of(split: Split) -> dict[str, NDArray[np.uint8]]:
    """Head name -> uint8 [N], indices into ``CLASS_NAMES`` of that head."""
    kinds = np.asarray(KIND_OF_GARMENT, np.uint8)[split.garments]
    return {"garment": split.garments, "kind": kinds}


def network_input(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The network's input for stored images: pixels repeated, a channel dimension added.

    Args:
        images: uint8 [N, 28, 28].

    Returns:
        uint8 [N, 56, 56, 1]; divide by 255 for the float network, feed as it is to the quantized one.
    """
    return images.repeat(SCALE, axis=1).repeat(SCALE, axis=2)[..., np.newaxis]


def calibration(count: int = 300) -> NDArray[np.float32]:
    """The first training images (their order is random), to choose quantization ranges with.

    Returns:
        float32 [count, 56, 56, 1] in [0, 1].
    """
    return network_input(load_training().images[:count]).astype(np.float32) / np.float32(255)


def calibration_for(options: Options, *, count: int) -> NDArray[np.float32]:
    """Training images as a network of the family takes them.

    For another input than 56x56 the stored images are resized (bilinear), for RGB the gray value is repeated.

    Returns:
        float32 [N, size, size, channels] in [0, 1].
    """
    if options.size == SIDE * SCALE:
        images = calibration()
    else:
        images = np.stack([_resized(image, options.size) for image in load_training().images[:count]])
    return np.repeat(images, options.channels, axis=3)


def test_inputs(count: int = 10_000) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.uint8]]]:
    """The first test images and their labels.

    Returns:
        uint8 [count, 56, 56, 1], and head name -> uint8 [count].
    """
    split = load_test()
    return network_input(split.images[:count]), {name: label[:count] for name, label in labels_of(split).items()}


def write(folder: Path, *, count: int = 200) -> tuple[Path, ...]:
    """Write what ``deploy quantize`` and ``deploy run-fvp`` take.

    ``calibration.npz`` holds ``image`` float32 [300, 56, 56, 1] in [0, 1]; ``test.npz`` ``image`` uint8
    [count, 56, 56, 1]; ``labels.json`` per head the class names and the true class of each test image.

    Returns:
        The three files.

    Raises:
        BadInputError: ``count`` out of range, or the folder cannot be written.
        NotInstalledError: the data set is not there.
    """
    images, labels = test_inputs(count)
    if not 1 <= count <= len(images):
        raise BadInputError(f"{count} test images asked for, the data set has 1 to {len(load_test().images)}")
    document = {
        head: {"classes": CLASS_NAMES[head], "true": [int(number) for number in numbers]}
        for head, numbers in labels.items()
    }
    return write_trial_data(folder, calibration(), images, "labels.json", document)


def _resized(image: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    from PIL import Image

    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32)[..., np.newaxis] / np.float32(255)
