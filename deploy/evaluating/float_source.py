"""The float model to compare with: the one that the user names, else the one that the build folder keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.data.specs import InputSpec, specs_of
from deploy.errors import BadInputError
from deploy.judging.oracles import OptimisedKernels

if TYPE_CHECKING:
    from deploy.quantizing.float_model import FloatModel
    from deploy.zoo.model_source import ModelSource


@dataclass(frozen=True)
class FloatFile:
    """A float ``.tflite`` on LiteRT's optimised kernels, which differ from TensorFlow in the last bits only."""

    source: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    kernels: OptimisedKernels

    def run(self, sample: dict[str, NDArray[Any]], /, *, keep_state: bool = False) -> Mapping[str, NDArray[Any]]:
        """Outputs by name; ``keep_state`` starts from the state that the last run left."""
        return self.kernels.run(sample, keep_state=keep_state)


FloatNetwork: TypeAlias = "FloatModel | FloatFile"
"""A float model that can be run, one input at a time."""


def load_given(source: ModelSource) -> FloatNetwork:
    """Load the float model that the user named.

    Raises:
        BadInputError: it cannot be loaded, or is a TFLite file.
        NotInstalledError: TensorFlow is missing.
    """
    from deploy.zoo import model_source

    if source.kind is model_source.ModelKind.TFLITE:
        raise BadInputError(
            f"--model {source.text}: a TFLite model is quantized", hints=["the Keras model it was converted from"]
        )
    return model_source.load_float(source)


def load_kept(build: BuildFolder) -> tuple[FloatNetwork | None, str]:
    """Load the float model that a build folder keeps where ``deploy compile`` quantized the model itself.

    Returns:
        The model and an empty note; or None, and why there is none.

    Raises:
        NotInstalledError: LiteRT is missing.
    """
    path = build.float_model
    if path is None:
        return None, "no float model: the build keeps none; --model MODEL names one"
    try:
        model = tflite.read(path)
        kernels = OptimisedKernels(model)
    except BadInputError as error:
        return None, f"no float model: {error.message}"
    return FloatFile(str(path), specs_of(model), tuple(model.output_names().values()), kernels), ""
