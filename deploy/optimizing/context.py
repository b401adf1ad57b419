"""Chooses rewrites by what they cost in the network: alone they are cheaper now and then than they turn out to be.

A RESHAPE is free beside most operators but a copy beside one that wants its maps in another layout. So the
rewritten network is compiled as a whole, what it shows of every change takes the place of the estimate, and the
choice is made again; the best network of all rounds is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.build_folder import Figure, OperatorRecord
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.fitting import vela_options
from deploy.compiling.placement import place
from deploy.compiling.vela_figures import figures_of
from deploy.processes import supervisor
from deploy.processes.supervisor import Run
from deploy.rewriting import trial
from deploy.rewriting.rewriting import Allow, Choice, Rewritten, find, rewrite
from deploy.rewriting.site import Site
from deploy.rewriting.trial import Cost, Costs, signature
from deploy.tflite import model as tflite_model
from deploy.tflite.graph import Graph, Node
from deploy.tflite.model import Model

_MOST_ROUNDS = 8


@dataclass(frozen=True)
class Compiled:
    """What Vela makes of a model.

    Attributes:
        model: Vela's output.
        operators: of the model that was compiled, with placement and cycles.
        figures: cycles, memory and so on.
    """

    model: Model
    operators: tuple[OperatorRecord, ...]
    figures: tuple[Figure, ...]

    def figure(self, name: str) -> float:
        """The value of a figure that every compilation has."""
        return next(figure.value for figure in self.figures if figure.name == name)

    @property
    def cost(self) -> Cost:
        """Of the whole network."""
        return Cost(int(self.figure("cpu_operators")), int(self.figure("total_cycles")))


@dataclass(frozen=True)
class Outcome:
    """A rewritten model and its compilation.

    Attributes:
        rewritten: the model and its changes.
        compiled: what Vela makes of it.
        worth: for every change what stood there before and what stands there now, in the network.
    """

    rewritten: Rewritten
    compiled: Compiled
    worth: tuple[tuple[Cost, Cost], ...]


@dataclass
class Context:
    """One model on one target: compiles, and remembers what trials said.

    Attributes:
        model: quantized.
        source: names it in errors.
        options: what to compile for.
        run: runs Vela's command, as :func:`deploy.compiling.vela.compile_bytes` takes it.
    """

    model: Model
    source: str
    options: CompileOptions
    run: Run = supervisor.run
    _known: dict[Hashable, Costs] = field(default_factory=dict, init=False)

    def compiled(self, model: Model) -> Compiled:
        """Compile a model.

        Raises:
            BadInputError: Vela refuses it.
            NotInstalledError: Vela is missing.
        """
        result = vela.compile_bytes(model.content, vela_options(self.options), source=self.source, run=self.run)
        output = tflite_model.load(result.compiled, source=f"{self.source} (compiled)")
        operators = place(model, output, result.layers, result.fallbacks).operators
        figures = figures_of(result.summary, operators, self.options, f"Vela {vela.version()}")
        return Compiled(output, operators, figures)

    def best(self, before: Compiled, allow: Allow) -> Outcome | None:
        """The cheapest network that rewrites lead to; None where none is cheaper than the model itself.

        Args:
            before: the model as it is.
            allow: says which forms may be used.

        Raises:
            BadInputError: the model has several subgraphs.
        """
        best: Outcome | None = None
        seen = self._as_is(before)
        tried: set[frozenset[Choice]] = set()
        for _ in range(_MOST_ROUNDS):
            graph = Graph(self.model)
            original = dict(zip(graph.nodes, before.operators, strict=True))
            rewritten = rewrite(graph, self._estimate, seen=seen, allow=allow)
            choices = frozenset(change.choice for change in rewritten.changes)
            if not choices or choices in tried:
                break
            tried.add(choices)
            compiled = self.compiled(rewritten.model)
            worth = _worth(rewritten, compiled, original)
            if compiled.cost < (best.compiled.cost if best is not None else before.cost):
                best = Outcome(rewritten, compiled, worth)
            seen |= _seen(rewritten, worth)
        return best

    def _as_is(self, before: Compiled) -> dict[Choice, Cost]:
        """What the sites of the model itself cost in the network."""
        graph = Graph(self.model)
        original = dict(zip(graph.nodes, before.operators, strict=True))
        return {
            (graph.tensors[site.output].name, signature(graph, site), None): _total(
                [original[node] for node in site.nodes]
            )
            for site in find(graph)
        }

    def _estimate(self, graph: Graph, sites: Sequence[Site]) -> Mapping[Hashable, Costs]:
        new = [site for site in sites if signature(graph, site) not in self._known]
        if new:
            self._known |= trial.costs(graph, new, vela_options(self.options), run=self.run)
        return self._known


def _worth(
    rewritten: Rewritten, compiled: Compiled, original: Mapping[Node, OperatorRecord]
) -> tuple[tuple[Cost, Cost], ...]:
    """For every change the cost of what stood there before, and of what stands there now."""
    own: dict[int, list[OperatorRecord]] = defaultdict(list)
    for operator, owners in zip(compiled.operators, rewritten.owners, strict=True):
        for number in owners:
            own[number].append(operator)
    return tuple(
        (
            _total([original[node] for node in change.nodes])
            if all(node in original for node in change.nodes)
            else change.before,
            _total(own[number]),
        )
        for number, change in enumerate(rewritten.changes)
    )


def _total(operators: Sequence[OperatorRecord]) -> Cost:
    on_cpu = sum(operator.placement == "CPU" for operator in operators)
    return Cost(on_cpu, sum(operator.npu_cycles or 0 for operator in operators))


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
