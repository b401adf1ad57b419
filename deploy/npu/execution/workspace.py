"""What operations are computed in: the memory that they address, and what is remembered between runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.npu.execution.memory import Memory
from deploy.npu.execution.weight_cache import WeightCache


@dataclass(frozen=True)
class Workspace:
    """Handed to every operation."""

    memory: Memory
    weights: WeightCache = field(default_factory=WeightCache)
