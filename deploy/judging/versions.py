"""Versions of everything that decides what is computed."""

from __future__ import annotations

import contextlib
import functools
import platform

import deploy

_PACKAGES = ("numpy", "ai-edge-litert", "ethos-u-vela", "mlia-ethos-u")


def tool_versions() -> dict[str, str]:
    """Version of everything that a verdict depends on, by package; what is not installed is left out."""
    return {"deploy": deploy.__version__, "python": platform.python_version(), **package_versions(*_PACKAGES)}


def package_versions(*packages: str) -> dict[str, str]:
    """Package -> version; what is not installed is left out."""
    found = {package: _installed(package) for package in packages}
    return {package: version for package, version in found.items() if version is not None}


@functools.cache
def _installed(package: str) -> str | None:
    import importlib.metadata

    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None
