"""Data as a folder of images: a folder per class in it, or all in one, perhaps with their labels apart."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.data.heads import Head
from deploy.data.image_range import ImageRange
from deploy.data.model_inputs import InputForms
from deploy.data.specs import InputSpec
from deploy.data.stream import Batch, DataStream, Request, part_of, spread
from deploy.errors import BadInputError

IMAGE_SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"])
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_MAX_IMAGES = 1_000_000
_MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class _Picked:
    """The images that are used, in order, with what is known of them."""

    files: Sequence[Path]
    true: dict[str, NDArray[np.int64]]
    names: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def image_stream(request: Request) -> DataStream:
    """Open a folder of images: resized to the input (bilinear), of its channels, scaled to the range it takes.

    Subfolders are classes, in the order of their names or as ``--labels`` numbers them; fewer images than all of
    them are picked spread evenly over the classes. In a folder without subfolders the images are taken in the
    order of their names, and ``--labels`` says what they show. Where no labels are needed, and the folders are no
    classes of the model, all images below the folder are taken.

    Raises:
        BadInputError: there are no images, the model takes none, or folders and classes do not match.
    """
    forms = InputForms(request)
    spec, image_range, notes = forms.image_input()
    folder = Path(request.source)
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    picked = _pick(request, folder, folders)

    def batches(size: int) -> Iterator[Batch]:
        for first in range(0, len(picked.files), size):
            part = picked.files[first : first + size]
            rows = {spec.name: np.stack([read_image(path, spec, image_range) for path in part])}
            yield forms.batch(first, rows, part_of(picked.true, np.arange(first, first + len(part))))

    return forms.stream(
        source=f"{request.source} (images scaled to {image_range})",
        count=len(picked.files),
        names=picked.names,
        batches=batches,
        remarks=(*notes, *picked.notes),
    )


def _pick(request: Request, folder: Path, folders: Sequence[Path]) -> _Picked:
    if not folders and (request.from_file() or not request.labelled):
        return _side_by_side(request, folder)
    if not request.labelled and request.only_head is None:
        return _side_by_side(request, folder)
    head = request.wanted_head()
    known = request.labels[head.name].classes if head.name in request.labels else ()
    if not known and not request.labelled and len(folders) != head.classes:
        note = (
            f"the {len(folders)} folders of {folder} are not taken for the {head.classes} classes of {head.name}"
        )
        return _side_by_side(request, folder, note)
    return _by_class(request, head, folder, folders)


def _side_by_side(request: Request, folder: Path, *notes: str) -> _Picked:
    """All images below the folder; of labels those of ``--labels``, in the order of the paths."""
    files, labels = _images(folder), request.from_file()
    if not files:
        raise BadInputError(f"{folder}: no images in it ({', '.join(sorted(IMAGE_SUFFIXES))})")
    count = request.common_count({"images": len(files)}, labels)
    places = request.places(len(files), count, 0, count)
    names = request.class_names([name for name in request.labels if name in request.heads], {})
    return _Picked([files[i] for i in places], part_of(labels, places), names, notes)


def _by_class(request: Request, head: Head, folder: Path, folders: Sequence[Path]) -> _Picked:
    numbers = _folder_classes(request, head, [path.name for path in folders])
    files = [(path, numbers[inner.name]) for inner in folders for path in _images(inner)]
    if not files:
        raise BadInputError(f"{folder}: no folders with images in it ({', '.join(sorted(IMAGE_SUFFIXES))})")
    picked = [files[i] for i in spread(len(files), request.count_of(len(files)))]
    by_number = {number: name for name, number in numbers.items()}
    own = tuple(by_number[i] for i in range(head.classes)) if len(by_number) == head.classes else ()
    return _Picked(
        [path for path, _ in picked],
        {head.name: np.asarray([number for _, number in picked], np.int64)},
        request.class_names([head.name], {head.name: own}),
        _notes(request, head, numbers, files),
    )


def _notes(
    request: Request, head: Head, numbers: dict[str, int], files: Sequence[tuple[Path, int]]
) -> tuple[str, ...]:
    """What was assumed about the classes, and which of them have no images."""
    notes = []
    labels = request.labels.get(head.name)
    known = labels.classes if labels is not None else ()
    if not known:
        order = list(numbers)
        notes.append(
            f"class 0 of {head.name} is taken to be folder {order[0]}, class {len(order) - 1} {order[-1]}: "
            "folders in the order of their names; --labels with class names gives another order"
        )
    by_number = dict(enumerate(known)) or {number: name for name, number in numbers.items()}
    empty = sorted(set(by_number) - {number for _, number in files})
    if empty:
        notes.append(f"no images of {', '.join(by_number[number] for number in empty)}")
    return tuple(notes)


def _folder_classes(request: Request, head: Head, folders: Sequence[str]) -> dict[str, int]:
    """Folder -> class number: by the class names of ``--labels``; without, in the order of their names."""
    known = request.labels[head.name].classes if head.name in request.labels else ()
    if known:
        if unknown := [name for name in folders if name not in known]:
            raise BadInputError(
                f"{request.source}: folder {unknown[0]} is no class of {head.name}",
                hints=[f"{request.labels_file} names: {', '.join(known)}"],
            )
        return {name: known.index(name) for name in folders}
    if len(folders) != head.classes:
        raise BadInputError(
            f"{request.source}: {len(folders)} folders for the {head.classes} classes of {head.name}",
            hints=[f'--labels with the class names: {{"{head.name}": {{"classes": ["cat", "dog"]}}}}'],
        )
    return {name: i for i, name in enumerate(folders)}


def _images(folder: Path) -> list[Path]:
    """The images below a folder, in the order of their paths; hidden files are none."""
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    files = sorted(itertools.islice(found, _MAX_IMAGES + 1))
    if len(files) > _MAX_IMAGES:
        raise BadInputError(f"{folder}: more than {_MAX_IMAGES:,} images")
    return files


def read_image(path: Path, spec: InputSpec, image_range: ImageRange) -> NDArray[np.float32]:
    """One image as an input takes it: resized (bilinear), of its channels, scaled.

    Returns:
        ``spec.shape[1:]``, real values.

    Raises:
        BadInputError: it is no usable image, or too large.
    """
    from PIL import Image

    _, height, width, channels = spec.shape
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is our own
            with Image.open(path, formats=formats) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise BadInputError(f"{path}: {image.width} x {image.height} pixels are too many")
                converted = image.convert(_MODES[channels])
            resized = converted.resize((width, height), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInputError(f"{path}: not a usable image: {error}") from error
    return image_range.scaled(np.asarray(resized).reshape(height, width, channels))
