"""``.weights.h5`` files of networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.files import replacing


def load(model: Any, file: Path) -> None:
    """Load weights into a ``keras.Model``.

    Raises:
        BadInputError: there is no such file, or it does not fit the network.
    """
    if not file.is_file():
        raise BadInputError(f"{file}: no such weights file")
    try:
        model.load_weights(file)
    except Exception as error:  # Keras and h5py raise a dozen kinds for a file that does not fit.
        first = str(error).strip().splitlines()
        raise BadInputError(
            f"{file}: not weights of this network: {first[0] if first else type(error).__name__}",
            hints=["pass the same --set options as in training"],
        ) from error


def save(model: Any, path: Path) -> None:
    """Write a ``keras.Model``'s weights, without the optimizer's state.

    Raises:
        BadInputError: the file cannot be written.
    """
    import keras

    # The same layers in a model that is not compiled: the file would hold the optimizer's state otherwise.
    bare = keras.Model(model.input, model.output)
    with replacing(path) as temporary:
        own = temporary.with_name(temporary.name + ".weights.h5")  # Keras insists on the ending.
        try:
            bare.save_weights(own)
            own.replace(temporary)
        finally:
            own.unlink(missing_ok=True)
