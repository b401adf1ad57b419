"""What answers inputs, and what it answers to one of them, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from deploy.judging.origin import Origin
from deploy.judging.samples import Sample

WHOLE_SEQUENCE = 1 << 31
"""How many inputs to hand over at once where each starts from the state that the one before it left: all."""


@dataclass(frozen=True)
class Answer:
    """What was computed for one input.

    Attributes:
        outputs: per output, by the name users match by, of the model's shape and dtype.
        counters: the NPU's counters as the firmware reports them.
        wall_s: seconds that it took: a boot of its own where every input has one.
    """

    outputs: dict[str, NDArray[Any]]
    counters: dict[str, int]
    wall_s: float


class Answerer(Protocol):
    """What runs a build: a target, or the NPU model on this host. Use as a context manager.

    Attributes:
        batch: how many inputs to hand over at once, where there are many.
    """

    batch: int

    def __enter__(self) -> Answerer:
        """Choose and check what is to run."""

    def __exit__(self, *exception: object) -> None:
        """End what still runs."""

    @property
    def origin(self) -> Origin:
        """Where the answers come from; complete once the context is entered."""

    def answers(self, samples: Sequence[Sample]) -> Iterator[Answer]:
        """Yield the answers in the order of the samples; TargetError if one does not arrive whole."""
