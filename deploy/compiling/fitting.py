"""What would fit where a model does not: other memory modes, Vela's strategy ``Size``, a smaller input.

Nothing is predicted: every answer comes from a run of Vela.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.compiling.vela_config import installed_config
from deploy.compiling.vela_figures import figures_of
from deploy.errors import BadInputError
from deploy.hardware.boards import default_board
from deploy.hardware.npus import Npu, npu_named
from deploy.hardware.sizes import short
from deploy.tflite.model import Model

SIZE_STEP = 32
"""Input sizes that are tried are multiples of it: the stride of the usual networks."""

_DEDICATED = "Dedicated_Sram_384KB"
_OTHER_FAMILY = "U65-256"


@dataclass(frozen=True)
class Attempt:
    """One way to compile the model that was tried.

    Attributes:
        words: the options to type.
        sram_bytes: what it takes.
        fits: whether that is little enough.
    """

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


def vela_options(options: CompileOptions) -> vela.VelaOptions:
    """What Vela is asked for: the user's limit is the SRAM to aim for, where the NPU's own is not smaller."""
    cache = installed_config().cache_bytes(options.memory_mode)
    target = min(filter(None, (options.sram_limit, cache)), default=None) if options.sram_limit else None
    return vela.VelaOptions(options.npu, options.system_config, options.memory_mode, options.optimise, target)


def sram_of(model: Model, options: CompileOptions, source: str) -> int:
    """Bytes of SRAM that a quantized model takes: Vela's figure.

    Raises:
        BadInputError: Vela cannot compile it.
        NotInstalledError: Vela is missing.
    """
    summary = vela.compile_bytes(model.content, vela_options(options), source=source).summary
    return int(
        next(figure.value for figure in figures_of(summary, (), options, "Vela") if figure.name == "sram_peak")
    )


def other_ways(options: CompileOptions) -> tuple[tuple[str, CompileOptions], ...]:
    """Ways to compile the same model with less SRAM: what to type, and what that means. Cheapest change first."""
    ways: list[tuple[str, CompileOptions]] = []
    if options.memory_mode == "Sram_Only":
        shared = compile_options(options.npu, system_config=options.system_config, memory_mode="Shared_Sram")
        ways.append(("--memory-mode Shared_Sram", dataclasses.replace(shared, sram_limit=options.sram_limit)))
    available = board_sram(options.npu)
    if options.sram_limit is None and available is not None:
        aimed = dataclasses.replace(options, sram_limit=available)
        ways.append((f"--sram-limit {short(available)}, which Vela then aims for", aimed))
    if options.optimise != "Size":
        ways.append(("--optimise Size", dataclasses.replace(options, optimise="Size")))
    cache = installed_config().cache_bytes(options.memory_mode)
    if options.npu.family == "U65" and cache is None:
        dedicated = compile_options(options.npu, memory_mode=_DEDICATED, optimise=options.optimise)
        ways.append((f"--memory-mode {_DEDICATED}", dataclasses.replace(dedicated, sram_limit=options.sram_limit)))
    if options.npu.family == "U55":
        other = compile_options(npu_named(_OTHER_FAMILY), memory_mode=_DEDICATED)
        words = f"--npu {_OTHER_FAMILY} --memory-mode {_DEDICATED} (feature maps in DRAM)"
        ways.append((words, dataclasses.replace(other, sram_limit=options.sram_limit)))
    return tuple(ways)


def try_ways(
    model: Model, options: CompileOptions, source: str, *, deadline: float, say: Callable[[str], None]
) -> list[Attempt]:
    """Compile the same model in other ways, up to the first that changes the memory and fits.

    Args:
        model: quantized.
        options: those that it does not fit with.
        source: names the model in errors.
        deadline: by ``time.monotonic``; nothing new is begun after it.
        say: told what is tried.
    """
    attempts = []
    for words, way in other_ways(options):
        if time.monotonic() > deadline:
            break
        say(f"trying {words}")
        taken, limit = sram_of(model, way, source), sram_limit(way)
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
            sram = sram_of(build(middle * SIZE_STEP), options, source)
        except BadInputError:
            sram = limit + 1  # not a size of this network
        if sram <= limit:
            low, best, guess = middle, Attempt(words, sram, fits=True), middle + 1
        else:
            high, guess = middle, middle - 1
    return best, True
