"""Finds the sites of a model, has their forms tried, and puts the cheapest in their place."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from deploy.rewriting.emitter import Emitter
from deploy.rewriting.graph import Graph, Node
from deploy.rewriting.rules import ALL
from deploy.rewriting.site import Rule, Site
from deploy.rewriting.trial import Cost, Costs, signature
from deploy.tflite_model import Model

_MOST_PASSES = 4

Estimate = Callable[[Graph, Sequence[Site]], dict[Hashable, Costs]]
"""Says what sites cost: :func:`deploy.rewriting.trial.costs` with its options filled in."""


@dataclass(frozen=True)
class Change:
    """What was found at one site.

    Attributes:
        rule: kind of the site.
        name: of the tensor that it computes.
        operators: that stand there: their codes, in order.
        form: the cheapest form.
        exact: whether that form computes the same integers by construction.
        before: what it costs as it is.
        after: in that form.
    """

    rule: str
    name: str
    operators: tuple[str, ...]
    form: str
    exact: bool
    before: Cost
    after: Cost


def find(graph: Graph, rules: Sequence[Rule] = ALL) -> list[Site]:
    """The sites of a graph; every operator belongs to one at most, the first rule's."""
    taken: set[Node] = set()
    sites = []
    for rule in rules:
        for site in rule(graph):
            if taken.isdisjoint(site.nodes):
                taken.update(site.nodes)
                sites.append(site)
    return sites


def changes(
    graph: Graph, sites: Sequence[Site], estimates: dict[Hashable, Costs]
) -> list[tuple[Site, int, Change]]:
    """Of the sites those that have a cheaper form: the site, which form, and what that is worth."""
    found = []
    for site in sites:
        costs = estimates.get(signature(graph, site))
        best = costs.best if costs is not None else None
        if costs is None or best is None:
            continue
        after = costs.forms[best]
        assert after is not None  # noqa: S101 - the best one has a cost
        form = site.forms[best]
        codes = tuple(node.code for node in site.nodes)
        name = graph.tensors[site.output].name
        found.append((site, best, Change(site.rule, name, codes, form.name, form.exact, costs.as_is, after)))
    return found


def rewrite(
    model: Model, estimate: Estimate, *, keep: Callable[[Change], bool] = lambda change: True
) -> tuple[Model, list[Change]]:
    """Rewrite whatever gets cheaper, until nothing does.

    Args:
        model: quantized.
        estimate: says what sites cost.
        keep: says which changes to make.

    Returns:
        The model, and what was changed. A rewritten place may be rewritten again.

    Raises:
        BadInputError: the model has several subgraphs.
    """
    graph = Graph(model)
    made: list[Change] = []
    for _ in range(_MOST_PASSES):
        sites = find(graph)
        wanted = (
            [found for found in changes(graph, sites, estimate(graph, sites)) if keep(found[2])] if sites else []
        )
        if not wanted:
            break
        for site, form, change in wanted:
            emit = Emitter(graph, change.name)
            site.forms[form].write(emit, site.inputs, site.output)
            graph.replace(site.nodes, emit.nodes)
            made.append(change)
    return (graph.model() if made else model), made
