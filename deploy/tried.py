"""Which versions of Python, NumPy and QEMU were tried together."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Together:
    """Versions with which every test passed, to two numbers: ``3.11``."""

    system: str
    python: str
    numpy: str
    qemu: str

    def holds(self, versions: Mapping[str, str]) -> bool:
        """Whether versions found (``{"qemu": "7.2.22"}``) are these; one that is not given may be any."""
        return all(_short(version) == getattr(self, name) for name, version in versions.items())

    def __str__(self) -> str:
        return f"Python {self.python}, NumPy {self.numpy}, QEMU {self.qemu} ({self.system})"


def combinations() -> tuple[Together, ...]:
    """All that were tried, from ``tried.toml``."""
    text = resources.files("deploy").joinpath("tried.toml").read_text(encoding="utf-8")
    return tuple(Together(**row) for row in tomllib.loads(text)["together"])


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])
