"""Hints from compilations of the whole network: rewritten, with other inputs and outputs, in other memories."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from deploy.advising import borders
from deploy.advising.documents import Costs, Hint, Kind, Outputs
from deploy.advising.quick import Candidates
from deploy.advising.time_limit import TimeLimit
from deploy.build_folder import Figure
from deploy.compiling import fitting, vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.placement import place
from deploy.compiling.vela_config import check_combination, installed_config
from deploy.compiling.vela_figures import figures_of
from deploy.errors import BadInputError
from deploy.rewriting import rewriting, trial
from deploy.tflite_model import Model, load

SECONDS = 180.0
"""After which nothing new is begun."""

_ARENAS = (0.75, 0.5)
"""Shares of the present SRAM peak that the arena is tried with."""
_FIGURES = {
    "cpu_operators": "cpu_operators",
    "cycles": "total_cycles",
    "sram_bytes": "sram_peak",
    "dram_bytes": "dram_peak",
    "flash_bytes": "flash",
}


@dataclass(frozen=True)
class Variant:
    """One way to have the whole network, and how to say so.

    Attributes:
        kind: of the hint.
        title: of the hint.
        action: what to do.
        outputs: what becomes of the network's outputs.
        model: makes it; None where there is nothing to change.
        options: what to compile for.
    """

    kind: Kind
    title: str
    action: str
    outputs: Outputs
    model: Callable[[], Model | None]
    options: CompileOptions


def network_costs(figures: Iterable[Figure]) -> Costs:
    """What a whole network costs, from the figures of its compilation."""
    values = {figure.name: int(figure.value) for figure in figures}
    return Costs(**{ours: values.get(theirs) for ours, theirs in _FIGURES.items()})


def full_hints(
    model: Model,
    present: Costs,
    found: Candidates,
    options: CompileOptions,
    *,
    optimize: str,
    limit: TimeLimit,
    say: Callable[[str], None],
) -> tuple[list[Hint], list[str]]:
    """Compile the network in every other way there is.

    Args:
        model: quantized.
        present: what it costs.
        found: of :func:`deploy.advising.quick.candidates`.
        options: what it is compiled for.
        optimize: the command that rewrites it.
        limit: runs Vela's command as long as there is time.
        say: told what is tried.

    Returns:
        The hints; and what could not be tried, one sentence each.

    Raises:
        NotInstalledError: Vela is missing.
    """
    hints: list[Hint] = []
    notes: list[str] = []
    for variant in _variants(model, present, found, options, optimize, limit):
        if not limit.left:
            notes.append(f"not tried, the time was over: {variant.title}")
            continue
        say(variant.title)
        try:
            changed = _costs(variant, limit)
        except BadInputError as error:
            notes.append(f"{variant.title}: {error.message}")
            continue
        if changed is not None:
            hints.append(_hint(variant, present, changed))
    return hints, notes


def _hint(variant: Variant, present: Costs, changed: Costs) -> Hint:
    return Hint(
        kind=variant.kind,
        title=variant.title,
        present=present,
        changed=changed,
        source=f"Vela {vela.version()}, the whole network",
        action=variant.action,
        outputs=variant.outputs,
    )


def _costs(variant: Variant, limit: TimeLimit) -> Costs | None:
    """What a variant costs; None where there is none, or it does not fit."""
    model = variant.model()
    if model is None:
        return None
    options = variant.options
    result = vela.compile_bytes(model.content, fitting.vela_options(options), source=variant.title, run=limit.run)
    compiled = load(result.compiled, source=f"{variant.title} (compiled)")
    operators = place(model, compiled, result.layers, result.fallbacks).operators
    costs = network_costs(figures_of(result.summary, operators, options, "Vela"))
    bounds = (fitting.sram_limit(options), installed_config().cache_bytes(options.memory_mode))
    fits = all(bound is None or (costs.sram_bytes or 0) <= bound for bound in bounds)
    return costs if fits else None


def _variants(
    model: Model, present: Costs, found: Candidates, options: CompileOptions, optimize: str, limit: TimeLimit
) -> Iterator[Variant]:
    if found.sites:
        yield Variant(
            "whole network",
            "every rewrite that pays, together",
            optimize,
            "within rounding",
            lambda: _rewritten(model, options, limit),
            options,
        )
    graph = found.graph
    if any(borders.conversions(graph)):
        yield Variant(
            "input and output types",
            "int8 inputs and outputs",
            "quantize with --io int8",
            "interface changes",
            lambda: borders.without(model, borders.conversions),
            options,
        )
    if any(borders.last_functions(graph)):
        yield Variant(
            "on the host",
            "logits as outputs",
            "end the network at the logits; the host applies the last function where it needs it",
            "interface changes",
            lambda: borders.without(model, borders.last_functions),
            options,
        )
    for title, action, way in _ways(options, present):
        yield Variant("memory", title, action, "exact", lambda: model, way)


def _rewritten(model: Model, options: CompileOptions, limit: TimeLimit) -> Model | None:
    asked = fitting.vela_options(options)
    rewritten, made = rewriting.rewrite(
        model, lambda graph, sites: trial.costs(graph, sites, asked, run=limit.run)
    )
    return rewritten if made else None


def _ways(options: CompileOptions, present: Costs) -> Iterator[tuple[str, str, CompileOptions]]:
    """The same network with other options of Vela: strategies, memory modes, sizes of the arena."""
    for strategy in vela.OPTIMISE:
        if strategy != options.optimise:
            words = f"--optimise {strategy}"
            yield f"Vela's strategy {strategy}", words, dataclasses.replace(options, optimise=strategy)
    for memory in installed_config().memories:
        if memory != options.memory_mode and _goes(options, memory):
            words = f"--memory-mode {memory}"
            yield f"memory mode {memory}", words, dataclasses.replace(options, memory_mode=memory)
    for share in _ARENAS if present.sram_bytes else ():
        size = int((present.sram_bytes or 0) * share) // 1024
        if size:
            words = f"--sram-limit {size}K"
            yield f"an arena of {size} KiB", words, dataclasses.replace(options, sram_limit=size * 1024)


def _goes(options: CompileOptions, memory: str) -> bool:
    try:
        check_combination(options.npu, options.system_config, memory)
    except BadInputError:
        return False
    return True
