"""What a target answers to one input, whatever the target is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Answer:
    """What the target computed for one input.

    Attributes:
        outputs: per output, by the name users match by, of the model's shape and dtype.
        counters: the NPU's counters as the firmware reports them.
        wall_s: seconds from the start of the simulator to its end.
    """

    outputs: dict[str, NDArray[Any]]
    counters: dict[str, int]
    wall_s: float
