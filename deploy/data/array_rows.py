"""Reads the rows of the arrays in an ``.npz`` (or of an ``.npy``) one after the other, never a whole array."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.streams import check_readable_file

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

MAX_ARRAY_BYTES = 4 * 1024**3
"""Bound on an array that is read whole."""

_MAX_MEMBERS = 1000
_MAX_ROW_BYTES = 1 << 30
_SKIPPED_BYTES = 1 << 20
_SUFFIX = ".npy"


class Rows(Protocol):
    """An array that is read along its first dimension.

    Attributes:
        shape: of the whole array.
        dtype: of its elements.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, count: int) -> NDArray[Any]:
        """The next rows, at most ``count``; fewer at the end."""

    def skip(self, count: int) -> None:
        """Leave out the next rows."""

    def read_all(self, most: int = MAX_ARRAY_BYTES) -> NDArray[Any]:
        """All rows of an array that is to have at most so many bytes."""


class HeldRows:
    """An array in memory as :class:`Rows`."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array, self._next = array, 0
        self.shape, self.dtype = array.shape, array.dtype

    def read(self, count: int) -> NDArray[Any]:
        """The next rows, at most ``count``; fewer at the end."""
        self._next += count
        return self._array[self._next - count : self._next]

    def skip(self, count: int) -> None:
        """Leave out the next rows."""
        self._next += count

    def read_all(self, most: int = MAX_ARRAY_BYTES) -> NDArray[Any]:
        """All rows, however many bytes they have."""
        return self._array


class ArrayRows:
    """An array in a file as :class:`Rows`.

    Raises:
        BadInputError: it is damaged, holds Python objects, is a single number, or is large and stored column by
            column.
    """

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream, self._where = stream, where
        try:
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, by_column, self.dtype = read(stream)
        except (OSError, *DAMAGE) as error:
            said = str(error).partition("\n")[0]
            raise BadInputError(f"{where}: not a usable NumPy array: {said}") from error
        self.shape: tuple[int, ...] = tuple(shape)
        if min((*self.shape, self.dtype.itemsize)) < 0 or self.dtype.itemsize == 0:
            raise BadInputError(f"{where}: not a usable NumPy array: {self.dtype}{list(self.shape)}")
        if self.dtype.hasobject:
            raise BadInputError(f"{where}: not a usable NumPy array: it holds Python objects")
        if not self.shape:
            raise BadInputError(f"{where}: is a single number, not an array")
        self._row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        if self._row_bytes > _MAX_ROW_BYTES:
            raise BadInputError(f"{where}: one sample has {self._row_bytes} bytes")
        self._left = self.shape[0]
        if by_column and len(self.shape) > 1:
            self._by_row()

    def _by_row(self) -> None:
        """Turn what is stored column by column, of which no row can be read alone."""
        size = self.shape[0] * self._row_bytes
        if size > MAX_ARRAY_BYTES:
            raise BadInputError(
                f"{self._where}: is stored column by column",
                hints=["numpy.ascontiguousarray(array) before saving"],
            )
        content = np.frombuffer(self._taken(size), self.dtype).reshape(self.shape, order="F")
        self._stream = io.BytesIO(content.tobytes())

    def read(self, count: int) -> NDArray[Any]:
        """The next rows, at most ``count``; fewer at the end.

        Raises:
            BadInputError: the file ends before the array does, or is damaged.
        """
        count = min(count, self._left)
        self._left -= count
        content = self._taken(count * self._row_bytes)
        return np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])

    def skip(self, count: int) -> None:
        """Leave out the next rows.

        Raises:
            BadInputError: as :meth:`read`.
        """
        count = min(count, self._left)
        self._left -= count
        left = count * self._row_bytes
        while left > 0:
            left -= len(self._taken(min(left, _SKIPPED_BYTES)))

    def _taken(self, size: int) -> bytes:
        try:
            content = self._stream.read(size)
        except (OSError, *DAMAGE) as error:
            raise BadInputError(f"{self._where}: not a usable NumPy array: {error}") from error
        if len(content) != size:
            raise BadInputError(f"{self._where}: the file ends before the array does")
        return content

    def read_all(self, most: int = MAX_ARRAY_BYTES) -> NDArray[Any]:
        """All rows of a small array.

        Raises:
            BadInputError: it is larger than ``most`` bytes, or damaged.
        """
        if self.shape[0] * self._row_bytes > most:
            raise BadInputError(f"{self._where}: larger than the {most} bytes that are read")
        return self.read(self.shape[0])


@contextlib.contextmanager
def open_arrays(path: Path) -> Iterator[dict[str, ArrayRows]]:
    """Open an ``.npz`` or ``.npy``: name -> array; an ``.npy`` array is named after the file.

    Raises:
        BadInputError: missing, damaged, or another kind of file.
    """
    check_readable_file(path)
    with contextlib.ExitStack() as stack:
        try:
            if path.suffix == ".npz":
                archive = stack.enter_context(zipfile.ZipFile(path))
                members = [item for item in archive.infolist() if item.filename.endswith(_SUFFIX)]
                if archive.infolist() and not members:
                    raise BadInputError(f"{path}: no NumPy array in it, {archive.infolist()[0].filename} is none")
                if len(members) > _MAX_MEMBERS:
                    raise BadInputError(f"{path}: holds {len(members)} arrays")
                streams = {
                    item.filename.removesuffix(_SUFFIX): stack.enter_context(archive.open(item))
                    for item in members
                }
            elif path.suffix == _SUFFIX:
                streams = {path.stem: stack.enter_context(path.open("rb"))}
            else:
                raise BadInputError(
                    f"{path}: not an .npz or .npy file", hints=["numpy.savez(path, name=array, labels=numbers)"]
                )
        except (OSError, *DAMAGE) as error:
            if isinstance(error, OSError) and error.strerror:
                raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
            said = str(error).partition("\n")[0]
            raise BadInputError(f"{path}: not a usable NumPy file: {said}") from error
        yield {name: ArrayRows(stream, f"{path}: array {name}") for name, stream in streams.items()}


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a small ``.npz`` or ``.npy`` by name, without ever unpickling.

    Raises:
        BadInputError: as :func:`open_arrays`, or one is larger than 4 GiB.
    """
    with open_arrays(path) as arrays:
        return {name: rows.read_all() for name, rows in arrays.items()}
