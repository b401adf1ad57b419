"""Says what would fit where a model does not: by trying, within a bounded time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.compiling.compilation import DoesNotFitError
    from deploy.compiling.compile_options import CompileOptions
    from deploy.compiling.compiler import Compiler
    from deploy.tflite import Model
    from deploy.zoo.model_source import ModelSource

SEARCH_S = 180.0
"""Seconds after which nothing new is tried."""


def with_advice(
    error: DoesNotFitError,
    source: ModelSource,
    model: Model,
    options: CompileOptions,
    compiler: Compiler,
    *,
    quiet: bool,
) -> DoesNotFitError:
    """The error with what does fit: memory modes and strategies of Vela, and the largest input.

    Args:
        error: as compiling raised it.
        source: the model as the user named it.
        model: quantized.
        options: that it does not fit with.
        compiler: compiles what is tried.
        quiet: do not say what is tried.
    """
    import dataclasses

    from deploy.compiling.fitting import largest_size, try_ways
    from deploy.zoo import model_source

    def say(what: str) -> None:
        if not quiet:
            print(f"deploy: it does not fit; {what}", file=sys.stderr, flush=True)

    deadline = time.monotonic() + SEARCH_S
    # The model as it is first: compiling it again is quick, building it for another size is not.
    attempts = try_ways(model, options, source.text, compiler, deadline=deadline, say=say)
    hints = []
    if model_source.has_size(source):
        size = model.input_tensors[0].shape[1]
        build = builder(source)
        strategies = dict.fromkeys([options.optimise, "Size"])
        for strategy in strategies:
            best, complete = largest_size(
                build,
                size,
                dataclasses.replace(options, optimise=strategy),
                error.taken,
                source.text,
                compiler,
                deadline=deadline,
                say=say,
            )
            more = f" --optimise {strategy}" if strategy != options.optimise else ""
            if best is not None:
                how_sure = (
                    "the largest multiple of 32 that fits" if complete else "fits; larger ones were not tried"
                )
                hints.append(f"{best.words}{more}: {how_sure}, {best.sram_bytes:,} bytes of SRAM")
    ways = [str(attempt) for attempt in sorted(attempts, key=lambda attempt: not attempt.fits)]
    return type(error)(error.message, taken=error.taken, hints=[*ways, *hints, *error.hints])


def builder(source: ModelSource) -> Callable[[int], Model]:
    """Builds the network for another size: with random weights and data, which change no memory."""
    from deploy.quantizing import dataset
    from deploy.quantizing.quantization import quantize
    from deploy.zoo import model_source

    built: dict[int, Model] = {}

    def build(size: int) -> Model:
        if size not in built:
            model = model_source.load_float(model_source.with_size(source, size))
            built[size] = quantize(model, dataset.random_images(model.inputs, 1), compare=0).model
        return built[size]

    return build
