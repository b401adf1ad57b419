"""Asks Vela what sites cost as they are and in every other form: one compilation for all of them.

Each distinct site and each of its forms is a part of its own in one graph, with inputs and outputs of its own; the
per-layer report then says what each part costs. Operators alone cost what they cost in their network as long as
nothing is fused across the border and the SRAM does not run short, so these are estimates of an estimate: whoever
decides by them compiles the whole network afterwards.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.build_folder import OperatorRecord
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import VELA, Compiler
from deploy.errors import BadInputError
from deploy.rewriting.site import Site
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

_ALLOCATOR = "LinearAlloc"
"""Where the tensors lie does not matter here, and Vela's own choice looks for it up to a hundred times longer:
21 s against 0.3 s for the 60 parts of an attention network, with the same cycles (measured)."""

_MOST_OPERANDS = 8
"""Elements of an int32 constant that says what an operator does: axes, a shape, a permutation."""

_MOST_BYTES = 256 << 20
"""Feature maps of one trial together; more goes into another one."""


@dataclass(frozen=True, order=True)
class Cost:
    """What Vela estimates; the smaller the better, operators on the CPU first.

    Attributes:
        cpu_operators: left on the CPU, whose time Vela does not know.
        cycles: of the NPU.
    """

    cpu_operators: int
    cycles: int


def cost_of(operators: Iterable[OperatorRecord]) -> Cost:
    """Of some operators of a compiled model."""
    listed = list(operators)
    on_cpu = sum(operator.placement == "CPU" for operator in listed)
    return Cost(on_cpu, sum(operator.npu_cycles or 0 for operator in listed))


@dataclass(frozen=True)
class SiteCosts:
    """Of one site.

    Attributes:
        as_is: as the model has it.
        forms: of every form, in their order; None for one that Vela cannot compile.
    """

    as_is: Cost
    forms: tuple[Cost | None, ...]


def signature(graph: Graph, site: Site) -> Hashable:
    """What a site's costs depend on: operators, options, shapes and axes; not scales, nor the weights' values."""

    def tensor(index: int) -> Hashable:
        if index < 0:
            return None
        found = graph.tensors[index]
        is_operand = found.data is not None and found.dtype == "int32" and found.elements <= _MOST_OPERANDS
        return (found.shape, found.dtype, found.data.tobytes() if found.data is not None and is_operand else None)

    return (
        site.rule,
        tuple(form.name for form in site.forms),
        tuple(
            (
                node.code,
                repr(sorted(vars(node.options).items())) if node.options is not None else "",
                tuple(tensor(index) for index in node.inputs),
                tuple(tensor(index) for index in node.outputs),
            )
            for node in site.nodes
        ),
    )


def costs(
    graph: Graph, sites: Sequence[Site], options: CompileOptions, compiler: Compiler = VELA
) -> dict[Hashable, SiteCosts]:
    """The costs of sites, by :func:`signature`.

    Raises:
        NotInstalledError: Vela is missing.
    """
    distinct = {signature(graph, site): site for site in sites}
    parts: list[_Part] = [
        (key, form) for key, site in distinct.items() for form in (None, *range(len(site.forms)))
    ]
    found: dict[_Part, Cost] = {}
    for batch in _batches(graph, distinct, parts):
        found |= _compiled(graph, distinct, batch, options, compiler)
    return {
        key: SiteCosts(found[key, None], tuple(found.get((key, form)) for form in range(len(site.forms))))
        for key, site in distinct.items()
        if (key, None) in found
    }


_Part = tuple[Hashable, int | None]
"""A site by its signature, as it is (None) or in one of its forms."""


def _batches(graph: Graph, sites: Mapping[Hashable, Site], parts: Iterable[_Part]) -> Iterable[list[_Part]]:
    batch: list[_Part] = []
    taken = 0
    for part in parts:
        site = sites[part[0]]
        size = sum(graph.tensors[index].nbytes for index in (*site.inputs, site.output))
        if batch and taken + size > _MOST_BYTES:
            yield batch
            batch, taken = [], 0
        batch.append(part)
        taken += size
    if batch:
        yield batch


def _compiled(
    graph: Graph, sites: Mapping[Hashable, Site], parts: list[_Part], options: CompileOptions, compiler: Compiler
) -> dict[_Part, Cost]:
    """Compile the parts together; where Vela refuses them, in halves, to be left with those that it takes."""
    trial = _Trial(graph)
    for number, part in enumerate(parts):
        trial.add(sites[part[0]], part[1], f"p{number}")
    try:
        totals = trial.totals(options, compiler)
    except BadInputError:
        if len(parts) == 1:
            return {}
        half = len(parts) // 2
        halves = (_compiled(graph, sites, part, options, compiler) for part in (parts[:half], parts[half:]))
        return {**next(halves), **next(halves)}
    return dict(zip(parts, totals, strict=True))


class _Trial:
    """A graph of parts that have nothing to do with each other."""

    def __init__(self, source: Graph) -> None:
        self._source = source
        self._graph = Graph()
        self._inputs: dict[str, int] = {}
        self._outputs: dict[str, int] = {}
        self._sizes: list[int] = []

    def add(self, site: Site, form: int | None, name: str) -> None:
        tensors = {index: self._copy(index, f"{name}_{index}") for index in dict.fromkeys(site.inputs)}
        output = self._copy(site.output, f"{name}_out")
        if form is None:
            nodes = self._copied(site, tensors, output, name)
        else:
            emit = Emitter(self._graph, name)
            site.forms[form].write(emit, tuple(tensors[index] for index in site.inputs), output)
            nodes = emit.nodes
        self._graph.nodes += nodes
        self._sizes.append(len(nodes))
        self._inputs |= {f"{name}_i{index}": tensor for index, tensor in tensors.items()}
        self._outputs[f"{name}_o"] = output

    def totals(self, options: CompileOptions, compiler: Compiler) -> list[Cost]:
        """The cost of every part, in their order."""
        model = self._graph.model(inputs=self._inputs, outputs=self._outputs)
        compiled = compiler.compile(model, options, source="the trial of rewrites", allocator=_ALLOCATOR)
        operators = iter(compiled.placement.operators)
        return [cost_of(itertools.islice(operators, size)) for size in self._sizes]

    def _copied(self, site: Site, tensors: dict[int, int], output: int, name: str) -> list[Node]:
        known = {**tensors, site.output: output, -1: -1}

        def copy(index: int) -> int:
            if index not in known:
                known[index] = self._copy(index, f"{name}_{index}")
            return known[index]

        return [
            dataclasses.replace(node, inputs=tuple(map(copy, node.inputs)), outputs=tuple(map(copy, node.outputs)))
            for node in site.nodes
        ]

    def _copy(self, index: int, name: str) -> int:
        tensor = self._source.tensors[index]
        data: Any = None if tensor.data is None else self._source.constant(index)
        return self._graph.add_tensor(name, tensor.shape, tensor.dtype, tensor.quantization, data)
