"""Finds the compiled core."""

from __future__ import annotations

import functools
import sys
from types import ModuleType


@functools.cache
def native() -> ModuleType | None:
    """The compiled core; None where it was not built, or could not hold elements as the NPU's memory does."""
    if sys.byteorder != "little":
        return None
    try:
        from deploy.npu.core import native as found
    except ImportError:
        return None
    return found
