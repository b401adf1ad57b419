"""Real data for calibration: ``.npz``, ``.npy``, a folder of images, or ``FILE.py:function``.

Everything ends as one array per input of the model, ``[samples, *shape without the batch]``, checked for shape,
dtype and NaN before anything is computed with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import user_function
from deploy.errors import BadInputError, DeployError
from deploy.judging.inputs import read_arrays

DEFAULT_SAMPLES = 200
"""Samples used when none are asked for: enough for stable ranges, a few seconds on small networks."""

RANDOM = "random"
"""Names random images where data is asked for."""

RANDOM_IMAGES = "random images in [0, 1]"
"""What documents call them."""

RANDOM_SAMPLES = 8
"""Random images to calibrate with: they only have to give every tensor some range."""

IMAGE_SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"])
_IMAGE_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_MAX_IMAGES = 1_000_000


@dataclass(frozen=True)
class InputSpec:
    """An input of the model that the data is for.

    Attributes:
        name: what arrays are matched by.
        shape: of one inference, the batch of 1 included: (1, 28, 28, 1).
        dtype: NumPy name.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}{list(self.shape)}"


@dataclass(frozen=True)
class Dataset:
    """Checked samples.

    Attributes:
        arrays: per input [samples, *shape[1:]], of the input's dtype.
    """

    source: str
    arrays: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield samples: per input one array of the model's own shape (a batch of 1)."""
        for i in range(len(self)):
            yield {name: array[i : i + 1] for name, array in self.arrays.items()}


def load(source: str, specs: Sequence[InputSpec], samples: int | None = None) -> Dataset:
    """Read data for a model's inputs.

    Images are resized to the input (bilinear), converted to its number of channels, and scaled to [0, 1]. From
    files and folders, ``samples`` are picked spread evenly, because data is often sorted by class; from an
    iterable the first ones are taken.

    Args:
        source: ``.npz``, ``.npy``, a folder of images, ``FILE.py:function``, or ``random``.
        specs: the model's inputs.
        samples: how many to use at most; None for ``DEFAULT_SAMPLES``.

    Raises:
        BadInputError: missing, empty, unreadable, of a wrong shape or dtype, or holding NaN or infinity.
    """
    limit = DEFAULT_SAMPLES if samples is None else samples
    if limit < 1:
        raise BadInputError(f"--samples {limit}: at least one sample is needed")
    if source == RANDOM and not Path(source).exists():
        return random_images(specs, min(limit, RANDOM_SAMPLES))
    if user_function.is_reference(source):
        return Dataset(source, _from_function(source, specs, limit))
    path = Path(source)
    if path.is_dir():
        return Dataset(source, _from_images(path, specs, limit))
    if not path.exists():
        raise BadInputError(
            f"{source}: no such file or folder",
            hints=["data: .npz, .npy, a folder of images, or FILE.py:function"],
        )
    return Dataset(source, _from_arrays(source, read_arrays(path), specs, limit))


def of_arrays(source: str, arrays: Mapping[str, Any], specs: Sequence[InputSpec], samples: int) -> Dataset:
    """Check arrays as data for a model's inputs.

    Args:
        source: where they come from, for messages and documents.
        arrays: by input name, ``[samples, *shape without the batch]``; one array may have any name.
        specs: the model's inputs.
        samples: how many to use at most.

    Raises:
        BadInputError: as :func:`load`.
    """
    return Dataset(source, _from_arrays(source, arrays, specs, samples))


def random_images(specs: Sequence[InputSpec], samples: int) -> Dataset:
    """Uniform noise in [0, 1], for time and memory where accuracy does not matter. The same every time.

    Both ends of the range occur, so that a quantized uint8 input gets scale 1/255 and zero point 0.

    Raises:
        BadInputError: an input is not float.
    """
    random = np.random.default_rng(0)
    arrays = {}
    for spec in specs:
        if not spec.dtype.startswith("float"):
            raise BadInputError(f"random data is for float inputs, the model has {spec}")
        values = random.random((samples, *spec.shape[1:]), np.float32).astype(spec.dtype)
        values.reshape(samples, -1)[:, 0], values.reshape(samples, -1)[:, -1] = 0, 1
        arrays[spec.name] = values
    return Dataset(RANDOM_IMAGES, arrays)


def _from_arrays(
    source: str, arrays: Mapping[str, Any], specs: Sequence[InputSpec], limit: int
) -> dict[str, NDArray[Any]]:
    """Match arrays to inputs by name (a single-input model takes a single array), pick samples, check."""
    if len(specs) == 1 and len(arrays) == 1:
        arrays = {specs[0].name: next(iter(arrays.values()))}
    if missing := [spec.name for spec in specs if spec.name not in arrays]:
        raise BadInputError(
            f"{source}: no array named {', '.join(missing)} (it holds {', '.join(arrays) or 'nothing'})",
            hints=[f"the model's inputs: {_listed(specs)}"],
        )
    found = {spec.name: _checked(source, np.asarray(arrays[spec.name]), spec, limit) for spec in specs}
    if len({len(array) for array in found.values()}) != 1:
        counts = ", ".join(f"{name} {len(np.asarray(arrays[name]))}" for name in found)
        raise BadInputError(f"{source}: the inputs have different numbers of samples ({counts})")
    return found


def _checked(source: str, array: NDArray[Any], spec: InputSpec, limit: int) -> NDArray[Any]:
    wanted = spec.shape[1:]
    expected = f"[samples, {', '.join(map(str, wanted))}]" if wanted else "[samples]"
    where = f"{source}: array for input {spec.name}"
    if array.shape == wanted:
        array = array[np.newaxis]
    elif array.ndim == len(wanted) + 2 and array.shape[1] == 1 and array.shape[2:] == wanted:
        array = array[:, 0]  # samples of the model's own shape, batch of 1 included
    if array.shape[1:] != wanted:
        hints = []
        if wanted[-1:] == (1,) and array.shape[1:] == wanted[:-1]:
            hints = ["add the channel axis: array[..., None]"]
        raise BadInputError(f"{where} has shape {list(array.shape)}, expected {expected}", hints=hints)
    if len(array) == 0:
        raise BadInputError(f"{where} is empty, expected {expected}")
    array = _cast(where, array[spread(len(array), limit)], spec)
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if bad.any():
            raise BadInputError(
                f"{where} holds NaN or infinity ({int(bad.sum())} of {len(array)} samples, "
                f"first in sample {int(bad.argmax())})"
            )
    return array


def _cast(where: str, array: NDArray[Any], spec: InputSpec) -> NDArray[Any]:
    """Convert between floats, or between integers where nothing is lost; never from one kind to the other."""
    dtype = np.dtype(spec.dtype)
    if array.dtype.kind == dtype.kind or (array.dtype.kind + dtype.kind) in ("iu", "ui"):
        with np.errstate(over="ignore"):  # a float too large for float32 becomes infinite and is refused below
            cast = array.astype(dtype)
        if dtype.kind == "f" or np.array_equal(cast, array):
            return cast
        raise BadInputError(f"{where} is {array.dtype} with values that {dtype} cannot hold")
    hints = []
    if dtype.kind == "f" and array.dtype.kind in "ui":
        hints = ["scale it as in training, for example: images.astype('float32') / 255"]
    raise BadInputError(f"{where} is {array.dtype}, expected {dtype}", hints=hints)


def spread(available: int, limit: int) -> NDArray[np.int64]:
    """Indices of at most ``limit`` items spread evenly over those available, in order."""
    count = min(available, limit)
    return np.arange(count, dtype=np.int64) * available // count


def _from_function(reference: str, specs: Sequence[InputSpec], limit: int) -> dict[str, NDArray[Any]]:
    value = user_function.call(reference)
    if isinstance(value, Mapping):
        return _from_arrays(reference, {str(name): _array(item) for name, item in value.items()}, specs, limit)
    if hasattr(value, "__array__"):
        return _from_arrays(reference, {"array": _array(value)}, specs, limit)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise BadInputError(
            f"{reference}: returned {type(value).__name__}, "
            "expected an array, a dictionary of arrays, or an iterable of samples"
        )
    columns: dict[str, list[NDArray[Any]]] = {spec.name: [] for spec in specs}
    with user_function.errors_reported(reference):
        for index, sample in enumerate(itertools.islice(value, limit)):
            for name, array in _named(reference, index, sample, specs).items():
                columns[name].append(array)
    if not columns[specs[0].name]:
        raise BadInputError(f"{reference}: gave no samples, expected {_listed(specs)}")
    stacked = {}
    for name, items in columns.items():
        try:
            stacked[name] = np.stack(items)
        except ValueError as error:
            raise BadInputError(f"{reference}: samples for input {name} have different shapes") from error
    return _from_arrays(reference, stacked, specs, limit)


def _named(reference: str, index: int, sample: Any, specs: Sequence[InputSpec]) -> dict[str, NDArray[Any]]:
    """One sample of an iterable: an array, a dictionary by input name, or a sequence in input order."""
    if isinstance(sample, Mapping):
        items = {str(name): _array(value) for name, value in sample.items()}
        if missing := [spec.name for spec in specs if spec.name not in items]:
            raise BadInputError(
                f"{reference}: sample {index} has no {', '.join(missing)}",
                hints=[f"the model's inputs: {_listed(specs)}"],
            )
        return {spec.name: items[spec.name] for spec in specs}
    parts = list(sample) if isinstance(sample, list | tuple) else [sample]
    if len(parts) != len(specs):
        raise BadInputError(
            f"{reference}: sample {index} has {len(parts)} parts, the model has {len(specs)} inputs",
            hints=[f"the model's inputs: {_listed(specs)}"],
        )
    return {spec.name: _array(part) for spec, part in zip(specs, parts, strict=True)}


def _array(value: Any) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except DeployError:
        raise
    except Exception as error:
        raise BadInputError(f"a {type(value).__name__} cannot be used as an array: {error}") from error


def _from_images(folder: Path, specs: Sequence[InputSpec], limit: int) -> dict[str, NDArray[Any]]:
    if len(specs) != 1:
        raise BadInputError(
            f"{folder}: a folder of images can feed one input, the model has {len(specs)}: {_listed(specs)}",
            hints=["pass an .npz with one array per input, or FILE.py:function"],
        )
    spec = specs[0]
    if len(spec.shape) != 4 or spec.shape[3] not in _IMAGE_MODES or not spec.dtype.startswith("float"):
        raise BadInputError(
            f"{folder}: images need a float input of shape [1, height, width, 1, 3 or 4], the model has {spec}",
            hints=["pass an .npz, or FILE.py:function that prepares the images"],
        )
    candidates = itertools.islice(folder.rglob("*"), _MAX_IMAGES)
    files = sorted(path for path in candidates if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not files:
        raise BadInputError(f"{folder}: no images in it ({', '.join(sorted(IMAGE_SUFFIXES))})")
    picked = [files[i] for i in spread(len(files), limit)]
    return {spec.name: np.stack([read_image(path, spec) for path in picked])}


def read_image(path: Path, spec: InputSpec) -> NDArray[Any]:
    """One image as a float input takes it: resized (bilinear), of its channels, scaled to [0, 1].

    Returns:
        ``spec.shape[1:]``, of its dtype.

    Raises:
        BadInputError: it is no usable image.
    """
    from PIL import Image

    _, height, width, channels = spec.shape
    try:
        with Image.open(path) as image:
            resized = image.convert(_IMAGE_MODES[channels]).resize((width, height), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInputError(f"{path}: not a usable image: {error}") from error
    return (np.asarray(resized, dtype=np.float32).reshape(height, width, channels) / 255).astype(spec.dtype)


def _listed(specs: Sequence[InputSpec]) -> str:
    return ", ".join(str(spec) for spec in specs)
