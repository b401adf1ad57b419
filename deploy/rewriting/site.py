"""Where in a graph a rule found something, and the forms that it can take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

Write = Callable[[Emitter, tuple[int, ...], int], None]
"""Writes a form: (emitter, the site's inputs, the tensor to compute)."""


@dataclass(frozen=True)
class Form:
    """One way to compute a site's output.

    Attributes:
        name: for reports.
        write: adds its operators. It may only use the tensors that it is given: a form is also tried in a graph
            of its own.
        exact: whether every integer is the same by construction; False where a rounding differs.
    """

    name: str
    write: Write = field(repr=False)
    exact: bool = True


@dataclass(frozen=True)
class Site:
    """A part of a graph that can be written in another way.

    Attributes:
        rule: what kind of site it is, in the words of reports.
        nodes: the operators, in execution order.
        inputs: the activations that they read from elsewhere.
        output: the tensor that they compute.
        forms: the ways, at least one.
    """

    rule: str
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    output: int
    forms: tuple[Form, ...]


Rule = Callable[[Graph], Iterator[Site]]
"""Finds the sites of one kind."""
