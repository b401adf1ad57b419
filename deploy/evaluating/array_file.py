"""A labelled set in an ``.npz``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.evaluating.array_rows import ArrayRows, open_arrays
from deploy.evaluating.label_arrays import CLASSES, LABELS, array_names, common_count, no_labels, part_of
from deploy.evaluating.labelled_data import MAX_LABELS, LabelledData, Request, class_numbers
from deploy.evaluating.model_inputs import Batch, InputForms

_MAX_LABEL_BYTES = 8 * MAX_LABELS


def array_file(request: Request, forms: InputForms, path: Path) -> LabelledData:
    """Open an ``.npz`` with inputs and, unless ``--labels`` has them, labels.

    Labels stand in an array ``labels_OUTPUT`` or, where that is no input's name, ``OUTPUT``; plain ``labels`` will
    do where it is clear which output is meant. ``classes_OUTPUT`` may hold class names.

    Raises:
        BadInputError: it is damaged, or does not fit the model.
    """
    with open_arrays(path) as arrays:
        inputs, labels, own = _split(request, forms, arrays)
        for name, array in inputs.items():
            forms.check(name, arrays[array].shape, arrays[array].dtype)
        count = common_count(request, {array: arrays[array].shape[0] for array in inputs.values()}, labels)
    names = request.class_names(list(labels), own)

    def batches(size: int) -> Iterator[Batch]:
        with open_arrays(path) as again:
            for first in range(0, count, size):
                wanted = min(size, count - first)
                rows = {name: again[array].read(wanted) for name, array in inputs.items()}
                yield forms.batch(first, rows, part_of(labels, first, wanted))

    return LabelledData(request.source, count, names, batches)


def _split(
    request: Request, forms: InputForms, arrays: Mapping[str, ArrayRows]
) -> tuple[dict[str, str], dict[str, NDArray[np.int64]], dict[str, tuple[str, ...]]]:
    """Which arrays are inputs, which are labels, which are class names."""
    labels = request.from_file()
    taken: set[str] = set()
    own: dict[str, tuple[str, ...]] = {}
    for head in request.heads.values():
        other = () if head.name in forms.names else (head.name,)
        for name in (*array_names(LABELS, head, request), *other):
            if name in arrays:
                taken.add(name)
                if head.name not in labels:
                    values = arrays[name].read_all(_MAX_LABEL_BYTES)
                    labels[head.name] = class_numbers(values, head, f"{request.source}: array {name}")
                break
        for name in array_names(CLASSES, head, request):
            if name in arrays:
                taken.add(name)
                own[head.name] = _words(arrays[name], f"{request.source}: array {name}")
                break
    if not labels:
        raise no_labels(request, list(arrays))
    return forms.choose([name for name in arrays if name not in taken]), labels, own


def _words(rows: ArrayRows, where: str) -> tuple[str, ...]:
    if rows.dtype.kind != "U" or len(rows.shape) != 1:
        raise BadInputError(f"{where}: class names are {rows.dtype}{list(rows.shape)}, not a row of text")
    return tuple(str(word) for word in rows.read_all(_MAX_LABEL_BYTES))
