"""The two models of a build: what was compiled, and what runs."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.judging.inputs import named_inputs
from deploy.tflite import Model, Tensor


@dataclass(frozen=True)
class Models:
    """The model before and after Vela, with inputs and outputs by name in the compiled model's order."""

    source: Model
    compiled: Model
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def read_models(build: BuildFolder) -> Models:
    """Read both models (a build folder reads them once) and check that they have the same inputs and outputs.

    Vela may drop an input that nothing reads.

    Raises:
        BadInputError: they do not belong together.
    """
    source, compiled = build.source_model, build.compiled_model
    inputs, outputs = named_inputs(compiled), _named_outputs(compiled)
    own_inputs, own_outputs = named_inputs(source), _named_outputs(source)
    pairs = [("output", name, outputs.get(name), own_outputs.get(name)) for name in {**own_outputs, **outputs}]
    pairs += [("input", name, tensor, own_inputs.get(name)) for name, tensor in inputs.items()]
    for what, name, tensor, own in pairs:
        if tensor is None or own is None or (tensor.shape, tensor.dtype) != (own.shape, own.dtype):
            raise BadInputError(
                f"{build.compiled}: {what} {name} is {_described(tensor)}, in {build.source.name} "
                f"it is {_described(own)}",
                hints=["run `deploy compile` again"],
            )
    return Models(source, compiled, inputs, outputs)


def _named_outputs(model: Model) -> dict[str, Tensor]:
    return {name: model.tensors[index] for index, name in model.output_names().items()}


def _described(tensor: Tensor | None) -> str:
    return f"{tensor.dtype}{list(tensor.shape)}" if tensor else "none of that name"
