"""The pipeline from a model to its figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy import debug_database, tflite
from deploy.compiling import compiler as pipeline
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA, Compiled, Timed
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.processes.supervisor import Ended


@pytest.fixture(scope="module")
def compiled(mlperf_tiny: dict[str, Path]) -> Compiled:
    model = tflite.read(mlperf_tiny["keyword_spotting"])
    return VELA.compile(model, compile_options(npu_named("U55-128")), source="kws.tflite")


def test_nothing_is_read_before_it_is_asked_for_and_nothing_twice(
    mlperf_tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str, function: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            calls.append(name)
            return function(*args, **kwargs)  # type: ignore[operator]

        return call

    for name in ("load", "parse_layers", "placement_of", "figures_of"):
        monkeypatch.setattr(pipeline, name, counted(name, getattr(pipeline, name)))
    rows = counted("table", debug_database.DebugDatabase._rows)
    monkeypatch.setattr(debug_database.DebugDatabase, "_rows", rows)
    model = tflite.read(mlperf_tiny["keyword_spotting"])
    result = VELA.compile(model, compile_options(npu_named("U55-128")))
    assert calls == []
    for _ in range(2):
        assert result.figures and result.placement and result.layers and result.model
        assert result.debug.operations and result.debug.commands and result.debug.allocations
    assert {name: calls.count(name) for name in calls} == {
        "figures_of": 1,
        "placement_of": 1,
        "load": 1,
        "parse_layers": 1,
        "table": 7,
    }


def test_the_parts_agree_with_each_other(compiled: Compiled) -> None:
    cycles = sum(operator.npu_cycles or 0 for operator in compiled.placement.operators)
    assert compiled.figure("total_cycles") == cycles == sum(op.cycles for op in compiled.debug.operations)
    assert compiled.figure("cpu_operators") == len(compiled.cpu_operators) == 2
    assert [operator.type for operator in compiled.cpu_operators] == [
        operator.code for operator in compiled.model.operators if not operator.on_npu
    ]


def test_a_figure_that_does_not_exist_has_no_value(compiled: Compiled) -> None:
    with pytest.raises(KeyError):
        compiled.figure("speed")


def test_what_cannot_be_compiled_is_named(mlperf_tiny: dict[str, Path]) -> None:
    model = tflite.read(mlperf_tiny["keyword_spotting"])
    damaged = tflite.Model(
        model.content[:3000], model.tensors, model.operators, model.inputs, model.outputs, None, {}
    )
    with pytest.raises(BadInputError, match=r"^it\.tflite: Vela "):
        VELA.compile(damaged, compile_options(npu_named("U55-128")), source="it.tflite")


def test_the_time_of_a_command_is_noted_and_counts_from_where_it_was_started_ahead() -> None:
    def run(_command: Sequence[str], _folder: Path, *, timeout_s: float) -> Ended:
        time.sleep(timeout_s)
        return Ended(0, False, "")

    ahead = Timed(run, time.monotonic() - 10)
    assert ahead([], Path(), timeout_s=0.01).status == 0
    assert 10 < ahead.seconds < 15
    ahead([], Path(), timeout_s=0.01)
    assert 0.01 <= ahead.seconds < 5
