"""Versions of everything that decides what a check of operators finds: where one is another, it is made again."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

import deploy
from deploy.judging.versions import package_versions
from deploy.npu.core.library import versions

_PACKAGES = ("numpy", "ai-edge-litert", "tflite-micro")
_CODE = (".py", ".so", ".toml")


def deciding_versions() -> dict[str, str]:
    """Name -> version of what the NPU model, the kernels and their comparison are on this computer.

    This package's code is told by its files' sizes and times: a checkout changes, and keeps its version.
    """
    return {"deploy": deploy.__version__, "code": _code(), **package_versions(*_PACKAGES), **versions()}


@functools.cache
def _code() -> str:
    """SHA-256 over names, sizes and times of this package's files."""
    digest, folders = hashlib.sha256(), [Path(deploy.__file__).parent]
    while folders:
        for entry in sorted(os.scandir(folders.pop()), key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.name.endswith(_CODE):
                status = entry.stat()
                digest.update(f"{entry.path} {status.st_size} {status.st_mtime_ns};".encode())
    return digest.hexdigest()
