"""Spreads independent steps over the host's processor cores (NumPy releases the interpreter while it computes)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_WORKERS = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
_pool: ThreadPoolExecutor | None = None


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _pool  # noqa: PLW0603 - one pool a process
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def for_each(function: Callable[[T], None], items: Sequence[T]) -> None:
    """Call ``function`` with every item, several at a time; the calls must not depend on each other.

    An exception of a call is raised when all of them have ended. Calls must not call this function themselves.
    """
    global _pool  # noqa: PLW0603 - one pool a process
    workers = min(_WORKERS, len(items))
    if workers < 2:
        for item in items:
            function(item)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="npu")

    def share(start: int) -> None:
        for item in items[start::workers]:
            function(item)

    others = [_pool.submit(share, start) for start in range(1, workers)]
    try:
        share(0)
    finally:
        errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error
