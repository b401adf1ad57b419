"""The compiled core, see ``module.c``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

FIELDS: dict[str, int]
"""Members of ``struct operation`` and the 64-bit word where each stands; some share theirs."""
NUMBERS: dict[str, int]
"""The constants of ``record.h`` and ``run.h`` by their names."""
SOURCES: str
"""What :func:`deploy.npu.core.sources.digest` said of the sources; empty where that is not known."""
VERSIONS: list[str]
"""Of the innermost loops, that this processor can run, from the plainest to the fastest."""

def decompress(stream: bytes, values: Any, /) -> int:
    """Decompress a weight stream into int16 values; how many they are, or -1 where it does not decode to that."""

ORDER: list[str]
"""Members of ``struct weight_order``, a 64-bit word each."""

def packed_bytes(order: Any, streams: int, /) -> int:
    """Bytes of room for packed weights of so many streams."""

def pack(jobs: Sequence[tuple[Any, Sequence[Any], Sequence[Any], Any]], over: Any, /) -> list[int]:
    """Pack weights, each an order, weight streams, scale streams, and room of zeros, without the interpreter.

    The room has the streams' addresses: they must not change or go away as long as it is used. A prepared program
    may have it before it is packed, and uses it once it is.

    Args:
        jobs: that many.
        over: bytes; once the first one is not 0, nothing is begun any more.

    Returns:
        How each went: PACKED, TOO_WIDE, NO_ROOM, or another number for damaged streams, and what was not begun.
    """

class Prepared:
    """A translated program on the memory that it runs on, see ``prepared.c``."""

    def __new__(
        cls,
        operations: Any,
        pieces: Any,
        ranges: Any,
        weights: list[Any],
        ask: Callable[[int], Any],
        regions: Sequence[Any],
        knots: Any,
        batch: int,
        budget: int,
        band_bytes: int,
        version: int,
        /,
    ) -> Prepared:
        """Weights that are missing, or are not what memory holds, are asked for with the operation's number."""

    def run(self, first: int, stop: int, /) -> int:
        """Run operations from one up to another; the first one that was not run."""
