"""Spreads independent steps over the host's processor cores (NumPy releases the interpreter while it computes)."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_WORKERS = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
_pool: ThreadPoolExecutor | None = None


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _pool  # noqa: PLW0603 - one pool a process
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def workers() -> int:
    """How many calls :func:`for_each` makes at a time, at most."""
    return _WORKERS


def for_each(function: Callable[[T], None], items: Sequence[T]) -> None:
    """Call ``function`` with every item, several at a time; the calls must not depend on each other.

    An exception of a call is raised when all of them have ended. Calls must not call this function themselves.
    """
    global _pool  # noqa: PLW0603 - one pool a process
    shares = min(workers(), len(items))
    if shares < 2:
        for item in items:
            function(item)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="npu")

    def share(start: int) -> None:
        for item in items[start::shares]:
            function(item)

    others = [_pool.submit(share, start) for start in range(1, shares)]
    try:
        share(0)
    finally:
        errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep NumPy's OpenBLAS to the calling thread; a BLAS that cannot be told keeps its threads.

    OpenBLAS's own threads wait by spinning: on a machine that has other work to do that made a network 3 to 6
    times slower than one thread (measured). :func:`for_each` spreads the work instead.
    """
    library = _openblas()
    if library is None:
        yield
        return
    before = library.scipy_openblas_get_num_threads64_()
    library.scipy_openblas_set_num_threads64_(1)
    try:
        yield
    finally:
        library.scipy_openblas_set_num_threads64_(before)


@functools.cache
def _openblas() -> ctypes.CDLL | None:
    """The OpenBLAS inside NumPy's wheel, which is loaded already."""
    package = Path(np.__file__).parent
    for path in (*package.parent.glob("numpy.libs/*openblas*"), *package.glob(".dylibs/*openblas*")):
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))
            # Looked up now, so that a library without them is not used.
            _ = library.scipy_openblas_get_num_threads64_, library.scipy_openblas_set_num_threads64_
            return library
    return None
