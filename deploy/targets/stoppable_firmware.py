"""Firmware that speaks the protocol, stopped early: one boot, or a board, and an inference for every stop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.judging.samples import Sample
from deploy.targets.firmware_link import FirmwareLink
from deploy.targets.stoppable import Memories, Stop, Wanted

MOST_RUNS = 64
"""More stops than these need streams of more operations than there are."""

_CHUNK_BYTES = 4096
_GAP_BYTES = 32
"""So many bytes that nobody asked for are read rather than sending another request."""

Connect = Callable[[], contextlib.AbstractContextManager[FirmwareLink]]
"""Reaches the firmware, and greets it."""


class StoppableFirmware:
    """Firmware with one input; see :class:`deploy.targets.stoppable.Stoppable`.

    Args:
        connect: reaches it.
        sample: one array per input.
        timeout_s: seconds that one inference, or one piece of memory, may take.
        stateful: whether the model has a state, to be reset before every inference.
    """

    whole = False

    def __init__(self, connect: Connect, sample: Sample, timeout_s: float, *, stateful: bool = False) -> None:
        self._connect, self._sample, self._timeout_s, self._stateful = connect, sample, timeout_s, stateful
        self._stack = contextlib.ExitStack()
        self._link: FirmwareLink | None = None
        self.runs = 0

    def __enter__(self) -> StoppableFirmware:
        """Connect.

        Raises:
            TargetError: it does not answer, or is another firmware.
        """
        self._link = self._stack.enter_context(self._connect())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def address(self, _region: int) -> int | None:
        """Nobody tells."""
        return None

    def memory_after(self, stop: Stop, wanted: Wanted) -> Memories:
        """Run up to there, and read what is wanted.

        Raises:
            TargetError: no whole answer, or the firmware cannot be stopped.
            BadInputError: an operator on the CPU, which this firmware does not have.
        """
        if self._link is None or stop.kept is None:
            raise BadInputError("firmware with operators on the CPU cannot be stopped early")
        self.runs += 1
        if self._stateful:
            self._link.reset()
        self._link.stop_after(stop.kept // 4)
        self._link.infer(self._sample, self._timeout_s)
        memories = {}
        for region, mask in wanted.items():
            memories[region] = np.zeros(mask.size, np.uint8)
            for start, end in spans(mask):
                content = self._link.read(region, start, end - start, self._timeout_s)
                memories[region][start:end] = np.frombuffer(content, np.uint8)
        return memories


def spans(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Ranges ``(start, end)`` that hold all bytes of a mask, few and none too long."""
    places = mask.nonzero()[0]
    if places.size == 0:
        return
    breaks = np.nonzero(np.diff(places) > _GAP_BYTES)[0]
    firsts, lasts = np.append(places[0], places[breaks + 1]), np.append(places[breaks], places[-1])
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        for start in range(first, last + 1, _CHUNK_BYTES):
            yield start, min(start + _CHUNK_BYTES, last + 1)
