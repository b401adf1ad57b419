"""Outputs that nothing writes."""

from __future__ import annotations

from deploy.tflite.model import Model


def unwritten_outputs(compiled: Model) -> tuple[str, ...]:
    """Outputs of a compiled model that nothing writes: what a target answers there is what its memory held before.

    Vela 5.2.0 loses the data of an output that is a constant: the tensor has neither a producer nor a buffer.

    Args:
        compiled: Vela's output.

    Returns:
        One sentence an output, with the way around.
    """
    written = {*compiled.inputs, *(index for operator in compiled.operators for index in operator.outputs)}
    return tuple(
        f"output {name}: nothing in the compiled model writes it, a defect of Vela with outputs that are "
        "constants; way around: take it out of the model's outputs, its value is known"
        for index, name in compiled.output_names().items()
        if index not in written and compiled.tensors[index].data is None
    )
