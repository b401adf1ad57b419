"""Hints from one compilation of the sites alone, as they are and in every cheaper way."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from deploy.advising import documents
from deploy.advising.activations import swishes
from deploy.advising.borders import border_conversions, host_functions
from deploy.advising.channels import odd_channels
from deploy.advising.documents import Costs, Hint, Kind, Outputs
from deploy.advising.resizes import resizes
from deploy.advising.suggestion import Finder, Suggestion
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import VELA, Compiler
from deploy.compiling.vela_config import goes_together, installed_config
from deploy.errors import BadInputError
from deploy.rewriting import rewriting, trial
from deploy.rewriting.rewriting import Change
from deploy.rewriting.site import Site
from deploy.rewriting.trial import Cost, signature
from deploy.tflite import Quantization
from deploy.tflite.graph import Graph, Node

FINDERS: tuple[Finder, ...] = (host_functions, border_conversions, swishes, resizes, odd_channels)

_AT_BORDER: tuple[Kind, ...] = ("input and output types", "on the host")
_IN_SRAM = "Shared_Sram"
_MOST_NAMES = 3
_MOST_OPERATORS = 5_000
"""Looking through a graph takes time with the square of its size; MobileNetV4-Hybrid-L has some hundreds."""
_LEAST_SHARE = 0.001
"""Share of a network's cycles below which a hint says nothing."""


@dataclass(frozen=True)
class Candidates:
    """What may be worth a hint."""

    graph: Graph
    sites: tuple[Site, ...]
    suggestions: tuple[Suggestion, ...]

    def __bool__(self) -> bool:
        return bool(self.sites or self.suggestions)


def candidates(graph: Graph) -> Candidates:
    """What of a graph may be worth a hint; adds tensors to the graph, but no operators.

    Raises:
        BadInputError: the graph is larger than is looked through, or goes round in a circle.
    """
    if len(graph.nodes) > _MOST_OPERATORS:
        raise BadInputError(
            f"{len(graph.nodes)} operators are more than the {_MOST_OPERATORS} that are looked through"
        )
    writers = {tensor: number for number, node in enumerate(graph.nodes) for tensor in node.outputs}
    if any(writers.get(tensor, -1) >= number for number, node in enumerate(graph.nodes) for tensor in node.inputs):
        raise BadInputError("the operators are not in the order in which they depend on each other")
    sites = rewriting.find(graph)
    return Candidates(graph, tuple(sites), tuple(suggestion for finder in FINDERS for suggestion in finder(graph)))


def quick_hints(
    found: Candidates, options: CompileOptions, *, optimize: str, compiler: Compiler = VELA
) -> tuple[Hint, ...]:
    """Have Vela estimate every candidate, and make hints of those that win something.

    Raises:
        NotInstalledError: Vela is missing.
    """
    inner = _inside(options)
    if inner == options:
        gains = _gains(found.graph, found.sites, found.suggestions, options, optimize, compiler)
    else:
        border = [suggestion for suggestion in found.suggestions if suggestion.kind in _AT_BORDER]
        inside = [suggestion for suggestion in found.suggestions if suggestion.kind not in _AT_BORDER]
        gains = _gains(found.graph, found.sites, inside, inner, optimize, compiler)
        gains += _gains(found.graph, (), border, options, optimize, compiler)
    return documents.ordered(list(_hints(gains)))


def telling(hints: Iterable[Hint], network: Costs) -> tuple[Hint, ...]:
    """The hints that are about more than a thousandth of what a network costs, by what they save."""

    def tells(hint: Hint) -> bool:
        if hint.value is not None or hint.saved("cpu_operators"):
            return True
        return any(hint.saved(figure) > _LEAST_SHARE * (getattr(network, figure) or 0) for figure in hint.counted)

    return documents.ordered([hint for hint in hints if tells(hint)])


def _inside(options: CompileOptions) -> CompileOptions:
    """Options that put what an operator reads and writes where it lies inside a network.

    A part of a trial has inputs and outputs of its own. Where those of a network lie in DRAM, inside the network
    they are kept in SRAM nevertheless, as far as they fit.
    """
    in_dram = installed_config().arena_memory(options.system_config, options.memory_mode) == "Dram"
    if in_dram and goes_together(options.npu, options.system_config, _IN_SRAM):
        return replace(options, memory_mode=_IN_SRAM, sram_limit=None)
    return options


def _gains(
    graph: Graph,
    sites: Sequence[Site],
    suggestions: Sequence[Suggestion],
    options: CompileOptions,
    optimize: str,
    compiler: Compiler,
) -> list[_Gain]:
    """What changes are worth, from one run of Vela; none where there is nothing to try."""
    if not sites and not suggestions:
        return []
    parts = [site for suggestion in suggestions for site in (suggestion.site, suggestion.twin) if site is not None]
    estimates = trial.costs(graph, [_ahead(graph), *sites, *parts], options, compiler)
    source = f"Vela {vela.version()}, these operators alone in {options.memory_mode}"
    changes = [change for _, _, change in rewriting.changes(graph, sites, estimates)]
    found = [_of_suggestion(graph, suggestion, estimates, source) for suggestion in suggestions]
    return [*(_of_change(change, optimize, source) for change in changes), *filter(None, found)]


def _ahead(graph: Graph) -> Site:
    """An operator to stand before all others of a trial.

    The NPU fetches an operator's weights while the one before it runs; what comes first has to wait for them, and
    would seem dearer than it is in a network.
    """
    source = graph.add_tensor("ahead", (1, 64, 64, 16), "int8", Quantization((1 / 16,), (0,)))
    result = graph.add_tensor("ahead", (1, 64, 64, 16), "int8", Quantization((1 / 256,), (-128,)))
    return Site("ahead", (Node("LOGISTIC", (source,), (result,)),), (source,), result, ())


_Key = tuple[Kind, str, str, Outputs, str]
"""Kind, title, action, outputs and source: what the sites of one hint have in common."""


@dataclass(frozen=True)
class _Gain:
    """One site, and what a change there is worth."""

    key: _Key
    operators: tuple[str, ...]
    name: str
    present: Cost
    changed: Cost


def _of_change(change: Change, optimize: str, source: str) -> _Gain:
    outputs: Outputs = "exact" if change.exact else "within rounding"
    title = f"{change.rule}, written as: {change.form}"
    key: _Key = ("rewrite", title, optimize, outputs, source)
    return _Gain(key, change.operators, change.name, change.before, change.after)


def _of_suggestion(
    graph: Graph, suggestion: Suggestion, estimates: dict[Hashable, trial.SiteCosts], source: str
) -> _Gain | None:
    own = estimates.get(signature(graph, suggestion.site))
    if own is None:
        return None
    changed = Cost(0, 0)
    if suggestion.twin is not None:
        other = estimates.get(signature(graph, suggestion.twin))
        if other is None or other.as_is.cycles == 0:
            return None
        changed = other.as_is
    elif suggestion.site.forms:
        changed = min((form for form in own.forms if form is not None), default=own.as_is)
    enough = own.as_is.cycles - changed.cycles >= suggestion.least_share * own.as_is.cycles
    if not changed < own.as_is or not (enough or changed.cpu_operators < own.as_is.cpu_operators):
        return None
    codes = tuple(node.code for node in suggestion.site.nodes)
    name = graph.tensors[suggestion.site.output if suggestion.subject is None else suggestion.subject].name
    return _Gain(
        (suggestion.kind, suggestion.title, suggestion.action, suggestion.outputs, source),
        codes,
        name,
        own.as_is,
        changed,
    )


def _hints(gains: Iterable[_Gain]) -> Iterable[Hint]:
    grouped: dict[_Key, list[_Gain]] = {}
    for gain in gains:
        grouped.setdefault(gain.key, []).append(gain)
    for (kind, title, action, outputs, source), group in grouped.items():
        yield Hint(
            kind=kind,
            title=title,
            operators=tuple(dict.fromkeys(code for gain in group for code in gain.operators)),
            places=len(group),
            names=tuple(documents.short(gain.name) for gain in group[:_MOST_NAMES]),
            present=_total(gain.present for gain in group),
            changed=_total(gain.changed for gain in group),
            source=source,
            action=action,
            outputs=outputs,
        )


def _total(costs: Iterable[Cost]) -> Costs:
    listed = list(costs)
    return Costs(
        cpu_operators=sum(cost.cpu_operators for cost in listed), cycles=sum(cost.cycles for cost in listed)
    )
