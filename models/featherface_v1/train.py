"""Trains FeatherFace V1 on synthetic scenes of 128x128 pixels: :mod:`deploy.models.face_detection.training`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.models.face_detection import training
from deploy.models.face_detection.data import TRAINED_SIZE
from deploy.models.featherface_v1.builder import Options, build


def train(
    weights: Path,
    *,
    options: Options | None = None,
    epochs: int | None = None,
    scenes: int | None = None,
    seed: int | None = None,
    log: Callable[[str], None] = print,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Any:
    """Train the network and write its weights, which fit an input of any size.

    Args:
        weights: the ``.weights.h5`` file to write.
        options: of the network; its size is 128 while it trains.
        epochs: instead of the recipe's.
        scenes: instead of the recipe's.
        seed: instead of the recipe's.
        log: receives one line an epoch.
        advance: called with (steps done, steps in all).

    Returns:
        The trained ``keras.Model``.

    Raises:
        NotInstalledError: TensorFlow or scikit-image is missing.
    """
    chosen = replace(options or Options(), size=TRAINED_SIZE)
    return training.train(
        lambda: build(chosen),
        TRAINED_SIZE,
        weights,
        epochs=epochs,
        scenes=scenes,
        seed=seed,
        log=log,
        advance=advance,
    )
