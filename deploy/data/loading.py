"""Opens data, whatever form it comes in: ``.npz``, ``.npy``, folders of images, ``FILE.py:function``, arrays."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import user_function
from deploy.data import FORMS
from deploy.data.array_rows import HeldRows, open_arrays
from deploy.data.arrays import array_stream
from deploy.data.functions import function_stream
from deploy.data.images import image_stream
from deploy.data.stream import DataStream, Request
from deploy.errors import BadInputError
from deploy.near_names import near_names

Given = str | Path | Mapping[str, Any] | NDArray[Any]
"""Data as a user gives it: what names a file, a folder or a function; arrays by name, or the only one."""

IN_MEMORY = "arrays in memory"
"""What documents and errors call data that comes from no file."""


def source_of(given: Given) -> str:
    """What data is called in errors and documents."""
    return str(given) if isinstance(given, str | Path) else IN_MEMORY


def open_data(given: Given, request: Request) -> DataStream:
    """Open data for a model.

    Args:
        given: by the user.
        request: what is asked of it; its ``source`` is that of :func:`source_of`.

    Raises:
        BadInputError: there is no such data, or it does not fit the model.
    """
    if not isinstance(given, str | Path):
        named = given if isinstance(given, Mapping) else {"array": given}
        arrays = {str(name): np.asarray(array) for name, array in named.items()}
        return array_stream(
            request, lambda: nullcontext({name: HeldRows(array) for name, array in arrays.items()})
        )
    check_there(given)
    if user_function.is_reference(str(given)):
        return function_stream(request)
    path = Path(given)
    return image_stream(request) if path.is_dir() else array_stream(request, lambda: open_arrays(path))


def check_there(given: Given) -> None:
    """Check, before any work, that what names data names something.

    Raises:
        BadInputError: it does not.
    """
    if not isinstance(given, str | Path) or user_function.is_reference(str(given)):
        return
    if not str(given):
        raise BadInputError("no data: its name is empty", hints=[f"data: {FORMS}"])
    path = Path(given)
    if not path.exists():
        raise BadInputError(f"{path}: no such file or folder", hints=[*near_names(path), f"data: {FORMS}"])
