"""Inputs that only the target gets wrong: collected while the data streams by, and saved to be looked into."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.stream import Batch
from deploy.errors import BadInputError
from deploy.evaluating.documents import Contestant, WrongExample
from deploy.files import replacing_folder

MAX_SAVED = 100
"""Most inputs that are saved."""

MAX_LISTED = 1000
"""Most examples in the document."""

_MAX_SAVED_BYTES = 256 * 1024 * 1024
_EXAMPLES, _INPUTS, _LABELS = "examples.json", "inputs.npz", "labels.json"
_IMAGE_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class WrongExamples:
    """Collects what the quantized reference classifies right and the target wrong; bounded."""

    def __init__(self) -> None:
        self.listed: list[WrongExample] = []
        self.counts: Counter[str] = Counter()
        self._inputs: dict[int, dict[str, NDArray[Any]]] = {}
        self._true: dict[int, dict[str, int]] = {}
        self._bytes = 0

    def add(self, batch: Batch, output: str, said: Mapping[Contestant, NDArray[np.int64]]) -> None:
        """Look through a batch."""
        true = batch.true[output]
        only_target = np.flatnonzero((said["target"] != true) & (said["reference"] == true))
        self.counts[output] += len(only_target)
        for i in only_target[: MAX_LISTED - len(self.listed)]:
            self.listed.append(
                WrongExample(
                    input=batch.first + int(i),
                    output=output,
                    true=int(true[i]),
                    target=int(said["target"][i]),
                    float_model=int(said["float"][i]) if "float" in said else None,
                )
            )
            self._keep(batch, int(i))

    def _keep(self, batch: Batch, i: int) -> None:
        size = sum(array[i].nbytes for array in batch.stored.values())
        if len(self._inputs) < MAX_SAVED and self._bytes + size <= _MAX_SAVED_BYTES:
            index = batch.first + i
            self._bytes += 0 if index in self._inputs else size
            self._inputs[index] = {name: array[i].copy() for name, array in batch.stored.items()}
            self._true[index] = {name: int(values[i]) for name, values in batch.true.items()}

    def save(self, folder: Path, names: Mapping[str, tuple[str, ...]]) -> int:
        """Write the folder anew: inputs and labels as ``verify`` and ``run-fvp`` take them, and images.

        Args:
            folder: to write; what an earlier evaluation left there is replaced.
            names: output -> class names, empty for numbers.

        Returns:
            How many inputs were saved.

        Raises:
            BadInputError: it cannot be written.
        """
        kept = [example for example in self.listed if example.input in self._inputs]
        with replacing_folder(folder) as fresh:
            document = [_described(example, names.get(example.output, ())) for example in kept]
            (fresh / _EXAMPLES).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            if self._inputs:
                stacked: dict[str, Any] = {
                    name: np.stack([sample[name] for sample in self._inputs.values()])
                    for name in next(iter(self._inputs.values()))
                }
                np.savez(fresh / _INPUTS, **stacked)
                labels = {
                    output: {
                        "classes": list(names.get(output, ())),
                        "true": [true[output] for true in self._true.values()],
                    }
                    for output in next(iter(self._true.values()))
                }
                (fresh / _LABELS).write_text(json.dumps(labels) + "\n", encoding="utf-8")
            for example in kept:
                _write_image(fresh, example, self._inputs[example.input], names.get(example.output, ()))
        return len(self._inputs)


def check_folder(folder: Path) -> None:
    """Check, before long work, that examples may be saved there.

    Raises:
        BadInputError: it holds other files, or is none.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInputError(f"--save-wrong {folder}: exists and is not a folder")
    if any(folder.iterdir()) and not (folder / _EXAMPLES).is_file():
        raise BadInputError(
            f"--save-wrong {folder}: holds other files and will not be replaced", hints=["name a new folder"]
        )


def _described(example: WrongExample, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "input": example.input,
        "output": example.output,
        "true": _class(example.true, names),
        "target": _class(example.target, names),
        "float": None if example.float_model is None else _class(example.float_model, names),
    }


def _class(number: int, names: tuple[str, ...]) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _write_image(
    folder: Path, example: WrongExample, sample: Mapping[str, NDArray[Any]], names: tuple[str, ...]
) -> None:
    """One PNG per input that is an image; the whole range of integers is shown from black to white."""
    from PIL import Image

    said = f"{_class(example.true, names)}-as-{_class(example.target, names)}"
    for name, array in sample.items():
        pixels = _pixels(array)
        if pixels is not None:
            which = f"-{name}" if len(sample) > 1 else ""
            file = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{example.input:06}{which}-{example.output}-{said}")
            mode = _IMAGE_MODES[pixels.shape[2]]
            shown = pixels[..., 0] if mode == "L" else pixels
            Image.fromarray(shown, mode).save(folder / f"{file[:150]}.png")


def _pixels(array: NDArray[Any]) -> NDArray[np.uint8] | None:
    """``[height, width, channels]`` of 8 bits; None where the input is no image."""
    if array.ndim != 4 or array.shape[0] != 1 or array.shape[3] not in _IMAGE_MODES or 0 in array.shape:
        return None
    values = array[0].astype(np.float64)
    low, high = values.min(), values.max()
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        low, high = float(limits.min), float(limits.max)
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scaled = np.round((values - low) / ((high - low) or 1.0) * 255)
    return np.asarray(scaled, np.uint8)
