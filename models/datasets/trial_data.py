"""Writes what a user tries a network with: calibration data, test inputs, and what they show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.files import replacing, write_text

INPUT_NAME: Final = "image"


def write_trial_data(
    folder: Path, calibration: NDArray[Any], images: NDArray[Any], truth: str, document: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write ``calibration.npz`` and ``test.npz``, each with an array ``image``, and what the images show.

    Args:
        folder: where to; made if missing.
        calibration: [N, ...], as the float network takes it.
        images: [N, ...], as the quantized network takes them.
        truth: name of the JSON file.
        document: what it holds.

    Returns:
        The three files.

    Raises:
        BadInputError: the folder cannot be written.
    """
    files = folder / "calibration.npz", folder / "test.npz", folder / truth
    for path, array in zip(files, (calibration, images), strict=False):
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **{INPUT_NAME: array})
    write_text(files[2], json.dumps(document) + "\n")
    return files
