"""Versions of everything that decides what is computed."""

from __future__ import annotations

import contextlib
import platform

import deploy

_PACKAGES = ("numpy", "ai-edge-litert", "ethos-u-vela", "mlia-ethos-u")


def tool_versions() -> dict[str, str]:
    """Version of everything that a verdict depends on, by package; what is not installed is left out."""
    return {"deploy": deploy.__version__, "python": platform.python_version(), **package_versions(*_PACKAGES)}


def package_versions(*packages: str) -> dict[str, str]:
    """Package -> version; what is not installed is left out."""
    import importlib.metadata

    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
