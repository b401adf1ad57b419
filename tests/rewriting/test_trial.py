"""What Vela is asked about sites, for real."""

from __future__ import annotations

from pathlib import Path

import pytest
from rewriting.small_graphs import SmallGraph

from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA, Compiler
from deploy.hardware.npus import npu_named
from deploy.processes import supervisor
from deploy.rewriting.rewriting import find, put
from deploy.rewriting.trial import Cost, costs, signature
from deploy.tflite import model as tflite_model
from deploy.tflite.graph import Graph
from deploy.tflite.model import Model

OPTIONS = compile_options(npu_named("U55-128"))


def two_maxima_and_a_mean() -> Model:
    graph = SmallGraph((1, 16, 16, 32))
    outputs = [
        graph.reduce("REDUCE_MAX", x, (3,), (1, 16, 16, 1))
        for x in (graph.x, graph.input("z", graph.shape[graph.x]))
    ]
    return graph.model(*outputs, graph.reduce("MEAN", graph.x, (3,), (1, 16, 16, 1)))


def cycles(model: Model) -> int:
    layers = VELA.compile(model, OPTIONS).layers
    return sum(layer.number("Op Cycles") for layer in layers if not layer.on_cpu)


def test_costs_are_those_of_compilations_of_their_own() -> None:
    graph = SmallGraph((1, 16, 16, 32))
    model = graph.model(graph.reduce("REDUCE_MAX", graph.x, (3,), (1, 16, 16, 1)))
    read = Graph(model)
    (site,) = find(read)
    found = costs(read, [site], OPTIONS)[signature(read, site)]
    assert found.as_is == Cost(0, cycles(model))
    for number, form in enumerate(site.forms):
        alone = Graph(model)
        other = find(alone)[0]
        put(alone, other, other.forms[number])
        cost = found.forms[number]
        assert cost is not None
        assert cost.cycles == pytest.approx(cycles(alone.model()), rel=0.02), form.name


def test_sites_that_are_alike_are_tried_once_and_all_in_one_run() -> None:
    graph = Graph(two_maxima_and_a_mean())
    runs = []

    def run(command: list[str], folder: Path, *, timeout_s: float) -> supervisor.Ended:
        runs.append(tflite_model.read(folder / "model.tflite"))
        return supervisor.run(command, folder, timeout_s=timeout_s)

    sites = find(graph)
    assert len(sites) == 3
    found = costs(graph, sites, OPTIONS, Compiler(run))
    assert len(found) == 2
    assert len(runs) == 1
    assert sum(op.code == "REDUCE_MAX" for op in runs[0].operators) == 1
    mean = found[signature(graph, next(site for site in sites if site.rule == "mean over channels"))]
    assert mean.as_is == Cost(1, 0)
    assert all(form is not None and form.cpu_operators == 0 for form in mean.forms)


def test_what_vela_refuses_is_left_out_and_the_rest_is_told() -> None:
    graph = Graph(two_maxima_and_a_mean())
    sites = find(graph)

    def run(command: list[str], folder: Path, *, timeout_s: float) -> supervisor.Ended:
        codes = [op.code for op in tflite_model.read(folder / "model.tflite").operators]
        if "MAX_POOL_2D" in codes:
            return supervisor.Ended(1, False, "no such form")
        return supervisor.run(command, folder, timeout_s=timeout_s)

    found = costs(graph, sites, OPTIONS, Compiler(run))
    maximum = found[signature(graph, sites[0] if sites[0].rule == "maximum over channels" else sites[1])]
    assert maximum.forms[0] is not None
    assert all(cost is None for cost in maximum.forms[1:])


def test_a_site_with_an_operator_on_the_cpu_costs_more_than_any_on_the_npu() -> None:
    assert Cost(0, 10**9) < Cost(1, 0)
