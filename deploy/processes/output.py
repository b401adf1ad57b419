"""Reads what a child writes: all of it, so that it never waits, and keeps what a bound allows."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_CHUNK_BYTES = 65536
_POLL_S = 0.25

FLOOD_BYTES = 256 * 1024**2
"""Most bytes that a child may write: a thousand times what a compiler, Vela or a converter prints."""


@dataclass(frozen=True)
class Keep:
    """How much of an output is kept.

    Attributes:
        first_bytes: of its beginning.
        last_bytes: of its end; what lies between is dropped.
    """

    first_bytes: int = 16 * 1024**2
    last_bytes: int = 64 * 1024


KEEP_ALL_BUT_FLOODS = Keep()


class Kept:
    """What is kept of one output."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._first, self._last = bytearray(), bytearray()
        self._dropped = 0

    def add(self, chunk: bytes) -> None:
        """What was read next."""
        room = self._keep.first_bytes - len(self._first)
        self._first += chunk[:room]
        self._last += chunk[room:]
        if len(self._last) > self._keep.last_bytes + _CHUNK_BYTES:
            self._cut()

    def _cut(self) -> None:
        beyond = max(len(self._last) - self._keep.last_bytes, 0)
        del self._last[:beyond]
        self._dropped += beyond

    def text(self) -> str:
        """It; where a beginning is kept and something was dropped after it, a line says how much."""
        self._cut()
        left_out = f"\n[{self._dropped} bytes are left out here]\n" if self._first and self._dropped else ""
        return self._first.decode("utf-8", "replace") + left_out + self._last.decode("utf-8", "replace")


def readable(descriptor: int, timeout_s: float) -> bool:
    """Wait until there is something to read, or its writers have closed it; False when the time is over."""
    poll = select.poll()  # unlike select() for descriptors of any number
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


class FloodError(Exception):
    """A child writes more than any tool has to say."""


def collect(streams: Mapping[int, Callable[[bytes], None]], *, deadline: float, ended: Callable[[], bool]) -> bool:
    """Read outputs until their writers have closed them.

    A child's own child may hold an output open after the child has ended: then the end of the child counts.

    Args:
        streams: descriptor to read -> what takes each piece of it.
        deadline: of ``time.monotonic()``.
        ended: whether the child has ended.

    Returns:
        Whether that was before the deadline.

    Raises:
        FloodError: more than ``FLOOD_BYTES`` came.
    """
    read = 0
    poll = select.poll()
    for descriptor in streams:
        poll.register(descriptor, select.POLLIN)
    left = set(streams)
    while left:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        ready = poll.poll(min(remaining, _POLL_S) * 1000)
        if not ready and ended():
            return True
        for descriptor, _ in ready:
            chunk = os.read(descriptor, _CHUNK_BYTES)
            read += len(chunk)
            if read > FLOOD_BYTES:
                raise FloodError
            if chunk:
                streams[descriptor](chunk)
            else:
                poll.unregister(descriptor)
                left.discard(descriptor)
    return True
