"""Finds the sites of a model, has their forms tried, and puts the cheapest in their place."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy import tflite
from deploy.rewriting.rules import ALL
from deploy.rewriting.site import Form, Rule, Site
from deploy.rewriting.trial import Cost, SiteCosts, signature
from deploy.tflite import Model
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

_MOST_PASSES = 4

Estimate = Callable[[Graph, Sequence[Site]], Mapping[Hashable, SiteCosts]]
"""Says what sites cost: :func:`deploy.rewriting.trial.costs` with its options filled in."""

Allow = Callable[[str, Form], bool]
"""Says of a rule and one of its forms whether it may be used."""

Choice = tuple[str, Hashable, int | None]
"""A site by the name of its output and its signature, and the number of a form; None for the site as it is."""


@dataclass(frozen=True)
class Change:
    """What was found at one site: the operators that stand there, the tensor that they compute, the cheapest form.

    Attributes:
        exact: whether that form computes the same integers by construction.
        before: what the site is expected to cost as it is.
        after: in that form.
    """

    rule: str
    name: str
    operators: tuple[str, ...]
    form: str
    exact: bool
    before: Cost
    after: Cost
    choice: Choice = field(repr=False)
    nodes: tuple[Node, ...] = field(repr=False)


@dataclass(frozen=True)
class Rewritten:
    """A model with cheaper forms in it.

    Attributes:
        model: the model; as it was where nothing got cheaper.
        changes: in the order in which they were made; a later one may change what an earlier one wrote.
        owners: for every operator of ``model`` the changes that it stems from, by number; empty for one that
            was there before.
    """

    model: Model
    changes: tuple[Change, ...]
    owners: tuple[tuple[int, ...], ...]


def find(graph: Graph, rules: Sequence[Rule] = ALL) -> list[Site]:
    """The sites of a graph; every operator belongs to one at most, the first rule's.

    Raises:
        BadInputError: operators and tensors do not fit together.
    """
    taken: set[Node] = set()
    sites = []
    with tflite.damage_named("the model"):
        for rule in rules:
            for site in rule(graph):
                if taken.isdisjoint(site.nodes):
                    taken.update(site.nodes)
                    sites.append(site)
    return sites


def changes(
    graph: Graph,
    sites: Sequence[Site],
    estimates: Mapping[Hashable, SiteCosts],
    *,
    seen: Mapping[Choice, Cost] | None = None,
    allow: Allow = lambda rule, form: True,
) -> list[tuple[Site, Form, Change]]:
    """Of the sites those that have a cheaper form.

    Returns:
        The site, its cheapest form, and what that is worth.
    """
    found = []
    seen = seen or {}
    for site in sites:
        key, name = signature(graph, site), graph.tensors[site.output].name
        costs = estimates.get(key)
        if costs is None:
            continue
        as_is = seen.get((name, key, None), costs.as_is)
        expected = [
            (seen.get((name, key, number), cost), number, form)
            for number, (form, cost) in enumerate(zip(site.forms, costs.forms, strict=True))
            if cost is not None and allow(site.rule, form)
        ]
        after, number, form = min(expected, key=lambda entry: entry[:2], default=(as_is, 0, site.forms[0]))
        if after < as_is:
            codes = tuple(node.code for node in site.nodes)
            choice = (name, key, number)
            change = Change(site.rule, name, codes, form.name, form.exact, as_is, after, choice, site.nodes)
            found.append((site, form, change))
    return found


def put(graph: Graph, site: Site, form: Form) -> list[Node]:
    """Put a form in the place of a site, and return its operators.

    Raises:
        BadInputError: operators and tensors do not fit together.
    """
    emit = Emitter(graph, graph.tensors[site.output].name)
    with tflite.damage_named("the model"):
        form.write(emit, site.inputs, site.output)
    graph.replace(site.nodes, emit.nodes)
    return emit.nodes


def rewrite(
    graph: Graph,
    estimate: Estimate,
    *,
    seen: Mapping[Choice, Cost] | None = None,
    allow: Allow = lambda rule, form: True,
) -> Rewritten:
    """Rewrite whatever gets cheaper, until nothing does."""
    made: list[Change] = []
    owners: dict[Node, tuple[int, ...]] = {}
    for _ in range(_MOST_PASSES):
        # A rule has its say once: what it wrote it has weighed against its other forms already.
        sites = [
            site
            for site in find(graph)
            if not any(made[number].rule == site.rule for node in site.nodes for number in owners.get(node, ()))
        ]
        estimates = estimate(graph, sites) if sites else {}
        wanted = changes(graph, sites, estimates, seen=seen, allow=allow)
        if not wanted:
            break
        for site, form, change in wanted:
            inherited = {number for node in site.nodes for number in owners.pop(node, ())}
            owners |= dict.fromkeys(put(graph, site, form), (*sorted(inherited), len(made)))
            made.append(change)
    return Rewritten(graph.model(), tuple(made), tuple(owners.get(node, ()) for node in graph.nodes))
