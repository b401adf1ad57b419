"""Hints from compilations of the whole network: rewritten, with other inputs and outputs, in other memories."""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.advising import borders
from deploy.advising.documents import Costs, Hint, Kind, Outputs
from deploy.advising.quick import Candidates
from deploy.build_folder import Figure
from deploy.compiling import fitting, vela
from deploy.compiling.compile_options import OPTIMISE, CompileOptions
from deploy.compiling.compiler import Compiled, Compiler
from deploy.compiling.vela_config import goes_together, installed_config
from deploy.errors import BadInputError
from deploy.optimizing.network_trials import NetworkTrials
from deploy.processes.supervisor import Ended, RunCommand
from deploy.tflite import Model
from deploy.tflite.graph import Graph

SECONDS = 180.0
"""After which nothing new is begun."""

_ARENAS = (0.75, 0.5)
"""Shares of the present SRAM peak that the arena is tried with."""
_OF_NETWORK: dict[Kind, Kind] = {"whole network": "rewrite"}
"""Kind of a hint about the network -> that of the hints about operators alone, where it is another."""
_FIGURES = {
    "cpu_operators": "cpu_operators",
    "cycles": "total_cycles",
    "sram_bytes": "sram_peak",
    "dram_bytes": "dram_peak",
    "flash_bytes": "flash",
}


class Deadline:
    """Runs commands until its time is over; a command that is too late has then taken too long."""

    def __init__(self, run: RunCommand, seconds: float) -> None:
        self._run, self._deadline = run, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; 0 when the time is over."""
        return max(self._deadline - time.monotonic(), 0)

    def run(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run a command in a folder; see :func:`deploy.processes.supervisor.run`."""
        if not self.left:
            return Ended(-signal.SIGKILL, timed_out=True, output="")
        return self._run(command, folder, timeout_s=min(timeout_s, self.left))


@dataclass(frozen=True)
class Variant:
    """One way to have the whole network, and how to say so."""

    kind: Kind
    title: str
    action: str
    outputs: Outputs
    model: Callable[[], Model]
    options: CompileOptions


def network_costs(figures: Iterable[Figure]) -> Costs:
    """What a whole network costs, from the figures of its compilation."""
    values = {figure.name: int(figure.value) for figure in figures}
    return Costs(**{ours: values.get(theirs) for ours, theirs in _FIGURES.items()})


def full_hints(
    model: Model,
    found: Candidates,
    options: CompileOptions,
    *,
    optimize: str,
    limit: Deadline,
    say: Callable[[str], None],
) -> tuple[list[Hint], list[str]]:
    """Compile the network in every other way there is.

    Returns:
        The hints, also those that win nothing; and what could not be tried, one sentence each.

    Raises:
        BadInputError: the model as it is does not compile in that time.
        NotInstalledError: Vela is missing.
    """
    say("the network as it is")
    compiler = Compiler(limit.run)
    context = NetworkTrials(model, "the network", options, compiler)
    before = context.compiled(model)
    present = network_costs(before.figures)
    hints: list[Hint] = []
    notes: list[str] = []
    if found.sites:
        say("every rewrite that pays, together")
        try:
            hints += _rewritten(context, before, optimize)
        except BadInputError as error:
            notes.append(f"every rewrite that pays: {error.message}")
    for variant in _variants(model, present, found.graph, options):
        if not limit.left:
            notes.append(f"not tried, the time was over: {variant.title}")
            continue
        say(variant.title)
        try:
            changed = _costs(variant, compiler)
        except BadInputError as error:
            notes.append(f"{variant.title}: {error.message}")
            continue
        if changed is not None:
            hints.append(_hint(variant.kind, variant.title, variant.action, variant.outputs, present, changed))
    return hints, notes


def reconciled(quick: Iterable[Hint], full: Iterable[Hint]) -> tuple[list[Hint], list[str]]:
    """Hints about operators alone that hold in the network, too, and all hints about the network.

    Returns:
        The hints, and what was left out, one sentence each.
    """
    network = list(full)
    hints, notes = [hint for hint in network if hint.worthwhile], []
    lost = {
        _OF_NETWORK.get(hint.kind, hint.kind) for hint in network if not hint.worthwhile and hint.kind != "memory"
    }
    for hint in quick:
        if hint.kind in lost:
            notes.append(f"{hint.title}: saves cycles alone, but not in the network")
        else:
            hints.append(hint)
    return hints, notes


def _hint(kind: Kind, title: str, action: str, outputs: Outputs, present: Costs, changed: Costs) -> Hint:
    return Hint(
        kind=kind,
        title=title,
        present=present,
        changed=changed,
        source=f"Vela {vela.version()}, the whole network",
        action=action,
        outputs=outputs,
    )


def _rewritten(context: NetworkTrials, before: Compiled, optimize: str) -> Iterator[Hint]:
    """What ``deploy optimize`` comes to where all outputs stay within its tolerance."""
    present = network_costs(before.figures)
    outcome = context.best(before, lambda rule, form: True)
    if outcome is None:
        yield _hint("whole network", "rewrites", optimize, "exact", present, present)
        return
    exact = all(change.exact for change in outcome.rewritten.changes)
    count = len(outcome.rewritten.changes)
    title = f"all {count} rewrites that pay, together" if count > 1 else "the one rewrite that pays"
    changed = network_costs(outcome.compiled.figures)
    yield _hint("whole network", title, optimize, "exact" if exact else "within rounding", present, changed)


def _costs(variant: Variant, compiler: Compiler) -> Costs | None:
    """What a variant costs; None where it does not fit."""
    options = variant.options
    costs = network_costs(compiler.compile(variant.model(), options, source=variant.title).figures)
    bounds = (fitting.sram_limit(options), installed_config().cache_bytes(options.memory_mode))
    fits = all(bound is None or (costs.sram_bytes or 0) <= bound for bound in bounds)
    return costs if fits else None


def _variants(model: Model, present: Costs, graph: Graph, options: CompileOptions) -> Iterator[Variant]:
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


def _ways(options: CompileOptions, present: Costs) -> Iterator[tuple[str, str, CompileOptions]]:
    """The same network with other options of Vela: strategies, memory modes, sizes of the arena."""
    for strategy in OPTIMISE:
        if strategy != options.optimise:
            words = f"--optimise {strategy}"
            yield f"Vela's strategy {strategy}", words, dataclasses.replace(options, optimise=strategy)
    for memory in installed_config().memories:
        if memory != options.memory_mode and goes_together(options.npu, options.system_config, memory):
            words = f"--memory-mode {memory}"
            yield f"memory mode {memory}", words, dataclasses.replace(options, memory_mode=memory)
    for share in _ARENAS if present.sram_bytes else ():
        size = int((present.sram_bytes or 0) * share) // 1024
        if size:
            words = f"--sram-limit {size}K"
            yield f"an arena of {size} KiB", words, dataclasses.replace(options, sram_limit=size * 1024)
