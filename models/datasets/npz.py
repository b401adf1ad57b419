"""Writes arrays as the command line's DATA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.files import replacing


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a compressed ``.npz`` whole or not at all.

    Args:
        path: of the file.
        arrays: input name -> [N, ...].

    Raises:
        BadInputError: it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
