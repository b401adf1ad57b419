"""What a worker of a cluster has to have, and whether it has it: looked at on the worker, before work begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import deploy
from deploy.judging.versions import package_versions

_OWN = "ethosu-deploy"


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
    return {"versions": _versions(packages), "npu_model": npu_model}


def look_at_versions(needs: Mapping[str, Any]) -> dict[str, list[str]]:
    """On a worker: whether it has the versions of the computer that asks, and computes quickly."""
    from deploy.npu.core.library import slowness

    wanted, own = needs["versions"], _versions(needs["versions"])
    lacks = [
        f"{name} {own[name] or 'is not installed'}, here it is {version or 'not installed'}"
        for name, version in wanted.items()
        if own[name] != version
    ]
    slow = slowness() if needs["npu_model"] else None
    return {"lacks": lacks, "notes": [slow] if slow else []}


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Package -> version, of this one as its code says it; empty where one is not installed."""
    return {**dict.fromkeys([_OWN, *packages], ""), **package_versions(*packages), _OWN: deploy.__version__}
