"""Samples in a file: an ``.npz`` with an array per input, bound to the model that they were made for.

A build folder keeps its test inputs so, and ``quantize`` leaves calibration data beside the model that it writes.
The arrays stand in the model's order; their names are for people, who may pass the file as ``--data``. Where
they come from and the model's hash stand in the archive's comment.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.array_rows import read_arrays
from deploy.errors import BadInputError
from deploy.judging.inputs import InputSet, given_inputs, named_inputs
from deploy.judging.samples import Sample, stacked, unstacked
from deploy.tflite import Model

if TYPE_CHECKING:
    from deploy.data.image_range import ImageRange
    from deploy.data.loading import Given

MOST_SAMPLES = 64
"""Most that are kept: what more of them would show is hardly anything new (measured on trained networks)."""

_MOST_BYTES = 8 * 1024 * 1024
_PLAIN = re.compile(r"[\w.:;-]{1,100}")
_DATE = (1980, 1, 1, 0, 0, 0)


def kept_count(model: Model) -> int:
    """How many samples of a model's inputs are worth their bytes; at least one."""
    size = sum(tensor.nbytes for tensor in named_inputs(model).values())
    return max(1, min(MOST_SAMPLES, _MOST_BYTES // max(size, 1)))


def beside(path: Path) -> Path:
    """Where the samples of the quantized model in a file lie: ``model.samples.npz`` for ``model.tflite``."""
    return path.with_name(f"{path.stem}.samples.npz")


def samples_beside(path: Path, model: Model) -> tuple[InputSet | None, tuple[str, ...]]:
    """The samples beside a quantized model, and notes, one sentence each, where they are not used.

    Args:
        path: of the model.
        model: that is in it.
    """
    file = beside(path)
    if not file.is_file():
        return None, ()
    try:
        return read_samples(file, model), ()
    except BadInputError as error:
        return None, (f"{error.message}; test inputs are made up instead",)


def inputs_to_keep(given: Given, model: Model, image_range: ImageRange | None = None) -> InputSet:
    """As many samples of data that a user gives as are worth keeping.

    Raises:
        BadInputError: the data cannot be used, or does not fit the model.
    """
    count = kept_count(model)
    return given_inputs(given, model, count, at_most=True, image_range=image_range)


def samples_content(samples: Sequence[Sample], model: Model, source: str) -> bytes:
    """The file.

    Args:
        samples: at least one, arrays by input name.
        model: the source model.
        source: where they come from.
    """
    arrays, stream = stacked(samples), io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, name in enumerate(named_inputs(model)):
            content = io.BytesIO()
            np.lib.format.write_array(content, arrays[name], allow_pickle=False)
            shown = name if _PLAIN.fullmatch(name) else f"input_{number}"
            entry = zipfile.ZipInfo(f"{shown}.npy", _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())
        about = {"model_sha256": model.sha256, "source": source[:1000]}
        archive.comment = json.dumps(about).encode()
    return stream.getvalue()


def read_samples(path: Path, model: Model, sha256: str = "") -> InputSet:
    """Read such a file.

    Args:
        path: of it.
        model: the source model, or a part of it with the same inputs.
        sha256: of the source model, in hex; empty where it is the model itself.

    Raises:
        BadInputError: it cannot be used, or was made for another model.
    """
    arrays, about = read_arrays(path), _about(path)
    if about is None:
        raise BadInputError(f"{path}: does not say which model its samples are for")
    made_for, source = about
    if made_for != (sha256 or model.sha256):
        raise BadInputError(f"{path}: holds samples for another model")
    names = named_inputs(model)
    if len(arrays) != len(names):
        raise BadInputError(f"{path}: {len(arrays)} arrays for the {len(names)} inputs of the model")
    return InputSet(_samples(path, dict(zip(names, arrays.values(), strict=True)), model), source)


def _samples(path: Path, arrays: dict[str, NDArray[Any]], model: Model) -> tuple[Sample, ...]:
    """Arrays in the model's order, exactly as it takes them: this file was written from such."""
    for name, tensor in named_inputs(model).items():
        array = arrays[name]
        if array.dtype.name != tensor.dtype or array.shape[1:] != tensor.shape:
            found, wanted = f"{array.dtype}{list(array.shape)}", f"{tensor.dtype}{list(tensor.shape)}"
            raise BadInputError(f"{path}: array {name} is {found}, a sample of the model is {wanted}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BadInputError(f"{path}: array {name} holds NaN or infinity")
    counts = {len(array) for array in arrays.values()}
    if len(counts) != 1 or 0 in counts:
        raise BadInputError(f"{path}: the arrays hold {', '.join(map(str, sorted(counts)))} samples")
    return tuple(unstacked(arrays, counts.pop()))


def holds_samples(path: Path) -> bool:
    """Whether a file is one of these, for whatever model."""
    return _about(path) is not None


def _about(path: Path) -> tuple[str, str] | None:
    """Hash of the model that the samples are for, and where they come from; None for another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.comment)
        return str(about["model_sha256"]), str(about["source"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
