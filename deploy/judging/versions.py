"""Versions of everything that decides what is computed."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
from pathlib import Path

import deploy
from deploy.npu.core.library import versions as npu_model_versions

_DECIDING = ("numpy", "ai-edge-litert", "tflite-micro")
_CODE = (".py", ".so", ".toml")
_PACKAGES = ("numpy", "ai-edge-litert", "ethos-u-vela", "mlia-ethos-u")


def tool_versions() -> dict[str, str]:
    """Version of everything that a verdict depends on, by package; what is not installed is left out."""
    return {"deploy": deploy.__version__, "python": platform.python_version(), **package_versions(*_PACKAGES)}


def deciding_versions() -> dict[str, str]:
    """Version of everything that decides what the NPU model and the kernels compute on this computer.

    This package's code is told by its files' sizes and times: a checkout changes, and keeps its version.
    """
    return {"deploy": deploy.__version__, "code": _code(), **package_versions(*_DECIDING), **npu_model_versions()}


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


def package_versions(*packages: str) -> dict[str, str]:
    """Package -> version; what is not installed is left out."""
    import importlib.metadata

    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
