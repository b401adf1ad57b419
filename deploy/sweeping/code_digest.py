"""Which code computed a result: this package's version may stand still while its code changes."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from collections.abc import Iterator
from importlib.resources.abc import Traversable

_DECIDING = (".py", ".toml", ".h5")


@functools.cache
def code_digest(*packages: str) -> str:
    """SHA-256 over the names and contents of the code, tables and weights of packages.

    Args:
        packages: as they are imported, ``deploy.compiling``; what they import of other packages is not in it.
    """
    digest = hashlib.sha256()
    for package in packages:
        for name, file in sorted(_files(importlib.resources.files(package))):
            if name.endswith(_DECIDING):
                digest.update(f"{package}/{name}:{hashlib.sha256(file.read_bytes()).hexdigest()};".encode())
    return digest.hexdigest()


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        name = f"{prefix}{item.name}"
        if item.is_dir():
            yield from _files(item, f"{name}/")
        else:
            yield name, item
