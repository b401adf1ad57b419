"""Networks of the model projects: built, with trained or random weights; fed with data."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.assignments import assignments_of
from deploy.errors import BadInputError
from deploy.files import private_folder, replacing
from deploy.zoo.project import Project, find, function, options, pretrained

if TYPE_CHECKING:
    from numpy.typing import NDArray


_SEED = 1
"""Of random weights: the same network, and so the same figures, every time."""


@dataclass(frozen=True)
class Network:
    """A network by name, built.

    Attributes:
        project: it is of.
        options: an instance of the project's options dataclass.
        model: a ``keras.Model``.
        trained: what the weights were trained on; empty for random weights.
        text: how it was asked for, for messages and documents.
    """

    project: Project
    options: Any
    model: Any
    trained: str
    text: str


def network(
    name: str, assignments: Sequence[str] = (), *, trained: bool | None = None, weights: Path | None = None
) -> Network:
    """Build a network by name.

    Args:
        name: of the project.
        assignments: options, see :func:`deploy.zoo.project`.
        trained: True for the weights that the project brings, False for random ones; None for the former where it
            brings some for these options, else the latter.
        weights: load this ``.weights.h5`` file instead.

    Raises:
        BadInputError: unknown name or option; the project brings no weights for these options and they were asked
            for; the file given is not one of weights for this network.
        NotInstalledError: TensorFlow is missing.
    """
    project = find(name)
    chosen = options(project, assignments)
    brought = pretrained(project, chosen) if trained is not False and weights is None else None
    if trained and weights is None and brought is None:
        raise BadInputError(
            f"{project.name} brings no trained weights for these options",
            hints=[*_brought(project), f"deploy models train {project.name}, then --weights FILE"],
        )
    load_tensorflow()
    if weights is None and brought is None:
        seed()
    model, what = function(project, "build")(chosen), ""
    if weights is not None:
        load_weights(model, weights)
        what = str(weights)
    elif brought is not None:
        with importlib.resources.as_file(project.folder / brought.weights) as file:
            load_weights(model, file)
        what = brought.what
    return Network(project, chosen, model, what, " ".join([f"models:{project.name}", *assignments]))


def build(name: str, assignments: Sequence[str] = (), *, trained: bool = True, weights: Path | None = None) -> Any:
    """The ``keras.Model`` of :func:`network`: with the weights that the project brings, or with random ones."""
    return network(name, assignments, trained=trained, weights=weights).model


def seed() -> None:
    """Have random weights be the same ones each time, so that two runs' sizes and cycles can be compared.

    Vela compresses weights: other random ones take other bytes of SRAM.
    """
    import keras

    keras.utils.set_random_seed(_SEED)


def settle(model: Any, images: NDArray[Any]) -> None:
    """Let batch normalization of an untrained network see data once, so that its averages are those of the data.

    With the averages that it starts with, the signal of a deep network fades to 1e-10 or explodes, and no trained
    network resembles what is then quantized: zero scales, folded operators.

    Args:
        model: ``keras.Model`` of one input with random weights; its averages are changed.
        images: a batch for its input, float32 [N, ...].
    """
    layers = [layer for layer in model._flatten_layers() if type(layer).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _brought(project: Project) -> list[str]:
    """What the project has weights for, as a hint."""
    sets = [" ".join(assignments_of(item.options)) or "the defaults" for item in project.pretrained]
    return [f"it brings weights for: {'; '.join(sets)}"] if sets else []


def keras_file(model: Any) -> bytes:
    """A network as the bytes of a ``.keras`` file, not compiled for training."""
    with private_folder("zoo") as folder:
        path = folder / "model.keras"
        model.save(path)
        return path.read_bytes()


def load_weights(model: Any, file: Path) -> None:
    """Load a ``.weights.h5`` file into a ``keras.Model``.

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


def save_weights(model: Any, path: Path) -> None:
    """Write a ``keras.Model``'s weights as a ``.weights.h5`` file, without the optimizer's state.

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


def write_data(name: str, folder: Path, *, count: int) -> tuple[Path, ...]:
    """Write real data to try a network with: calibration, test inputs and labels.

    Args:
        name: of the project.
        folder: where to; made if missing.
        count: how many test inputs.

    Returns:
        The files written: ``calibration.npz``, ``test.npz``, ``labels.json``.

    Raises:
        BadInputError: unknown name, or a project without data.
        NotInstalledError: the data set is missing.
    """
    written: tuple[Path, ...] = function(find(name), "data")(folder, count=count)
    return written


def load_tensorflow() -> None:
    """Import TensorFlow, without what it prints.

    Raises:
        NotInstalledError: it is missing.
    """
    from deploy.chatter import silenced
    from deploy.quantizing.float_model import import_tensorflow

    with silenced():
        import_tensorflow()
