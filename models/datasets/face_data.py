"""Synthetic scenes to train, calibrate and try a face detector with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.models.datasets import synthetic_faces
from deploy.models.datasets.trial_data import write_trial_data
from deploy.models.face_detection.anchors import Scene

TRAINED_SIZE: Final = 128
"""Height and width of the training scenes in pixels."""
CALIBRATION_SCENES: Final = 200
_FIRST_CALIBRATION_SEED: Final = 500_000
_MOST: Final = 10_000
_FEWEST: Final = 8


def training_scene(size: int, seed: int) -> Scene:
    """A scene of the training part, the same for the same arguments."""
    return synthetic_faces.scene("train", size, seed)


def test_scenes(count: int) -> tuple[Scene, ...]:
    """The first test scenes, with faces and photographs that no training scene has."""
    return tuple(synthetic_faces.scene("test", TRAINED_SIZE, seed) for seed in range(count))


def calibration(size: int, count: int = CALIBRATION_SCENES) -> NDArray[np.float32]:
    """Scenes of the training part to choose quantization ranges with, float32 [count, size, size, 3] in [0, 1]."""
    scenes = (training_scene(size, _FIRST_CALIBRATION_SEED + i).image for i in range(count))
    return np.stack([image.astype(np.float32) / np.float32(255) for image in scenes])


def calibration_for(options: Any, *, count: int) -> NDArray[np.float32]:
    """:func:`calibration` for a network's options, as a model project's ``calibration`` role; fewer large ones."""
    affordable = CALIBRATION_SCENES * TRAINED_SIZE**2 // options.size**2
    return calibration(options.size, max(_FEWEST, min(count, affordable, CALIBRATION_SCENES)))


def write(folder: Path, *, count: int = 200) -> tuple[Path, ...]:
    """Write what ``deploy quantize`` and ``deploy run-fvp`` take, 128x128, and where the faces are.

    ``calibration.npz`` holds ``image`` float32 [200, 128, 128, 3] in [0, 1]; ``test.npz`` ``image`` uint8
    [count, 128, 128, 3]; ``faces.json`` per test image the boxes (left, top, right, bottom) and landmarks as
    fractions of the image.

    Returns:
        The three files.

    Raises:
        BadInputError: ``count`` out of range, or the folder cannot be written.
        NotInstalledError: scikit-image is missing.
    """
    if not 1 <= count <= _MOST:
        raise BadInputError(f"{count} test images asked for, there are 1 to {_MOST:,}")
    scenes = test_scenes(count)
    faces = [{"boxes": scene.boxes.tolist(), "landmarks": scene.landmarks.tolist()} for scene in scenes]
    return write_trial_data(
        folder,
        calibration(TRAINED_SIZE),
        np.stack([scene.image for scene in scenes]),
        "faces.json",
        {"size": TRAINED_SIZE, "images": faces},
    )
