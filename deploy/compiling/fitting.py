"""What would fit where a model does not: other memory modes, Vela's strategy ``Size``, a smaller input.

Nothing is predicted: every answer comes from a run of Vela.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.compiling.compiler import VELA, Compiler
from deploy.compiling.vela_config import installed_config
from deploy.errors import BadInputError
from deploy.hardware.boards import default_board
from deploy.hardware.npus import Npu, npu_named
from deploy.hardware.sizes import short
from deploy.tflite import Model

SIZE_STEP = 32
"""Input sizes that are tried are multiples of it: the stride of the usual networks."""

_DEDICATED = "Dedicated_Sram_384KB"
_OTHER_FAMILY = "U65-256"


@dataclass(frozen=True)
class Attempt:
    """One way to compile the model that was tried."""

    words: str
    sram_bytes: int
    fits: bool

    def __str__(self) -> str:
        outcome = "fits" if self.fits else "does not fit either"
        return f"{self.words}: {outcome}, {self.sram_bytes:,} bytes of SRAM"


def sram_limit(options: CompileOptions) -> int | None:
    """Bytes of SRAM that a model may take: the user's limit, else the board's; None where neither says one."""
    return options.sram_limit or board_sram(options.npu)


def board_sram(npu: Npu) -> int | None:
    """Bytes of SRAM that a model may take on the board that is meant for an NPU; None where that is not known."""
    sram = default_board(npu.family).sram
    return sram.size if sram else None


def limit_name(options: CompileOptions) -> str:
    """What sets the limit, for messages: the option, or ``the SRAM of Corstone-300``."""
    return "--sram-limit" if options.sram_limit else f"the SRAM of {default_board(options.npu.family).name}"


def other_ways(options: CompileOptions) -> tuple[tuple[str, CompileOptions], ...]:
    """Ways to compile the same model with less SRAM: what to type, and what that means. Cheapest change first."""
    ways: list[tuple[str, CompileOptions]] = []
    if options.memory_mode == "Sram_Only":
        ways.append(("--memory-mode Shared_Sram", dataclasses.replace(options, memory_mode="Shared_Sram")))
    available = board_sram(options.npu)
    if options.sram_limit is None and available is not None:
        aimed = dataclasses.replace(options, sram_limit=available)
        ways.append((f"--sram-limit {short(available)}, which Vela then aims for", aimed))
    if options.optimise != "Size":
        ways.append(("--optimise Size", dataclasses.replace(options, optimise="Size")))
    cache = installed_config().cache_bytes(options.memory_mode)
    if options.npu.family == "U65" and cache is None and _has_dram(options):
        ways.append((f"--memory-mode {_DEDICATED}", dataclasses.replace(options, memory_mode=_DEDICATED)))
    if options.npu.family == "U55":
        other = compile_options(npu_named(_OTHER_FAMILY), memory_mode=_DEDICATED, optimise=options.optimise)
        words = f"--npu {_OTHER_FAMILY} --memory-mode {_DEDICATED} (feature maps in DRAM)"
        ways.append((words, dataclasses.replace(other, sram_limit=options.sram_limit)))
    return tuple(ways)


def _has_dram(options: CompileOptions) -> bool:
    return installed_config().arena_memory(options.system_config, _DEDICATED) == "Dram"


def try_ways(
    model: Model,
    options: CompileOptions,
    source: str,
    compiler: Compiler = VELA,
    *,
    deadline: float,
    say: Callable[[str], None],
) -> list[Attempt]:
    """Compile the same model in other ways, up to the first that fits; one that Vela refuses is left out.

    Args:
        model: quantized.
        options: those that it does not fit with.
        source: names the model in errors.
        compiler: compiles it.
        deadline: by ``time.monotonic``; nothing new is begun after it.
        say: told what is tried.
    """
    attempts = []
    for words, way in other_ways(options):
        if time.monotonic() > deadline:
            break
        say(f"trying {words}")
        limit = sram_limit(way)
        try:
            taken = _sram(compiler, model, way, source)
        except BadInputError:
            say(f"Vela refuses {words}")
            continue
        attempts.append(Attempt(words, taken, limit is None or taken <= limit))
        if attempts[-1].fits:
            break
    return attempts


def largest_size(
    build: Callable[[int], Model],
    size: int,
    options: CompileOptions,
    taken: int,
    source: str,
    compiler: Compiler = VELA,
    *,
    deadline: float,
    say: Callable[[str], None],
) -> tuple[Attempt | None, bool]:
    """The largest input that fits: bisected over the multiples of ``SIZE_STEP``, each compiled.

    Args:
        build: the quantized network for an input of that height and width; ``BadInputError`` where there is none.
        size: that does not fit.
        options: what to compile for.
        taken: bytes of SRAM at that size, for a first guess: feature maps grow with the area.
        source: names the model in errors.
        compiler: compiles it.
        deadline: by ``time.monotonic``; nothing new is begun after it.
        say: told what is tried.

    Returns:
        The largest that was seen to fit, None for none; and whether the search came to its end.
    """
    limit = sram_limit(options)
    if limit is None:
        return None, True
    best: Attempt | None = None
    low, high = 0, -(-size // SIZE_STEP)  # in steps: fits, does not fit
    guess = int(size * (limit / taken) ** 0.5) // SIZE_STEP
    while high - low > 1:
        if time.monotonic() > deadline:
            return best, False
        middle = min(max(guess, low + 1), high - 1)
        words = f"--set size={middle * SIZE_STEP}"
        say(f"trying {words}" + (f" --optimise {options.optimise}" if options.optimise == "Size" else ""))
        try:
            sram = _sram(compiler, build(middle * SIZE_STEP), options, source)
        except BadInputError:
            sram = limit + 1  # not a size of this network
        if sram <= limit:
            low, best, guess = middle, Attempt(words, sram, fits=True), middle + 1
        else:
            high, guess = middle, middle - 1
    return best, True


def _sram(compiler: Compiler, model: Model, options: CompileOptions, source: str) -> int:
    return int(compiler.compile(model, options, source=source).figure("sram_peak"))
