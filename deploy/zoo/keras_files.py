"""Loads ``.keras`` and ``.h5`` files, those of Keras 2 too, or says what in them Keras 3 cannot load."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError, DeployError

_CONVERTED_WHERE_TRAINED = (
    "convert it where it was trained, tf.lite.TFLiteConverter.from_keras_model(model) with "
    "optimizations=[tf.lite.Optimize.DEFAULT], and pass the .tflite: it is integer already"
)
_BUILD_IT = "pass FILE.py:function, a function that builds the network with Keras 3 and loads its weights"

_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        r"Quantize(Wrapper|Layer|Annotate)",
        "made for quantization-aware training: QuantizeWrapper of tensorflow_model_optimization needs Keras 2",
        _CONVERTED_WHERE_TRAINED,
    ),
    (
        r"PruneLowMagnitude",
        "its layers are wrapped for pruning by tensorflow_model_optimization, which needs Keras 2",
        "take the wrappers off where it was trained, tfmot.sparsity.keras.strip_pruning(model), and save it again",
    ),
    (
        r"TFOpLambda|SlicingOpLambda",
        "Keras 2 wrote functions of TensorFlow into it as layers (TFOpLambda), which Keras 3 does not have",
        "save it as a SavedModel where it was trained, model.export(folder), and pass that folder",
    ),
)
"""What is found in Keras' error, what it means, and what helps."""


def check(path: Path, source: str) -> None:
    """Check, before Keras is imported, which takes long, that a ``.keras`` file is the archive that it should be.

    Raises:
        BadInputError: it is none, or not all of one, or cannot be read.
    """
    if path.suffix.lower() != ".keras":
        return
    try:
        with path.open("rb") as file:  # of one that cannot be read zipfile says that it is none
            whole = zipfile.is_zipfile(file)
    except OSError as error:
        raise BadInputError(f"{source}: cannot be read: {error.strerror}") from error
    if not whole:
        raise _reason("it is no zip archive", source)


def load(path: Path, source: str) -> Any:
    """Load a Keras file in Keras' safe mode; Keras is imported.

    Args:
        path: the file.
        source: what the user typed, for messages.

    Raises:
        BadInputError: Keras cannot load it; the message says why.
    """
    check(path, source)
    import keras

    try:
        return keras.models.load_model(path, compile=False, custom_objects=_of_keras_2())
    except DeployError:
        raise
    except Exception as error:  # Keras raises whatever the layers, zipfile or h5py raise
        raise _reason(str(error) or type(error).__name__, source) from error


def _of_keras_2() -> dict[str, Any]:
    """Layers that Keras 2 wrote with arguments that Keras 3 does not know, and that say nothing."""
    import keras

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            known = {key: value for key, value in config.items() if key != "groups" or value != 1}
            return keras.layers.DepthwiseConv2D.from_config(known)

    return {"DepthwiseConv2D": DepthwiseConv2D}


def _reason(said: str, source: str) -> BadInputError:
    for pattern, reason, hint in _REASONS:
        if re.search(pattern, said):
            return BadInputError(f"{source}: Keras cannot load it: {reason}", hints=[hint])
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    hints = ["the file may be truncated or not be a Keras model"]
    if re.search(r"custom|Could not locate (class|function)|Lambda|unsafe", said):
        hints = ["a model with custom or Lambda layers: pass FILE.py:function, a function that builds it"]
    elif unknown := re.search(r"Unrecognized keyword arguments passed to (\w+): (\{[^}]*\})", said):
        lines = [f"Keras 3 has no {unknown[2]} for {unknown[1]}, which Keras 2 wrote"]
        hints = [_BUILD_IT]
    return BadInputError(f"{source}: Keras cannot load it: {lines[0][:300]}", hints=hints)
