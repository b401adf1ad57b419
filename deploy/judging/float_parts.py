"""Outputs that are computed in floating point: what decides about them, and what of them means anything.

A rounding of one LSB in front of a float operator may change anything behind it: which boxes a detector keeps, the
largest of many numbers. So such outputs are not held to the reference end to end. The quantized tensors that they
are computed from are, within the tolerance; what is made of those, a target has to compute as the NPU model's host
does, within a float tolerance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.samples import Sample
from deploy.tflite import Model, Operator, damage_named, load
from deploy.tflite.arithmetic import in_front_of_float
from deploy.tflite.records import packed, unpacked

_INSIDE = " (in front of float operators)"


def inner_names(model: Model) -> dict[int, str]:
    """The tensors that decide about float outputs: index -> a name that no output has."""
    return {index: f"{model.tensors[index].name}{_INSIDE}" for index in in_front_of_float(model)}


def is_inner(name: str) -> bool:
    """Whether a name is that of such a tensor."""
    return name.endswith(_INSIDE)


def watched(model: Model) -> Model:
    """A model with those tensors among its outputs; the model itself where there are none.

    Raises:
        BadInputError: the file is damaged.
    """
    inner = inner_names(model)
    if not inner:
        return model
    names = {name: index for index, name in {**model.output_names(), **inner}.items()}
    with damage_named("the model"):
        record = unpacked(model.content)
        record.subgraphs[0].outputs = [*model.outputs, *inner]
        found = load(packed(record), source="the model")
    return dataclasses.replace(found, signature=model.signature_with(names))


def leaves_memory(operator: Operator) -> bool:
    """Whether an operator leaves memory as it was in a part of its outputs.

    TFLite_Detection_PostProcess writes as many boxes as it finds, and says how many in its last output.
    """
    return operator.code == "TFLite_Detection_PostProcess" and len(operator.outputs) == 4


def defined(operator: Operator, values: Mapping[int, NDArray[Any]]) -> Mapping[int, NDArray[Any]]:
    """What operators compute, with 0 where one leaves memory as it was.

    Args:
        operator: that computed the values.
        values: tensor index -> ``(batch, *shape)``, its outputs among them.
    """
    if not leaves_memory(operator):
        return values
    *lists, number = operator.outputs
    if not all(index in values and (index == number or values[index].ndim > 2) for index in operator.outputs):
        return values
    counts = values[number].reshape(len(values[number]), -1)[:, :1]
    found = dict(values)
    for index in lists:
        array = values[index]
        places = np.arange(array.shape[2])[np.newaxis, :]
        written = (places < counts).reshape(len(array), 1, -1, *(1,) * (array.ndim - 3))
        found[index] = np.where(written, array, array.dtype.type(0))
    return found


def defined_outputs(model: Model, answers: Sequence[Sample]) -> Sequence[Sample]:
    """Answers with 0 where the model's operators leave memory as it was; outputs by name."""
    partial = [operator for operator in model.operators if leaves_memory(operator)]
    if not partial:
        return answers
    names = {name: index for index, name in model.output_names().items()}
    return [_defined_outputs(partial, names, answer) for answer in answers]


def _defined_outputs(partial: Sequence[Operator], names: Mapping[str, int], answer: Sample) -> Sample:
    found: Mapping[int, NDArray[Any]] = {
        index: answer[name][np.newaxis] for name, index in names.items() if name in answer
    }
    for operator in partial:
        found = defined(operator, found)
    return {name: found[names[name]][0] if name in names else array for name, array in answer.items()}
