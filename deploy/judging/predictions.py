"""What the outputs mean: the label that each output gives to each input, by arg max, with softmax on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.labels import Labels, OutputLabels
from deploy.judging.comparison import dequantize, output_scale, softmax
from deploy.judging.logits import is_logits
from deploy.judging.verdict import Prediction
from deploy.tflite import Model


def all_predictions(
    source: Model,
    answers: Sequence[dict[str, NDArray[Any]]],
    expected: Sequence[dict[str, NDArray[Any]]],
    labels: Labels,
    floats: Sequence[dict[str, NDArray[Any]]] = (),
) -> tuple[Prediction, ...]:
    """What every output with classes says about every input.

    Args:
        source: the quantized model that was compiled.
        answers: per input, the target's outputs by name.
        expected: per input, the reference's outputs by name.
        labels: class names and true labels, where they are known.
        floats: per input, the float model's outputs by name; empty where there is no float model.
    """
    predictions: list[Prediction] = []
    custom = {index for operator in source.operators if operator.is_custom for index in operator.outputs}
    for index, name in source.output_names().items():
        tensor = source.tensors[index]
        if index in custom:  # a detector's lists
            continue
        if len(tensor.shape) < 2 or tensor.shape[-1] < 2 or tensor.elements != tensor.shape[-1]:
            continue
        scale = output_scale(source, tensor)
        target = dequantize(np.stack([answer[name] for answer in answers]), scale)
        reference = dequantize(np.stack([sample[name] for sample in expected]), scale)
        if np.isfinite(target).all():
            logits = is_logits(source, index)
            known = [sample[name].astype(np.float64) for sample in floats if name in sample]
            predictions += _predictions(name, target, reference, labels, known, logits=logits)
    return tuple(predictions)


def _predictions(
    name: str,
    target: NDArray[np.float64],
    reference: NDArray[np.float64],
    labels: Labels,
    floats: Sequence[NDArray[np.float64]],
    *,
    logits: bool,
) -> list[Prediction]:
    """Arg max, label and softmax per input for an output [inputs, 1, ..., classes]."""
    known = labels.get(name)
    target, reference = (values.reshape(len(values), -1) for values in (target, reference))
    probabilities = softmax(target) if logits else None
    by_float = [int(values.argmax()) for values in floats]
    predictions = []
    for i, (ours, theirs) in enumerate(zip(target.argmax(axis=1), reference.argmax(axis=1), strict=True)):
        true = known.true[i] if known and i < len(known.true) else None
        predictions.append(
            Prediction(
                input=i,
                output=name,
                target=_label(known, int(ours)),
                reference=_label(known, int(theirs)),
                probability=None if probabilities is None else round(float(probabilities[i, ours]), 6),
                true=known.name(true) if known and true is not None else None,
                float_model=_label(known, by_float[i]) if i < len(by_float) else None,
            )
        )
    return predictions


def _label(labels: OutputLabels | None, number: int) -> str:
    return labels.name(number) if labels else str(number)
