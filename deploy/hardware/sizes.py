"""Sizes in bytes as people write them: ``524288``, ``512K``, ``2M`` (powers of 1024)."""

from __future__ import annotations

import re

KIB = 1024
MIB = 1024 * KIB
_SIZE = re.compile(r"(\d{1,18})\s*(?:([KM])(?:I?B)?|B)?", re.IGNORECASE)
_FACTORS = {"": 1, "K": KIB, "M": MIB}


def bytes_of(text: str) -> int:
    """Bytes that a size stands for.

    Raises:
        ValueError: it is no size, or 0.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(match[1]) * _FACTORS[(match[2] or "").upper()] if match else 0
    if size <= 0:
        raise ValueError(f"not a size: {text}")
    return size


def short(size: int) -> str:
    """A number of bytes in the largest unit that divides it: ``2M``."""
    for unit, factor in (("M", MIB), ("K", KIB)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
