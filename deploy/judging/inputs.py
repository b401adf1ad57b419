"""The inputs of a run: a file or arrays that the user gives, or made up reproducibly and labelled as such."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.judging.input_patterns import uniform
from deploy.judging.input_ranges import input_ranges
from deploy.judging.samples import Sample, SampleDigest
from deploy.streams import check_readable_file
from deploy.tflite import Model, Tensor

MAX_ARRAY_BYTES = 4 * 1024**3
"""Bound on what one ``.npz`` may unpack to."""

DAMAGE = (
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    OverflowError,
    MemoryError,
    RuntimeError,  # encrypted, or packed in a way that Python does not know
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise at files that are damaged or something else."""

Given = Path | Mapping[str, Any] | NDArray[Any] | None
"""Inputs as a user gives them: an ``.npz`` or ``.npy``, arrays by name, the array of an only input, or none."""

IN_MEMORY = "arrays in memory"
"""What documents and errors call inputs that come from no file."""


@dataclass(frozen=True)
class InputSet:
    """Samples in the order they are fed.

    Attributes:
        samples: per sample, one array per input of the model, of exactly its shape and dtype.
        source: where they come from, for the verdict.
        fresh: how many of them, the last ones, were made up for this run alone.
        seed: that repeats those; None where there are none.
    """

    samples: tuple[Sample, ...]
    source: str
    fresh: int = 0
    seed: int | None = None

    @cached_property
    def sha256(self) -> str:
        """Over names, dtypes, shapes and bytes of all samples."""
        return SampleDigest().add(self.samples).hexdigest()


def given_inputs(given: Given, model: Model, count: int | None) -> InputSet | None:
    """The inputs that a user gives, whatever form they come in; None where none are given.

    Args:
        given: by the user.
        model: that takes them.
        count: how many; None for all there are.

    Raises:
        BadInputError: as :func:`load_inputs`.
    """
    if given is None:
        return None
    return load_inputs(given, model, count) if isinstance(given, Path) else array_inputs(given, model, count)


def load_inputs(path: Path, model: Model, count: int | None = None) -> InputSet:
    """Read samples from an ``.npz`` (arrays by input name) or ``.npy`` (single-input models).

    Raises:
        BadInputError: the file cannot be used, or as :func:`array_inputs`.
    """
    return array_inputs(read_arrays(path), model, count, source=str(path))


def array_inputs(
    arrays: Mapping[str, Any] | NDArray[Any], model: Model, count: int | None = None, *, source: str = IN_MEMORY
) -> InputSet:
    """Samples from arrays by input name, or from the array alone of a single-input model.

    Each array is [samples, *shape] where the model's own leading 1 counts as the sample dimension, or exactly
    one sample. A single-input model takes the only array whatever its name.

    Args:
        arrays: NumPy arrays, or what NumPy makes one of.
        model: that takes them.
        count: how many samples; None for all.
        source: names them in errors and documents.

    Raises:
        BadInputError: an array's name, shape or dtype does not fit, a float is not finite, or there are fewer
            samples than ``count``.
    """
    named = arrays if isinstance(arrays, Mapping) else {"input": arrays}
    tensors = named_inputs(model)
    if len(tensors) == 1 and len(named) == 1:
        named = {next(iter(tensors)): next(iter(named.values()))}
    wanted = ", ".join(f"{name}: {tensor.dtype}{list(tensor.shape)}" for name, tensor in tensors.items())
    if missing := [name for name in tensors if name not in named]:
        raise BadInputError(
            f"{source}: no array named {', '.join(missing)} (it holds {', '.join(named) or 'nothing'})",
            hints=[f"the model's inputs: {wanted}"],
        )
    split = {name: _split(source, name, np.asarray(named[name]), tensor) for name, tensor in tensors.items()}
    available = {name: len(parts) for name, parts in split.items()}
    if len(set(available.values())) != 1:
        raise BadInputError(f"{source}: the arrays hold different numbers of samples: {available}")
    total = min(available.values())
    if total == 0:
        raise BadInputError(f"{source}: no samples in it")
    if count is not None and count > total:
        raise BadInputError(f"--count {count}: {source} holds {total} samples", hints=[f"--count {total}"])
    samples = tuple({name: split[name][i] for name in tensors} for i in range(count or total))
    return InputSet(samples, source)


def random_inputs(model: Model, count: int, seed: int = 0) -> InputSet:
    """Make up samples: uniform over what each input can represent, the same for the same model and seed.

    Args:
        model: the source model.
        count: how many.
        seed: of the random numbers.
    """
    generator = np.random.default_rng(seed)
    ranges = input_ranges(model)
    samples = tuple({name: uniform(generator, each) for name, each in ranges.items()} for _ in range(count))
    return InputSet(samples, f"random, uniform, seed {seed}")


def named_inputs(model: Model) -> dict[str, Tensor]:
    """The model's input tensors by the name users match by, in the file's order."""
    return {name: model.tensors[index] for index, name in model.input_names().items()}


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read an ``.npz`` or ``.npy`` without ever unpickling; an ``.npy`` array is named after the file.

    Raises:
        BadInputError: missing, damaged, too large, no file, without arrays, or holding Python objects.
    """
    check_readable_file(path)
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(item.file_size for item in archive.infolist())
            if unpacked > MAX_ARRAY_BYTES:
                raise BadInputError(f"{path}: unpacks to {unpacked} bytes, the limit is {MAX_ARRAY_BYTES}")
            with np.load(path, allow_pickle=False) as content:
                members = {name: content[name] for name in content.files}
            arrays = {name: each for name, each in members.items() if isinstance(each, np.ndarray)}
            if members and not arrays:  # NumPy returns what it does not know as bytes
                raise BadInputError(f"{path}: no NumPy array in it, {next(iter(members))} is none")
            return arrays
        if path.suffix == ".npy":
            return {path.stem: np.load(path, allow_pickle=False)}
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DAMAGE as error:
        said = str(error).partition("\n")[0]
        raise BadInputError(f"{path}: not a usable NumPy file: {said}") from error
    raise BadInputError(f"{path}: not an .npz or .npy file", hints=["numpy.savez(path, name=array)"])


def _split(source: str, name: str, array: NDArray[Any], tensor: Tensor) -> list[NDArray[Any]]:
    """The samples of one input, each of the tensor's own shape."""
    expected = f"the model takes {tensor.dtype}{list(tensor.shape)}"
    if array.dtype.name != tensor.dtype:
        hints = []
        if array.dtype.kind == "f" and tensor.quantization:
            scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
            hints = [f"quantize it: round(x / {scale:.9g}) + {zero_point}, as {tensor.dtype}"]
        raise BadInputError(f"{source}: array {name} is {array.dtype}, {expected}", hints=hints)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadInputError(f"{source}: array {name} holds NaN or infinity")
    shape = tensor.shape
    if array.shape == shape:
        return [array]
    if array.shape[1:] == shape:
        return list(array)
    if shape[:1] == (1,) and array.shape[1:] == shape[1:]:
        return [part[np.newaxis] for part in array]
    raise BadInputError(
        f"{source}: array {name} has shape {list(array.shape)}, {expected}",
        hints=[f"[samples, {', '.join(map(str, shape[1:]))}]" if shape else "[samples]"],
    )
