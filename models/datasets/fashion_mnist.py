"""Fashion-MNIST as Debian packages it: real garments, 28x28 grayscale."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError, NotInstalledError

FOLDER: Final = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` (MIT) puts its files."""

GARMENTS: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""Names of the ten classes, in the data set's order."""

SIDE: Final = 28
"""Height and width of the images in pixels."""

_MOST_IMAGES = 100_000
_IMAGES_MAGIC, _LABELS_MAGIC = 0x0000_0803, 0x0000_0801


@dataclass(frozen=True)
class Split:
    """One part of the data set.

    Attributes:
        images: uint8 [N, 28, 28].
        garments: uint8 [N], indices into ``GARMENTS``.
    """

    images: NDArray[np.uint8]
    garments: NDArray[np.uint8]


def load_training(folder: Path = FOLDER) -> Split:
    """The 60,000 training images, in the file's order.

    Raises:
        NotInstalledError: the data set is not there.
        BadInputError: a file is damaged.
    """
    return _load(folder, "train")


def load_test(folder: Path = FOLDER) -> Split:
    """The 10,000 test images, in the file's order.

    Raises:
        NotInstalledError: the data set is not there.
        BadInputError: a file is damaged.
    """
    return _load(folder, "t10k")


def _load(folder: Path, part: str) -> Split:
    images = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", _IMAGES_MAGIC, (SIDE, SIDE))
    garments = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", _LABELS_MAGIC, ())
    if len(images) != len(garments):
        raise BadInputError(f"{folder}: {len(images)} {part} images but {len(garments)} labels")
    if garments.size and garments.max() >= len(GARMENTS):
        raise BadInputError(f"{folder}: {part} label {garments.max()} is not one of {len(GARMENTS)} classes")
    return Split(images, garments)


def _read_idx(path: Path, magic: int, item: tuple[int, ...]) -> NDArray[np.uint8]:
    """An idx file: big-endian magic number, dimensions, then one byte an element. Nothing of it is trusted."""
    header = struct.Struct(f">{2 + len(item)}I")
    again = ["apt-get install --reinstall dataset-fashion-mnist"]
    try:
        with gzip.open(path, "rb") as stream:
            head = stream.read(header.size)
            if len(head) < header.size:
                raise BadInputError(f"{path}: ends within its header", hints=again)
            found, count, *dimensions = header.unpack(head)
            if found != magic or tuple(dimensions) != item or count > _MOST_IMAGES:
                raise BadInputError(
                    f"{path}: header is magic {found:#x}, dimensions {[count, *dimensions]}; "
                    f"expected magic {magic:#x}, dimensions [at most {_MOST_IMAGES}, {', '.join(map(str, item))}]",
                    hints=again,
                )
            size = count * int(np.prod(item, dtype=np.int64))
            content = stream.read(size + 1)
    except FileNotFoundError as error:
        raise NotInstalledError(
            f"{path}: the Fashion-MNIST data set is not installed",
            hints=["apt-get install dataset-fashion-mnist"],
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise BadInputError(f"{path}: cannot be read: {error}", hints=again) from error
    if len(content) != size:
        more = "more" if len(content) > size else f"{len(content)}"
        raise BadInputError(f"{path}: {more} bytes of data where its header promises {size}", hints=again)
    return np.frombuffer(content, np.uint8).reshape(count, *item)
