"""Versions of everything that decides what is computed."""

from __future__ import annotations

import platform

import deploy

_PACKAGES = ("numpy", "ai-edge-litert", "ethos-u-vela", "mlia-ethos-u")


def tool_versions() -> dict[str, str]:
    """Version of everything that a verdict depends on, by package; what is not installed is left out."""
    import importlib.metadata

    versions = {"deploy": deploy.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
