"""Class names and true labels of a run's inputs, per output, from a JSON file; and which outputs are logits."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from deploy.errors import BadInputError
from deploy.files import read_bytes
from deploy.tflite import Model

_PROBABILITIES = frozenset({"SOFTMAX", "LOGISTIC", "LOG_SOFTMAX"})
_TRANSPARENT = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"})


class OutputLabels(BaseModel):
    """Labels of one output.

    Attributes:
        classes: name per class number; may be empty.
        true: true class number per input, in the order of the inputs; may be empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[str, ...] = ()
    true: tuple[int, ...] = ()

    def name(self, number: int) -> str:
        """Name of a class, its number where it has none."""
        return self.classes[number] if 0 <= number < len(self.classes) else str(number)


Labels = dict[str, OutputLabels]


def load_labels(path: Path, model: Model) -> Labels:
    """Read ``{output: {"classes": [names], "true": [numbers]}}``.

    Raises:
        BadInputError: the file is damaged or names an output that the model does not have.
    """
    try:
        labels = TypeAdapter(dict[str, OutputLabels]).validate_json(read_bytes(path))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            f"{path}: {where + ': ' if where else ''}{first['msg']}",
            hints=['{"output name": {"classes": ["cat", "dog"], "true": [0, 1, 1]}}'],
        ) from error
    outputs = set(model.output_names().values())
    if unknown := sorted(set(labels) - outputs):
        raise BadInputError(
            f"{path}: the model has no output {', '.join(unknown)}",
            hints=[f"its outputs: {', '.join(sorted(outputs))}"],
        )
    return labels


def is_logits(model: Model, tensor_index: int) -> bool:
    """Whether an output holds logits, that is, no softmax or sigmoid stands at its end."""
    producers = {index: operator for operator in model.operators for index in operator.outputs}
    for _ in range(len(model.operators)):
        operator = producers.get(tensor_index)
        if operator is None or operator.code in _PROBABILITIES:
            return operator is None
        if operator.code not in _TRANSPARENT or not operator.inputs:
            return True
        tensor_index = operator.inputs[0]
    return True
