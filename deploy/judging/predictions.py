"""What the outputs mean: the label that each output gives to each input, by arg max, with softmax on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.comparison import dequantize, output_scale, softmax
from deploy.judging.labels import Labels, is_logits
from deploy.judging.verdict import Prediction
from deploy.tflite_model import Model


def all_predictions(
    source: Model,
    answers: Sequence[dict[str, NDArray[Any]]],
    expected: Sequence[dict[str, NDArray[Any]]],
    labels: Labels,
) -> tuple[Prediction, ...]:
    """What every output with classes says about every input."""
    predictions: list[Prediction] = []
    for index, name in source.output_names().items():
        tensor = source.tensors[index]
        if len(tensor.shape) < 2 or tensor.shape[-1] < 2 or tensor.elements != tensor.shape[-1]:
            continue
        scale = output_scale(source, tensor)
        target = dequantize(np.stack([answer[name] for answer in answers]), scale)
        reference = dequantize(np.stack([sample[name] for sample in expected]), scale)
        if np.isfinite(target).all():
            predictions += _predictions(name, target, reference, labels, logits=is_logits(source, index))
    return tuple(predictions)


def _predictions(
    name: str,
    target: NDArray[np.float64],
    reference: NDArray[np.float64],
    labels: Labels,
    *,
    logits: bool,
) -> list[Prediction]:
    """Arg max, label and softmax per input for an output [inputs, 1, ..., classes]."""
    known = labels.get(name)
    target, reference = (values.reshape(len(values), -1) for values in (target, reference))
    probabilities = softmax(target) if logits else None
    predictions = []
    for i, (ours, theirs) in enumerate(zip(target.argmax(axis=1), reference.argmax(axis=1), strict=True)):
        true = known.true[i] if known and i < len(known.true) else None
        predictions.append(
            Prediction(
                input=i,
                output=name,
                target=known.name(int(ours)) if known else str(ours),
                reference=known.name(int(theirs)) if known else str(theirs),
                probability=None if probabilities is None else round(float(probabilities[i, ours]), 6),
                true=known.name(true) if known and true is not None else None,
            )
        )
    return predictions
