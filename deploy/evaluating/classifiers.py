"""The float model as who classifies beside the target and the reference kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deploy.data.model_inputs import real_inputs
from deploy.data.stream import Batch
from deploy.errors import BadInputError
from deploy.evaluating.float_source import FloatFile, FloatNetwork
from deploy.judging.samples import Stacked
from deploy.tflite import Model


class FloatClassifier:
    """The float model that a build was quantized from.

    Raises:
        BadInputError: the float model has other inputs or outputs.
    """

    def __init__(self, model: FloatNetwork, quantized: Model, heads: Sequence[str]) -> None:
        self._model, self._quantized = model, quantized
        wanted = {name: quantized.tensors[index].shape for index, name in quantized.input_names().items()}
        self._inputs = _paired(model, "input", [spec.name for spec in model.inputs], list(wanted))
        outputs = list(quantized.output_names().values())
        found = _paired(model, "output", list(model.outputs), outputs if len(outputs) == 1 else list(heads))
        self._outputs = {ours: theirs for theirs, ours in found.items() if ours in heads}
        for spec in model.inputs:
            if spec.shape != wanted[self._inputs[spec.name]]:
                raise BadInputError(
                    f"{model.source}: takes {spec}, the build's model {list(wanted[self._inputs[spec.name]])}"
                )

    def run(self, batch: Batch, *, sequence: bool = False) -> Stacked:
        """Real outputs of the float model, by the quantized model's names.

        Args:
            batch: inputs.
            sequence: whether they are one sequence, in which the model keeps its state; of a file alone.
        """
        reals = real_inputs(self._quantized, batch)
        answers = []
        for i in range(len(batch)):
            sample = {
                spec.name: reals[self._inputs[spec.name]][i].astype(spec.dtype) for spec in self._model.inputs
            }
            if isinstance(self._model, FloatFile):
                answers.append(self._model.run(sample, keep_state=sequence and i > 0))
            else:
                answers.append(self._model.run(sample))
        return {name: np.stack([answer[theirs] for answer in answers]) for name, theirs in self._outputs.items()}


def _paired(model: FloatNetwork, kind: str, theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """Name in the float model -> name in the quantized one."""
    if len(theirs) == len(ours) == 1:
        return {theirs[0]: ours[0]}
    if missing := [name for name in ours if name not in theirs]:
        raise BadInputError(
            f"{model.source}: has no {kind} {', '.join(missing)}, which the build's model has",
            hints=[f"its {kind}s: {', '.join(theirs)}"],
        )
    return {name: name for name in ours}
