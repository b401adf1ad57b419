"""A labelled set of arrays: inputs, their labels and perhaps class names, in an ``.npz`` or in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.evaluating.array_rows import Rows
from deploy.evaluating.heads import Head
from deploy.evaluating.labelled_data import MAX_LABELS, LabelledData, Request, class_numbers, part_of
from deploy.evaluating.model_inputs import Batch, InputForms

LABELS, CLASSES = "labels", "classes"
"""Names of arrays with class numbers, and with class names."""

_MAX_LABEL_BYTES = 8 * MAX_LABELS


def labelled_arrays(
    request: Request,
    forms: InputForms,
    opened: Callable[[], AbstractContextManager[Mapping[str, Rows]]],
    apart: Mapping[str, Rows] | None = None,
) -> LabelledData:
    """Take arrays as inputs and, unless ``--labels`` has them, as labels.

    Labels stand in an array ``labels_OUTPUT`` or, where that is no input's name, ``OUTPUT``; plain ``labels`` will
    do where it is clear which output is meant. ``classes_OUTPUT`` may hold class names.

    Args:
        request: what is asked of the data.
        forms: of the model's inputs.
        opened: gives the arrays, anew each time.
        apart: the labels, where they come apart from the inputs and so cannot be taken for one.

    Raises:
        BadInputError: an array is damaged, or does not fit the model.
    """
    with opened() as arrays:
        labels, names, rest = _labels(request, forms, arrays, apart)
        inputs = forms.choose(rest)
        for name, array in inputs.items():
            forms.check(name, arrays[array].shape, arrays[array].dtype)
        count = request.common_count({array: arrays[array].shape[0] for array in inputs.values()}, labels)

    def batches(size: int) -> Iterator[Batch]:
        with opened() as again:
            for first in range(0, count, size):
                wanted = min(size, count - first)
                rows = {name: again[array].read(wanted) for name, array in inputs.items()}
                yield forms.batch(first, rows, part_of(labels, first, wanted))

    return LabelledData(request.source, count, request.class_names(list(labels), names), batches)


def _labels(
    request: Request, forms: InputForms, arrays: Mapping[str, Rows], apart: Mapping[str, Rows] | None
) -> tuple[dict[str, NDArray[np.int64]], dict[str, tuple[str, ...]], list[str]]:
    """True classes and class names by output, and the arrays that are neither."""
    source = arrays if apart is None else apart
    labels = request.from_file()
    names: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for head in request.heads.values():
        other = () if head.name in forms.names and apart is None else (head.name,)
        found = [name for name in (*_array_names(LABELS, head, request), *other) if name in source]
        if found and head.name not in labels:
            values = source[found[0]].read_all(_MAX_LABEL_BYTES)
            labels[head.name] = class_numbers(values, head, f"{request.source}: array {found[0]}")
        words = [name for name in _array_names(CLASSES, head, request) if name in source]
        if words:
            names[head.name] = _words(source[words[0]], f"{request.source}: array {words[0]}")
        taken.update(found[:1], words[:1])
    if not labels:
        if apart is not None and LABELS in apart:
            request.only_head()
        raise _no_labels(request, [*arrays, *(apart or ())])
    return labels, names, [name for name in arrays if apart is not None or name not in taken]


def _array_names(kind: str, head: Head, request: Request) -> tuple[str, ...]:
    """Names under which labels or class names of a head may stand, the most telling first."""
    alone = request.output == head.name or (request.output is None and len(request.heads) == 1)
    return (f"{kind}_{head.name}", kind) if alone else (f"{kind}_{head.name}",)


def _words(rows: Rows, where: str) -> tuple[str, ...]:
    if rows.dtype.kind != "U" or len(rows.shape) != 1:
        raise BadInputError(f"{where}: class names are {rows.dtype}{list(rows.shape)}, not a row of text")
    return tuple(str(word) for word in rows.read_all(_MAX_LABEL_BYTES))


def _no_labels(request: Request, arrays: Sequence[str]) -> BadInputError:
    """The error for data without labels; ``arrays`` are what it holds."""
    wanted, hints = [LABELS], ["--labels labels.json"]
    if len(request.heads) > 1 and request.output is None:
        wanted = [f"{LABELS}_{name}" for name in request.heads]
        if LABELS in arrays:
            hints = [f"--head {next(iter(request.heads))}, if that is what {LABELS} are for"]
    return BadInputError(
        f"{request.source}: no labels in it (it holds {', '.join(arrays) or 'nothing'})",
        hints=[f"an array {' or '.join(wanted)} of class numbers", *hints],
    )
