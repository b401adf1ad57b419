"""The compiled core, see ``module.c``."""

from collections.abc import Sequence
from typing import Any

FIELDS: dict[str, int]
"""Members of ``struct operation`` and the 64-bit word where each stands."""
NUMBERS: dict[str, int]
"""The constants of ``record.h`` and ``run.h`` by their names."""
VERSIONS: list[str]
"""Of the innermost loops, that this processor can run, from the plainest to the fastest."""

def decompress(stream: bytes, values: Any, /) -> int:
    """Decompress a weight stream into int16 values; how many they are, or -1 where it does not decode to that."""

def run(
    operations: Any,
    pieces: Any,
    ranges: Any,
    weights: list[Any],
    regions: Sequence[Any],
    knots: Any,
    batch: int,
    first: int,
    stop: int,
    budget: int,
    version: int,
    /,
) -> tuple[int, int]: ...
