"""Inputs and outputs that later steps can tell apart: each a tensor of its own, with a name of its own.

Vela calls tensors without a name all the same, and what runs a compiled model finds inputs and outputs by name.
An output that is an input, or another output, too, becomes a copy (RESHAPE): the model's interface stays as it is.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from deploy.tflite import Model, schema
from deploy.tflite.records import text_of


def is_plain(model: Model) -> bool:
    """Whether nothing has to be done: every input and output is a tensor of its own, and named."""
    ends = (*model.inputs, *model.outputs)
    names = [model.tensors[index].name for index in ends]
    return len(set(ends)) == len(ends) == len(set(names)) and all(names)


def name_tensors(record: Any) -> tuple[str, ...]:
    """Give inputs, outputs and whatever else has no name in the first subgraph one that is its own.

    An only input is ``input``, of several they are ``input_0`` and so on; outputs likewise. Inputs and outputs
    that share a name get a number behind it.

    Args:
        record: ``ModelT``; is changed.

    Returns:
        A note for each input and output that is called otherwise than in the file; none where a signature names
        them for the user.
    """
    graph = record.subgraphs[0]
    ends = [("input", index) for index in graph.inputs] + [("output", index) for index in graph.outputs]
    before = [text_of(graph.tensors[index].name) for _, index in ends]
    for word, ends_of in (("input", graph.inputs), ("output", graph.outputs)):
        for position, index in enumerate(ends_of):
            if not text_of(graph.tensors[index].name):
                graph.tensors[index].name = word if len(ends_of) == 1 else f"{word}_{position}"
    for position, tensor in enumerate(graph.tensors):
        tensor.name = text_of(tensor.name) or f"tensor_{position}"
    taken = Counter(tensor.name for tensor in graph.tensors)
    seen: set[str] = set()
    for index in dict.fromkeys((*graph.inputs, *graph.outputs)):
        tensor = graph.tensors[index]
        if tensor.name in seen:
            tensor.name = _free(tensor.name, taken)
        seen.add(tensor.name)
    if record.signatureDefs:
        return ()
    return tuple(
        f"{word} tensor {index} {f'shares the name {was}' if was else 'has no name in the file'}: "
        f"it is called {graph.tensors[index].name}"
        for (word, index), was in dict(zip(ends, before, strict=True)).items()
        if graph.tensors[index].name != was
    )


def copy_shared_outputs(record: Any) -> tuple[str, ...]:
    """Make every output of the first subgraph a tensor that is no input and no other output.

    Args:
        record: ``ModelT`` whose tensors have names; is changed.

    Returns:
        A note for each that was copied.
    """
    graph = record.subgraphs[0]
    taken = Counter(tensor.name for tensor in graph.tensors)
    notes, seen = [], set(map(int, graph.inputs))
    outputs = list(map(int, graph.outputs))
    for position, index in enumerate(outputs):
        if index not in seen:
            seen.add(index)
            continue
        what = "is an input passed through" if index in graph.inputs else "is another output again"
        outputs[position] = _copied(record, index, taken)
        name = _renamed_in_signatures(record, index, outputs[position]) or graph.tensors[outputs[position]].name
        notes.append(f"output {position} ({name}) {what}: it is compiled as a copy (RESHAPE)")
    graph.outputs = outputs
    return tuple(notes)


def _copied(record: Any, index: int, taken: Counter[str]) -> int:
    """Append an operator that copies a tensor; returns the copy."""
    classes, graph = schema(), record.subgraphs[0]
    original = graph.tensors[index]
    shape = classes.TensorT()
    shape.name, shape.shape = _free(f"{original.name}_shape", taken), [len(_shape(original))]
    shape.type, shape.buffer = classes.TensorType.INT32, len(record.buffers)
    content = classes.BufferT()
    content.data = np.frombuffer(np.asarray(_shape(original), "<i4").tobytes(), np.uint8)
    record.buffers.append(content)
    copy = classes.TensorT()
    copy.name, copy.shape, copy.type = _free(f"{original.name}_copy", taken), _shape(original), original.type
    copy.quantization = original.quantization
    graph.tensors += [shape, copy]
    operator = classes.OperatorT()
    operator.opcodeIndex = _code(record, classes.BuiltinOperator.RESHAPE)
    operator.inputs, operator.outputs = [index, len(graph.tensors) - 2], [len(graph.tensors) - 1]
    operator.builtinOptionsType = classes.BuiltinOptions.ReshapeOptions
    operator.builtinOptions = classes.ReshapeOptionsT()
    operator.builtinOptions.newShape = _shape(original)
    graph.operators = [*(graph.operators or []), operator]
    return len(graph.tensors) - 1


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(size) for size in tensor.shape]


def _code(record: Any, builtin: int) -> int:
    code = schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    record.operatorCodes = [*(record.operatorCodes or []), code]
    return len(record.operatorCodes) - 1


def _renamed_in_signatures(record: Any, old: int, new: int) -> str:
    """Let a signature's last output of a tensor be its copy; returns the name, empty where there is none."""
    for definition in record.signatureDefs or []:
        for entry in reversed(definition.outputs or []):
            if definition.subgraphIndex == 0 and entry.tensorIndex == old:
                entry.tensorIndex = new
                return text_of(entry.name)
    return ""


def _free(name: str, taken: Counter[str]) -> str:
    """A name that no tensor has yet; it is taken then."""
    number, found = 1, name
    while found in taken:
        found = f"{name}_{number}"
        number += 1
    taken[found] += 1
    return found
