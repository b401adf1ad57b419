"""What a worker of a cluster has to have, and whether it has it: looked at on the worker, before work begins."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import deploy


@dataclass(frozen=True)
class Inspection:
    """What every worker is asked.

    Attributes:
        look: a module-level function of this package, which runs on the worker: what is needed -> ``lacks``, one
            sentence for each thing without which it must not work, and ``notes``.
        needs: plain data for it.
    """

    look: Callable[[Mapping[str, Any]], dict[str, list[str]]]
    needs: Mapping[str, Any]


def same_versions(*packages: str, npu_model: bool = False) -> dict[str, Any]:
    """What :func:`look_at_versions` needs: that a worker has the versions of this computer.

    Args:
        packages: by their names on PyPI, those that decide what the jobs compute.
        npu_model: whether the jobs run the NPU model, which is slow where its core is not compiled.
    """
    versions = {"ethosu-deploy": deploy.__version__} | {name: _version(name) for name in packages}
    return {"versions": versions, "npu_model": npu_model}


def look_at_versions(needs: Mapping[str, Any]) -> dict[str, list[str]]:
    """On a worker: whether it has the versions of the computer that asks, and computes quickly."""
    from deploy.npu.core.library import slowness

    lacks = []
    for name, wanted in needs["versions"].items():
        own = deploy.__version__ if name == "ethosu-deploy" else _version(name)
        if own != wanted:
            lacks.append(f"{name} {own or 'is not installed'}, here it is {wanted or 'not installed'}")
    slow = slowness() if needs["npu_model"] else None
    return {"lacks": lacks, "notes": [slow] if slow else []}


def _version(package: str) -> str:
    """Empty where it is not installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return ""
