"""A labelled set as a folder of images: a folder per class in it, or all side by side with their labels apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.evaluating.heads import Head
from deploy.evaluating.labelled_data import LabelledData, Request, part_of
from deploy.evaluating.model_inputs import Batch, InputForms
from deploy.quantizing.dataset import IMAGE_SUFFIXES, InputSpec, read_image, spread
from deploy.tflite import Model

_MAX_IMAGES = 1_000_000


def class_folders(request: Request, forms: InputForms, model: Model) -> LabelledData:
    """Open a folder whose subfolders are the classes, in the order of their names or as ``--labels`` numbers them.

    Images are read as for calibration: resized, of the input's channels, scaled to [0, 1]. Fewer than all of them
    are picked spread evenly over the classes. In a folder without subfolders the images are taken in the order of
    their names, the first ones where not all are asked for, and ``--labels`` says what they show.

    Raises:
        BadInputError: there are no images, or folders and classes do not match.
    """
    folder = Path(request.source)
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders and (labels := request.from_file()):
        return _side_by_side(request, forms, _image_spec(folder, forms, model), labels)
    head = request.only_head()
    spec = _image_spec(folder, forms, model)
    numbers = _folder_classes(request, head, [path.name for path in folders])
    files = [(path, numbers[inner.name]) for inner in folders for path in _images(inner)]
    if not files:
        raise BadInputError(f"{folder}: no folders with images in it ({', '.join(sorted(IMAGE_SUFFIXES))})")
    count = request.count_of(len(files), f"{folder} holds {len(files)} images")
    picked = [files[i] for i in spread(len(files), count)]
    by_number = {number: name for name, number in numbers.items()}
    own = tuple(by_number[i] for i in range(head.classes)) if len(by_number) == head.classes else ()
    names = request.class_names([head.name], {head.name: own})

    true = {head.name: np.asarray([number for _, number in picked], np.int64)}
    batches = _batches(forms, spec, [path for path, _ in picked], true)
    return LabelledData(request.source, len(picked), names, batches, _notes(request, head, numbers, files))


def _side_by_side(
    request: Request, forms: InputForms, spec: InputSpec, labels: dict[str, NDArray[np.int64]]
) -> LabelledData:
    files = _images(Path(request.source))
    count = request.common_count({"images": len(files)}, labels)
    batches = _batches(forms, spec, files[:count], labels)
    return LabelledData(request.source, count, request.class_names(list(labels), {}), batches)


def _batches(
    forms: InputForms, spec: InputSpec, files: Sequence[Path], true: dict[str, NDArray[np.int64]]
) -> Callable[[int], Iterator[Batch]]:
    def batches(size: int) -> Iterator[Batch]:
        for first in range(0, len(files), size):
            part = files[first : first + size]
            rows = {spec.name: np.stack([read_image(path, spec) for path in part])}
            yield forms.batch(first, rows, part_of(true, first, len(part)))

    return batches


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


def _image_spec(folder: Path, forms: InputForms, model: Model) -> InputSpec:
    """How images are read: as real values in [0, 1], like those that a model is calibrated with."""
    if len(forms.names) != 1:
        raise BadInputError(
            f"{folder}: a folder of images can feed one input, the model has {', '.join(forms.names)}",
            hints=["pass an .npz with one array per input, or FILE.py:function"],
        )
    shape = model.tensors[next(iter(model.input_names()))].shape
    if len(shape) != 4 or shape[0] != 1 or shape[3] not in (1, 3, 4):
        raise BadInputError(
            f"{folder}: images need an input of shape [1, height, width, 1, 3 or 4], the model has {list(shape)}",
            hints=["pass an .npz, or FILE.py:function that prepares the images"],
        )
    spec = InputSpec(forms.names[0], shape, "float32")
    forms.check(spec.name, (1, *shape[1:]), np.dtype(np.float32))
    return spec


def _images(folder: Path) -> list[Path]:
    candidates = itertools.islice(folder.rglob("*"), _MAX_IMAGES)
    return sorted(path for path in candidates if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


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
