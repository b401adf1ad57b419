"""What MODEL on the command line may be, and loading it as a float model."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import user_function
from deploy.chatter import silenced
from deploy.downloads import check_downloaded
from deploy.errors import BadInputError
from deploy.intake.signatures import DEFAULT
from deploy.near_names import near_names
from deploy.zoo import keras_files
from deploy.zoo.networks import network, seed
from deploy.zoo.project import find, import_layers, options

if TYPE_CHECKING:
    from deploy.quantizing.float_model import FloatModel

_PROJECT_PREFIX = "models:"
_LONGEST_NAME = 80
_ACCEPTED = "MODEL: .keras, .h5, a SavedModel folder, .tflite, FILE.py:function, or models:NAME"


class ModelKind(Enum):
    """The forms a model comes in."""

    TFLITE = "TFLite file"
    KERAS = "Keras file"
    SAVED_MODEL = "SavedModel folder"
    FUNCTION = "FILE.py:function"
    PROJECT = "models:NAME"


@dataclass(frozen=True)
class ModelSource:
    """A model as the user named it; nothing is loaded yet.

    Attributes:
        text: as typed.
        kind: how to load it.
        name: short name, for build folders and reports; the options that were set are part of it.
        assignments: options of the network, ``KEY=VALUE`` each.
        signature: of several, the one to take; None for ``serving_default``, or the only one.
    """

    text: str
    kind: ModelKind
    name: str
    assignments: tuple[str, ...] = ()
    signature: str | None = None

    @property
    def project(self) -> str:
        """The model project's name, of ``models:NAME``."""
        return self.text.removeprefix(_PROJECT_PREFIX)

    @property
    def path(self) -> Path:
        """The file or folder (of a function: its file)."""
        return user_function.split(self.text)[0] if self.kind is ModelKind.FUNCTION else Path(self.text)

    @property
    def signature_of_file(self) -> str | None:
        """The signature to take of the ``.tflite``; None where it was taken when the float model was loaded."""
        return None if self.kind is ModelKind.SAVED_MODEL else self.signature


def parse(text: str, assignments: Sequence[str] = (), signature: str | None = None) -> ModelSource:
    """Decide what a MODEL argument is, from its form and from what lies on disk.

    Args:
        text: as typed.
        assignments: options of the network.
        signature: of several, the one to take, which becomes part of the name; None for the default.

    Raises:
        BadInputError: it is none of the accepted forms, does not exist, or does not have these options.
    """
    found = _parsed(text, assignments)
    if signature is None:
        return found
    if found.kind not in (ModelKind.TFLITE, ModelKind.SAVED_MODEL) and signature != DEFAULT:
        raise BadInputError(
            f"--signature {signature}: {text} is a Keras model, which has none to choose from",
            hints=["--signature goes with .tflite files and SavedModels"],
        )
    return dataclasses.replace(found, name=_clean(f"{found.name}-{signature}"), signature=signature)


def _parsed(text: str, assignments: Sequence[str]) -> ModelSource:
    if text.startswith(_PROJECT_PREFIX):
        project = find(text.removeprefix(_PROJECT_PREFIX))
        if assignments:
            options(project, assignments)
        return ModelSource(text, ModelKind.PROJECT, _name(project.name, assignments), tuple(assignments))
    if user_function.is_reference(text):
        file, function = user_function.split(text)
        name = _name(f"{file.stem}_{function}", assignments)
        return ModelSource(text, ModelKind.FUNCTION, name, tuple(assignments))
    if assignments:
        raise BadInputError(
            f"--set {assignments[0]}: {text} is a finished model, it has no options",
            hints=["--set goes with models:NAME and with FILE.py:function"],
        )
    if not text:
        raise BadInputError("no model: its name is empty", hints=[_ACCEPTED])
    path = Path(text)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return ModelSource(text, ModelKind.SAVED_MODEL, _clean(path.resolve().name))
        raise BadInputError(f"{text}: a folder without saved_model.pb is not a SavedModel", hints=[_ACCEPTED])
    if not path.exists():
        raise BadInputError(f"{text}: no such model", hints=[*near_names(path), _ACCEPTED])
    check_downloaded(path)
    kinds = {".tflite": ModelKind.TFLITE, ".keras": ModelKind.KERAS, ".h5": ModelKind.KERAS}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        hint = f"name the function: {text}:build" if path.suffix == ".py" else _ACCEPTED
        raise BadInputError(f"{text}: not a model that can be loaded", hints=[hint])
    return ModelSource(text, kind, _clean(path.stem))


def load_float(source: ModelSource, *, verbose: bool = False) -> FloatModel:
    """Load a float model, which is any kind but ``TFLITE``, and freeze it at batch size 1.

    Executing a SavedModel or a ``FILE.py:function`` runs code of whoever wrote it. ``.keras`` files are loaded in
    Keras' safe mode.

    Raises:
        BadInputError: it cannot be loaded, or its inputs have no fixed shape.
        NotInstalledError: TensorFlow is missing.
    """
    from deploy.quantizing.float_model import freeze_keras, freeze_saved_model, import_tensorflow

    with silenced(verbose=verbose):
        import_tensorflow()
        if source.kind is ModelKind.SAVED_MODEL:
            return freeze_saved_model(source.path, source.name, source.signature)
        return freeze_keras(keras_model(source), source.text, source.name)


def keras_model(source: ModelSource) -> Any:
    """Load a Keras file, ``FILE.py:function`` or ``models:NAME`` as a ``keras.Model``; TensorFlow is imported.

    Raises:
        BadInputError: it cannot be loaded, or the function returns something else.
    """
    import keras

    if source.kind is ModelKind.FUNCTION:
        seed()
        model = user_function.call(source.text, source.assignments)
    elif source.kind is ModelKind.PROJECT:
        model = network(source.project, source.assignments).model
    else:
        import_layers()
        model = keras_files.load(source.path, source.text)
    if not isinstance(model, keras.Model):
        raise BadInputError(
            f"{source.text}: returned {type(model).__module__}.{type(model).__name__}, expected a Keras model"
        )
    return model


def has_size(source: ModelSource) -> bool:
    """Whether the network has an option ``size``, the height and width of its input."""
    if source.kind is ModelKind.FUNCTION:
        return "size" in user_function.parameters(source.text)
    if source.kind is ModelKind.PROJECT:
        return hasattr(options(find(source.project)), "size")
    return False


def with_size(source: ModelSource, size: int) -> ModelSource:
    """The same network with its option ``size`` set."""
    others = [item for item in source.assignments if not item.startswith("size=")]
    return parse(source.text, [*others, f"size={size}"])


def _name(base: str, assignments: Sequence[str]) -> str:
    """``featherface-v1-size320-context-dcn``: a name that tells networks with different options apart."""
    parts = [base]
    for assignment in assignments:
        key, _, value = assignment.partition("=")
        parts.append(f"{key}{value}" if value[:1].isdigit() else f"{key}-{value}")
    name = _clean("-".join(parts))
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def _clean(name: str) -> str:
    """A name fit for folders and documents."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._-") or "model"
