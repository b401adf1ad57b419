"""The largest input that fits, for networks that can be built for any."""

from __future__ import annotations

import time
from collections.abc import Callable

from deploy.advising.documents import Costs, Hint
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import VELA, Compiler
from deploy.compiling.fitting import SIZE_STEP, largest_size, sram_limit
from deploy.tflite import Model

_BEYOND = 1.5
"""Times the size that memory seems to allow: feature maps grow with the area, so that this will not fit."""


def largest_input(
    build: Callable[[int], Model],
    size: int,
    taken: int,
    options: CompileOptions,
    source: str,
    compiler: Compiler = VELA,
    *,
    seconds: float,
    say: Callable[[str], None],
) -> Hint | None:
    """A hint about a larger input than ``size``, which takes so many bytes; None where none was seen to fit.

    Raises:
        NotInstalledError: Vela is missing.
    """
    limit = sram_limit(options)
    if limit is None or not 0 < taken <= limit:
        return None
    expected = size * (limit / taken) ** 0.5 / SIZE_STEP
    beyond = SIZE_STEP * max(int(_BEYOND * expected) + 1, int(expected) + 4)
    grown = int(taken * (beyond / size) ** 2)
    deadline = time.monotonic() + seconds
    best, complete = largest_size(build, beyond, options, grown, source, compiler, deadline=deadline, say=say)
    if best is None:
        return None
    largest = int(best.words.rpartition("=")[2])
    tried = complete and largest + SIZE_STEP < beyond
    sure = "the largest multiple of 32 that fits" if tried else "fits; larger ones were not tried"
    return Hint(
        kind="input size",
        title=f"inputs of up to {largest} x {largest} within {limit:,} bytes of SRAM: {sure}",
        present=Costs(sram_bytes=taken),
        changed=Costs(sram_bytes=best.sram_bytes),
        source=f"Vela {vela.version()}, the whole network",
        action=best.words,
        outputs="needs retraining",
        value=(size, largest),
    )
