"""Data that a user's function returns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import user_function
from deploy.data.array_rows import HeldRows, Rows
from deploy.data.arrays import array_stream
from deploy.data.heads import class_numbers
from deploy.data.model_inputs import LABELS, InputForms
from deploy.data.specs import listed
from deploy.data.stream import Batch, DataStream, Request
from deploy.errors import BadInputError, DeployError


def function_stream(request: Request) -> DataStream:
    """Call ``FILE.py:function`` for data.

    It returns the array of an only input; a dictionary of arrays as an ``.npz`` holds them; ``(inputs, labels)``
    with an array or a dictionary each; or an iterable of samples, of which never more than a batch is held: an
    array, a dictionary by input name, or as many arrays as there are inputs, and with a label ``(input, label)``.

    Raises:
        BadInputError: the function fails, or returns something else.
    """
    takes = user_function.parameters(request.source) if request.assignments else ()
    value = user_function.call(
        request.source, [item for item in request.assignments if item.partition("=")[0] in takes]
    )
    if isinstance(value, Mapping) or hasattr(value, "__array__"):
        return _arrays_stream(request, _arrays(value, "array"))
    if isinstance(value, tuple) and len(value) == 2 and (request.labelled or _are_labels(value[1])):
        return _arrays_stream(request, _arrays(value[0], "inputs"), _arrays(value[1], LABELS))
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise BadInputError(
            f"{request.source}: returned {type(value).__name__}, expected an array, a dictionary of arrays, "
            "(inputs, labels), or an iterable of samples or (input, label)"
        )
    return _iterable(request, value)


def _are_labels(value: Any) -> bool:
    """Whether the second of two things that a function returned are labels, not a second sample."""
    if isinstance(value, Mapping):
        return all(_are_labels(each) for each in value.values())
    array = _array(value)
    return array.dtype.kind in "iu" and (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1))


def _arrays_stream(
    request: Request, inputs: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]] | None = None
) -> DataStream:
    apart = None if labels is None else _held(labels)
    return array_stream(request, lambda: nullcontext(_held(inputs)), apart)


def _arrays(value: Any, default: str) -> dict[str, NDArray[Any]]:
    named = value if isinstance(value, Mapping) else {default: value}
    return {str(name): _array(item) for name, item in named.items()}


def _array(value: Any) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except DeployError:
        raise
    except Exception as error:
        raise BadInputError(f"a {type(value).__name__} cannot be used as an array: {error}") from error


def _held(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Rows]:
    return {name: HeldRows(array) for name, array in arrays.items()}


def _iterable(request: Request, values: Iterable[Any]) -> DataStream:
    """Samples one by one; read once, never more than a batch at a time."""
    forms, iterator = InputForms(request), iter(values)
    with user_function.errors_reported(request.source):
        first_sample = next(iterator, None)
    if first_sample is None:
        raise BadInputError(f"{request.source}: gave no samples, expected {listed(forms.specs)}")
    samples = itertools.islice(itertools.chain([first_sample], iterator), request.count)
    told = request.from_file()
    outputs = list({**_sample(request, forms, 0, first_sample)[1], **told})

    def batches(size: int) -> Iterator[Batch]:
        first = 0
        while True:
            with user_function.errors_reported(request.source):
                part = list(itertools.islice(samples, size))
            if not part:
                break
            read = [_sample(request, forms, first + i, sample) for i, sample in enumerate(part)]
            rows = {name: _stacked([inputs[name] for inputs, _ in read]) for name in forms.names}
            true = {
                name: class_numbers(
                    np.asarray([labels.get(name, -1) for _, labels in read]),
                    request.heads[name],
                    f"{request.source}, from sample {first}",
                )
                for name in outputs
                if name not in told
            }
            for name, classes in told.items():
                if first + len(part) > len(classes):
                    raise BadInputError(f"{request.source}: more samples than labels of {name}, {len(classes)}")
                true[name] = classes[first : first + len(part)]
            yield forms.batch(first, rows, true)
            first += len(part)
        if not request.at_most:
            request.count_of(first)

    return forms.stream(
        source=request.source,
        count=None,
        names=request.class_names(outputs, {}),
        batches=batches,
    )


def _stacked(samples: list[NDArray[Any]]) -> NDArray[Any]:
    """Side by side; of integers and real values beside each other, all become real."""
    return np.stack([sample.reshape(samples[0].shape) for sample in samples])


def _sample(
    request: Request, forms: InputForms, index: int, sample: Any
) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """One sample: its arrays by input, its labels by output; checked."""
    where = f"{request.source}: sample {index}"
    value, label = _parts(request, forms, where, sample)
    if isinstance(value, list | tuple):
        value = dict(zip(forms.names, value, strict=True))
    arrays = _arrays(value, forms.names[0])
    chosen = forms.choose(list(arrays))
    for name, array in chosen.items():
        forms.check(name, array, (1, *arrays[array].shape), arrays[array].dtype)
    inputs = {name: arrays[array] for name, array in chosen.items()}
    return inputs, {} if label is None and not request.labelled else _numbers(request, where, label)


def _parts(request: Request, forms: InputForms, where: str, sample: Any) -> tuple[Any, Any]:
    """A sample's inputs, and its label; None where it has none."""
    together = isinstance(sample, tuple | list)
    if request.labelled:
        if not together or len(sample) != 2:
            raise BadInputError(f"{where} is {type(sample).__name__}, expected (input, label)")
        return sample[0], sample[1]
    if isinstance(sample, Mapping):
        return sample, None
    parts = list(sample) if together else [sample]
    grouped = len(forms.names) == 1 or (together and isinstance(parts[0], Mapping | tuple | list))
    if len(parts) == 2 and grouped and _is_label(parts[1]):
        label = parts[1] if isinstance(parts[1], Mapping) or request.only_head is not None else None
        return parts[0], label if request.heads else None
    if len(parts) != len(forms.names):
        raise BadInputError(
            f"{where} has {len(parts)} parts, the model has {len(forms.names)} inputs",
            hints=[f"the model's inputs: {listed(forms.specs)}"],
        )
    return parts, None


def _is_label(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    array = _array(value)
    return array.dtype.kind in "iu" and array.size == 1


def _numbers(request: Request, where: str, label: Any) -> dict[str, int]:
    """True classes by output."""
    told = {str(key): item for key, item in label.items()} if isinstance(label, Mapping) else None
    if told is None:
        told = {request.wanted_head().name: label}
    if unknown := [name for name in told if name not in request.heads]:
        raise BadInputError(f"{where}: the model has no output {unknown[0]} with classes")
    try:
        return {name: int(np.asarray(item).item()) for name, item in told.items()}
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{where}: its label is no class number: {label!r:.60}") from error
