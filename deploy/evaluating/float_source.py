"""Finds the float model that a build was made of, where the build says which and loading it is harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.build_folder import QUANTIZE_DOCUMENT, BuildFolder
from deploy.errors import BadInputError, DeployError, NotInstalledError
from deploy.reporting.documents import read_quantization

if TYPE_CHECKING:
    from deploy.quantizing.float_model import FloatModel
    from deploy.quantizing.model_source import ModelSource

_RANDOM = "random weights"


def load_given(source: ModelSource) -> FloatModel:
    """Load the float model that the user named.

    Raises:
        BadInputError: it cannot be loaded, or is no float model.
        NotInstalledError: TensorFlow is missing.
    """
    from deploy.quantizing import model_source

    if source.kind is model_source.ModelKind.TFLITE:
        raise BadInputError(
            f"--model {source.text}: a TFLite model is quantized", hints=["the Keras model it was converted from"]
        )
    return model_source.load_float(source)


def load_known(build: BuildFolder) -> tuple[FloatModel | None, str]:
    """Load the float model that a build knows.

    A ``.keras`` or ``.h5`` file (read in Keras' safe mode) and a network by name are loaded. A SavedModel or a
    function could run anybody's code, so these have to be named by the user.

    Returns:
        The model and an empty note; or None, and why there is none.
    """
    from deploy.quantizing import model_source

    path = build.path / QUANTIZE_DOCUMENT
    if not path.is_file():
        return None, "no float model: the build was made from a quantized model; --model MODEL names one"
    document = read_quantization(path)
    if any(warning.startswith(_RANDOM) for warning in document.warnings):
        return None, f"no float model: {document.model} has random weights"
    try:
        source = _parse(document.model)
        if source.kind not in (model_source.ModelKind.KERAS, model_source.ModelKind.PROJECT):
            return None, f"no float model: --model {document.model} would run its code"
        return model_source.load_float(source), ""
    except NotInstalledError as error:
        return None, f"no float model: {error.message}"
    except DeployError as error:
        return None, f"no float model: {error.message}; --model MODEL names another place"


def _parse(text: str) -> ModelSource:
    """A model as documents name it: with the options of a network by name behind it."""
    from deploy.quantizing import model_source

    try:
        return model_source.parse(text)
    except BadInputError:
        name, *assignments = text.split()
        if not assignments:
            raise
        return model_source.parse(name, assignments)
