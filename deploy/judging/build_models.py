"""The two models of a build: what was compiled, and what runs."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.judging.inputs import named_inputs
from deploy.tflite.model import Model, Tensor


@dataclass(frozen=True)
class Models:
    """The model before and after Vela, with inputs and outputs by name in the compiled model's order."""

    source: Model
    compiled: Model
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def read_models(build: BuildFolder) -> Models:
    """Read both models (a build folder reads them once) and check that they have the same outputs.

    Raises:
        BadInputError: they do not belong together.
    """
    source, compiled = build.source_model, build.compiled_model
    outputs = {name: compiled.tensors[index] for index, name in compiled.output_names().items()}
    for index, name in source.output_names().items():
        tensor, other = source.tensors[index], outputs.get(name)
        if other is None or (other.shape, other.dtype) != (tensor.shape, tensor.dtype):
            found = f"{other.dtype}{list(other.shape)}" if other else "none of that name"
            raise BadInputError(
                f"{build.compiled}: output {name} is {found}, in {build.source.name} "
                f"it is {tensor.dtype}{list(tensor.shape)}",
                hints=["run `deploy compile` again"],
            )
    return Models(source, compiled, named_inputs(compiled), outputs)
