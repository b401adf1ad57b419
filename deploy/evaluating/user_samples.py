"""A labelled set that a user's function returns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import user_function
from deploy.errors import BadInputError
from deploy.evaluating.array_rows import HeldRows, Rows
from deploy.evaluating.labelled_arrays import LABELS, labelled_arrays
from deploy.evaluating.labelled_data import LabelledData, Request, class_numbers
from deploy.evaluating.model_inputs import Batch, InputForms


def user_samples(request: Request, forms: InputForms) -> LabelledData:
    """Call ``FILE.py:function`` for a labelled set.

    It returns a dictionary of arrays as an ``.npz`` holds them, ``(inputs, labels)`` with an array or a dictionary
    each, or an iterable of ``(input, label)``, of which never more than a batch is held. The array of inputs alone
    will do where ``--labels`` has the labels.

    Raises:
        BadInputError: the function fails, or returns something else.
    """
    takes = user_function.parameters(request.source) if request.assignments else ()
    value = user_function.call(
        request.source, [item for item in request.assignments if item.partition("=")[0] in takes]
    )
    labels = None
    if isinstance(value, tuple) and len(value) == 2:
        value, labels = value[0], _held(_arrays(value[1], LABELS))
    if labels is not None or isinstance(value, Mapping) or (hasattr(value, "__array__") and request.from_file()):
        inputs = _arrays(value, "inputs")
        return labelled_arrays(request, forms, lambda: nullcontext(_held(inputs)), labels)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes) or hasattr(value, "__array__"):
        raise BadInputError(
            f"{request.source}: returned {type(value).__name__}, expected a dictionary of arrays, "
            "(inputs, labels), or an iterable of (input, label)"
        )
    return _iterable(request, forms, value)


def _arrays(value: Any, default: str) -> dict[str, NDArray[Any]]:
    named = value if isinstance(value, Mapping) else {default: value}
    return {str(name): np.asarray(item) for name, item in named.items()}


def _held(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Rows]:
    return {name: HeldRows(array) for name, array in arrays.items()}


def _iterable(request: Request, forms: InputForms, samples: Iterable[Any]) -> LabelledData:
    """``(input, label)`` pairs; read once, never more than a batch at a time."""
    iterator = iter(samples)
    with user_function.errors_reported(request.source):
        first_pair = next(iterator, None)
    if first_pair is None:
        raise BadInputError(f"{request.source}: gave no samples")
    pairs = itertools.islice(itertools.chain([first_pair], iterator), request.count)
    outputs = list(_pair(request, forms, 0, first_pair)[1])

    def batches(size: int) -> Iterator[Batch]:
        first = 0
        while True:
            with user_function.errors_reported(request.source):
                part = list(itertools.islice(pairs, size))
            if not part:
                break
            read = [_pair(request, forms, first + i, pair) for i, pair in enumerate(part)]
            rows = {name: np.stack([inputs[name] for inputs, _ in read]) for name in forms.names}
            true = {
                name: class_numbers(
                    np.asarray([labels.get(name, -1) for _, labels in read]),
                    request.heads[name],
                    f"{request.source}, from sample {first}",
                )
                for name in outputs
            }
            yield forms.batch(first, rows, true)
            first += len(part)

    return LabelledData(request.source, request.count, request.class_names(outputs, {}), batches)


def _pair(
    request: Request, forms: InputForms, index: int, pair: Any
) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """One sample: its arrays by input, its labels by output; checked."""
    where = f"{request.source}: sample {index}"
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise BadInputError(f"{where} is {type(pair).__name__}, expected (input, label)")
    value, label = pair
    arrays = _arrays(value, forms.names[0])
    chosen = forms.choose(list(arrays))
    for name, array in chosen.items():
        forms.check(name, (1, *arrays[array].shape), arrays[array].dtype)
    told = {str(key): item for key, item in label.items()} if isinstance(label, Mapping) else None
    if told is None:
        told = {request.only_head().name: label}
    if unknown := [name for name in told if name not in request.heads]:
        raise BadInputError(f"{where}: the model has no output {unknown[0]} with classes")
    try:
        numbers = {name: int(np.asarray(item).item()) for name, item in told.items()}
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{where}: its label is no class number: {label!r:.60}") from error
    return {name: arrays[array] for name, array in chosen.items()}, numbers
