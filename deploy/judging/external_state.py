"""State that a model hands out and takes in again: outputs that are the inputs of the next inference. Pure.

What a sequence feeds back is computed once, before anything is judged: then every step starts from the same state
on all sides, and a difference in one of them is not carried into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.data.quantized import quantize_values, real_values
from deploy.errors import BadInputError
from deploy.judging.samples import Sample
from deploy.tflite import Model, Tensor

Links = Mapping[str, str]
"""Name of an input -> name of the output that it is after an inference."""

Infer = Callable[[Sample, bool], Sample]
"""Runs a sample, and keeps the state of the inference before it where that is wanted; outputs by name."""


def links_of(texts: Sequence[str], model: Model, *, sequence: bool) -> dict[str, str]:
    """Read ``INPUT=OUTPUT`` texts.

    Raises:
        BadInputError: the model has no such input or output, their shapes differ, or it is for no sequence.
    """
    if texts and not sequence:
        raise BadInputError("--state goes with --sequence: each input alone starts from no other one's state")
    inputs, outputs = set(model.input_names().values()), set(model.output_names().values())
    links: dict[str, str] = {}
    for text in texts:
        # Names of tensors may hold the sign themselves.
        parts = text.split("=")
        pairs = [("=".join(parts[:cut]), "=".join(parts[cut:])) for cut in range(1, len(parts))]
        found = next((pair for pair in pairs if pair[0] in inputs and pair[1] in outputs), None)
        if found is None or found[0] in links:
            raise BadInputError(
                f"--state {text}: {'given twice' if found else 'no INPUT=OUTPUT of this model'}",
                hints=[f"inputs: {', '.join(sorted(inputs))}", f"outputs: {', '.join(sorted(outputs))}"],
            )
        taken, given = _ends(model, *found)
        if taken.shape != given.shape:
            raise BadInputError(
                f"--state {text}: the input is {list(taken.shape)}, the output {list(given.shape)}"
            )
        links[found[0]] = found[1]
    return links


def with_states(samples: Sequence[Sample], links: Links, model: Model, infer: Infer) -> tuple[Sample, ...]:
    """The samples of a sequence with the states that they start from: real zeros, then what the last one gave.

    Args:
        samples: in their order; what they hold for the linked inputs is not used.
        links: of :func:`links_of`.
        model: that takes them.
        infer: runs one of them.
    """
    first = {name: _ends(model, name, output)[0] for name, output in links.items()}
    states = {name: quantize_values(np.zeros(taken.shape), taken) for name, taken in first.items()}
    whole: list[Sample] = []
    for sample in samples:
        whole.append({**sample, **states})
        outputs = infer(whole[-1], len(whole) > 1)
        states = {
            name: handed_back(outputs[output], *_ends(model, name, output)) for name, output in links.items()
        }
    return tuple(whole)


def handed_back(array: NDArray[np.generic], taken: Tensor, given: Tensor) -> NDArray[np.generic]:
    """An output as the input takes it: as it is, or in the input's own quantization.

    Args:
        array: of the output's shape and dtype.
        taken: the input.
        given: the output.
    """
    if taken.dtype == given.dtype and taken.quantization == given.quantization:
        return array
    return quantize_values(real_values(array, given), taken)


def _ends(model: Model, name: str, output: str) -> tuple[Tensor, Tensor]:
    """The tensors of an input and an output."""
    (taken,) = (index for index, known in model.input_names().items() if known == name)
    (given,) = (index for index, known in model.output_names().items() if known == output)
    return model.tensors[taken], model.tensors[given]
