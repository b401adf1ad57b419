"""Chooses rewrites by what they cost in the network: alone they are cheaper now and then than they turn out to be.

A RESHAPE is free beside most operators but a copy beside one that wants its maps in another layout. So the
rewritten network is compiled as a whole, what it shows of every change takes the place of the estimate, and the
choice is made again; the best network of all rounds is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.build_folder import OperatorRecord
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import VELA, Compiled, Compiler
from deploy.rewriting import trial
from deploy.rewriting.rewriting import Allow, Choice, Rewritten, find, rewrite
from deploy.rewriting.site import Site
from deploy.rewriting.trial import Cost, SiteCosts, cost_of, signature
from deploy.tflite import Model
from deploy.tflite.graph import Graph, Node

_MOST_ROUNDS = 8


@dataclass(frozen=True)
class Outcome:
    """A rewritten model, its compilation, and for every change what it cost before and what it costs now."""

    rewritten: Rewritten
    compiled: Compiled
    worth: tuple[tuple[Cost, Cost], ...]


@dataclass
class NetworkTrials:
    """One model on one target: compiles, and remembers what trials said."""

    model: Model
    source: str
    options: CompileOptions
    compiler: Compiler = VELA
    _known: dict[Hashable, SiteCosts] = field(default_factory=dict, init=False)

    def compiled(self, model: Model) -> Compiled:
        """Compile a model.

        Raises:
            BadInputError: Vela refuses it.
            NotInstalledError: Vela is missing.
        """
        return self.compiler.compile(model, self.options, source=self.source)

    def best(self, before: Compiled, allow: Allow) -> Outcome | None:
        """The cheapest network that rewrites lead to; None where none is cheaper than the model itself.

        Raises:
            BadInputError: the model has several subgraphs.
        """
        best: Outcome | None = None
        seen = self._as_is(before)
        tried: set[frozenset[Choice]] = set()
        for _ in range(_MOST_ROUNDS):
            graph = Graph(self.model)
            original = dict(zip(graph.nodes, before.placement.operators, strict=True))
            rewritten = rewrite(graph, self._estimate, seen=seen, allow=allow)
            choices = frozenset(change.choice for change in rewritten.changes)
            if not choices or choices in tried:
                break
            tried.add(choices)
            compiled = self.compiled(rewritten.model)
            worth = _worth(rewritten, compiled, original)
            if _cost(compiled) < _cost(best.compiled if best is not None else before):
                best = Outcome(rewritten, compiled, worth)
            seen |= _seen(rewritten, worth)
        return best

    def _as_is(self, before: Compiled) -> dict[Choice, Cost]:
        """What the sites of the model itself cost in the network."""
        graph = Graph(self.model)
        original = dict(zip(graph.nodes, before.placement.operators, strict=True))
        return {
            (graph.tensors[site.output].name, signature(graph, site), None): cost_of(
                [original[node] for node in site.nodes]
            )
            for site in find(graph)
        }

    def _estimate(self, graph: Graph, sites: Sequence[Site]) -> Mapping[Hashable, SiteCosts]:
        new = [site for site in sites if signature(graph, site) not in self._known]
        if new:
            self._known |= trial.costs(graph, new, self.options, self.compiler)
        return self._known


def _worth(
    rewritten: Rewritten, compiled: Compiled, original: Mapping[Node, OperatorRecord]
) -> tuple[tuple[Cost, Cost], ...]:
    """For every change the cost of what stood there before, and of what stands there now."""
    own: dict[int, list[OperatorRecord]] = defaultdict(list)
    for operator, owners in zip(compiled.placement.operators, rewritten.owners, strict=True):
        for number in owners:
            own[number].append(operator)
    return tuple(
        (
            cost_of([original[node] for node in change.nodes])
            if all(node in original for node in change.nodes)
            else change.before,
            cost_of(own[number]),
        )
        for number, change in enumerate(rewritten.changes)
    )


def _cost(network: Compiled) -> Cost:
    return Cost(int(network.figure("cpu_operators")), int(network.figure("total_cycles")))


def _seen(rewritten: Rewritten, worth: Sequence[tuple[Cost, Cost]]) -> dict[Choice, Cost]:
    """What the network showed of each site and form; of a change that another one wrote over, nothing."""
    covered = {number for owners in rewritten.owners for number in owners[:-1]}
    found: dict[Choice, Cost] = {}
    for number, (change, (before, after)) in enumerate(zip(rewritten.changes, worth, strict=True)):
        name, key, form = change.choice
        found[name, key, None] = before
        if number not in covered:
            found[name, key, form] = after
    return found
