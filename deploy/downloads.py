"""What lies where a file was expected after a download or clone that brought something else."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.errors import BadInputError

_HEAD_BYTES = 512
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_POINTER = b"version https://git-lfs.github.com/spec/"


def check_downloaded(path: Path) -> None:
    """Check that a file is not what stands for it: a Git LFS pointer, or the web page about it.

    What cannot be read, or is no file, is left to whoever reads it.

    Raises:
        BadInputError: it is.
    """
    try:
        if not path.is_file():
            return
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return
    if head.startswith(_POINTER):
        raise BadInputError(
            f"{path}: a Git LFS pointer, not the file that it stands for",
            hints=["`git lfs pull` in the repository fetches it"],
        )
    if _PAGE.match(head):
        raise BadInputError(
            f"{path}: a web page, not the file itself",
            hints=["download it again: the raw file, not the page that shows it or asks for a login"],
        )
