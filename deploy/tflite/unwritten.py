"""Outputs that nothing writes, and variables that nothing initialises."""

from __future__ import annotations

from deploy.tflite.model import NPU_OPERATOR, Model
from deploy.tflite.options import options_of
from deploy.tflite.reading import subgraph
from deploy.tflite.state import CALL_ONCE, READ_VARIABLE


def unwritten(compiled: Model) -> tuple[str, ...]:
    """Outputs of a compiled model that nothing writes: what a target answers there is what its memory held before.

    Vela 5.2.0 loses the data of an output that is a constant: the tensor has neither a producer nor a buffer. For
    U85 it makes resource variables a part of the arena; what initialises them writes into an arena of its own.

    Args:
        compiled: Vela's output.

    Returns:
        One sentence an output, and one for variables, with the way around.
    """
    written = {*compiled.inputs, *(index for operator in compiled.operators for index in operator.outputs)}
    outputs = tuple(
        f"output {name}: nothing in the compiled model writes it, a defect of Vela with outputs that are "
        "constants; way around: take it out of the model's outputs, its value is known"
        for index, name in compiled.output_names().items()
        if index not in written and compiled.tensors[index].data is None
    )
    if not _initialised_elsewhere(compiled):
        return outputs
    return (
        *outputs,
        "variables: nothing in the compiled model initialises them, a defect of Vela for U85, which makes them a "
        "part of the arena; way around: U55 or U65; or the state among the inputs and outputs, and `--state`",
    )


def _initialised_elsewhere(compiled: Model) -> bool:
    """Whether the NPU initialises variables, and nothing that outlives an inference is read."""
    once = [operator for operator in compiled.operators if operator.code == CALL_ONCE]
    if not once or any(operator.code == READ_VARIABLE for operator in compiled.operators):
        return False
    numbers = [getattr(options_of(compiled, operator), "initSubgraphIndex", -1) for operator in once]
    graphs = [subgraph(compiled, number) for number in numbers]
    return any(operator.code == NPU_OPERATOR for graph in graphs for operator in graph.operators)
