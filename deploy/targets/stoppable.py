"""What a target has to offer so that a wrong operation is found on it: to stop early, and to show its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Wanted = Mapping[int, NDArray[np.bool_]]
"""By region, the bytes that are asked for ``(n,)``."""

Memories = Mapping[int, NDArray[np.uint8]]
"""By region, bytes ``(n,)``; those that were not asked for mean nothing."""


@dataclass(frozen=True)
class Stop:
    """Where an inference ends.

    Attributes:
        operator: the last operator of the compiled model that runs.
        kept: bytes of its command stream that the NPU works on; None for all of it, and for one on the CPU.
    """

    operator: int
    kept: int | None


class Stoppable(Protocol):
    """A target that holds a compiled model and one input. Use as a context manager.

    Attributes:
        runs: how often it ran so far.
        whole: whether all of its memory comes at no cost, or every byte takes its time.
    """

    runs: int
    whole: bool

    def __enter__(self) -> Stoppable:
        """Get ready."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs."""

    def memory_after(self, stop: Stop, wanted: Wanted) -> Memories:
        """Run up to there, and return what memory holds then.

        Raises:
            TargetError: it did not get there, or its memory cannot be read.
            BadInputError: the compiled model cannot be stopped there.
        """

    def address(self, region: int) -> int | None:
        """Where a region begins in the target's memory; None where nobody knows."""
