"""Data as arrays: inputs, perhaps their labels and class names, in an ``.npz``, an ``.npy`` or in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from deploy.data.array_rows import Rows
from deploy.data.heads import Head, class_numbers
from deploy.data.model_inputs import CLASSES, LABELS, InputForms
from deploy.data.stream import MAX_LABELS, Batch, DataStream, Request, part_of
from deploy.errors import BadInputError

_MAX_LABEL_BYTES = 8 * MAX_LABELS


def array_stream(
    request: Request,
    opened: Callable[[], AbstractContextManager[Mapping[str, Rows]]],
    apart: Mapping[str, Rows] | None = None,
) -> DataStream:
    """Take arrays as inputs and, unless ``--labels`` has them, as labels.

    Labels stand in an array ``labels_OUTPUT`` or, where that is no input's name, ``OUTPUT``; plain ``labels`` will
    do where it is clear which output is meant. ``classes_OUTPUT`` may hold class names.

    Args:
        request: what is asked of the data.
        opened: gives the arrays, anew each time.
        apart: the labels, where they come apart from the inputs and so cannot be taken for one.

    Raises:
        BadInputError: an array is damaged, or does not fit the model.
    """
    forms = InputForms(request)
    with opened() as arrays:
        labels, names, rest, notes = _labels(request, forms, arrays, apart)
        inputs = forms.choose(rest)
        counts = {
            name: forms.check(name, array, arrays[array].shape, arrays[array].dtype)
            for name, array in inputs.items()
        }
    alone = {name for name, count in counts.items() if count is None}
    total = {inputs[name]: 1 if count is None else count for name, count in counts.items()}
    count = request.common_count(total, labels)
    available = next(iter(total.values()))

    def batches(size: int) -> Iterator[Batch]:
        with opened() as again:
            done = 0
            for first in range(0, count, size):
                wanted = request.places(available, count, first, size)
                rows = {
                    name: again[array].read_all()[np.newaxis]
                    if name in alone
                    else _rows(again[array], wanted - done)
                    for name, array in inputs.items()
                }
                done = int(wanted[-1]) + 1
                yield forms.batch(first, rows, part_of(labels, wanted), inputs)

    known = [*labels, *(name for name in names if name not in labels)] if not request.labelled else list(labels)
    return forms.stream(
        source=request.source,
        count=count,
        names=request.class_names(known, names),
        batches=batches,
        remarks=notes,
    )


def _rows(rows: Rows, ahead: NDArray[np.int64]) -> NDArray[np.generic]:
    """Some of the rows that come, by how many stand before each."""
    breaks = np.flatnonzero(np.diff(ahead) != 1) + 1
    parts, done = [], 0
    for run in np.split(ahead, breaks):
        rows.skip(int(run[0]) - done)
        parts.append(rows.read(len(run)))
        done = int(run[-1]) + 1
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _labels(
    request: Request, forms: InputForms, arrays: Mapping[str, Rows], apart: Mapping[str, Rows] | None
) -> tuple[dict[str, NDArray[np.int64]], dict[str, tuple[str, ...]], list[str], tuple[str, ...]]:
    """True classes and class names by output, the arrays that are neither, and notes."""
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
    if not labels and request.labelled:
        if apart is not None and LABELS in apart:
            request.wanted_head()
        raise _no_labels(request, [*arrays, *(apart or ())])
    notes = []
    if not labels and request.heads and LABELS in source:
        wanted = " and ".join(f"{LABELS}_{name}" for name in request.heads)
        notes.append(
            f"labels in {request.source} are not used, as the model has several outputs: {wanted} name them"
        )
    rest = [name for name in arrays if apart is not None or name not in taken]
    return labels, names, rest, tuple(notes)


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
