"""Class names and true labels of inputs, per output: from a JSON file, or out of the data itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from deploy.data.heads import check_classes, class_numbers, heads_in
from deploy.errors import BadInputError
from deploy.files import read_bytes
from deploy.tflite import Model


class OutputLabels(BaseModel):
    """Labels of one output.

    Attributes:
        classes: name per class number; may be empty.
        true: true class number per input, in the order of the inputs; may be empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    classes: tuple[str, ...] = ()
    true: tuple[int, ...] = ()

    def name(self, number: int) -> str:
        """Name of a class, its number where it has none."""
        return self.classes[number] if 0 <= number < len(self.classes) else str(number)


Labels = dict[str, OutputLabels]


def load_labels(path: Path, model: Model) -> Labels:
    """Read ``{output: {"classes": [names], "true": [numbers]}}``.

    Raises:
        BadInputError: the file is damaged, names an output that the model does not have, has more or fewer names
            than that has classes, or numbers that are none of its classes.
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
    heads = heads_in(model)
    for name, each in labels.items():
        if name in heads:
            check_classes(heads[name], each.classes, str(path))
            if each.true:
                class_numbers(np.asarray(each.true), heads[name], f"{path}: {name}")
        elif each.true:
            raise BadInputError(f"{path}: output {name} has no classes")
    return labels
