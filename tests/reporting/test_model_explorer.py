"""What Google's Model Explorer lays over the source graph: the right values at the right operators."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reporting.conftest import Browser, compiled, renamed
from reporting.model_explorer_server import serving

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.reporting.data.build_documents import known_of_operators
from deploy.reporting.data.node_data import node_data, node_keys
from deploy.reporting.model_explorer import opening_command, write_node_data

# The rows of Model Explorer's table of nodes, cell by cell; the table is the last on its page.
_ROWS = """
const tables = [...document.querySelectorAll("table")].filter((e) => /conv_2d|fully_connected/.test(e.innerText));
return tables.length ? [...tables.at(-1).rows].map((row) => [...row.cells].map((e) => e.innerText.trim())) : [];
"""


def documents(build: BuildFolder) -> dict[str, Any]:
    found = node_data(build.document, build.source_model, known_of_operators(build))
    return {one.name: one.document for one in found}


def test_each_quantity_is_a_document_with_the_values_of_the_report(residual: BuildFolder) -> None:
    found = documents(residual)
    assert list(found) == ["placement", "memory", "differences", "cycles"]
    names = [residual.source_model.name_of(operator) for operator in residual.source_model.operators]
    cycles = {names[op.index]: op.npu_cycles for op in residual.document.operators if op.npu_cycles}
    assert {key: one["value"] for key, one in found["cycles"]["results"].items()} == cycles
    assert {one["value"] for one in found["placement"]["results"].values()} == {"NPU"}
    assert list(found["placement"]["results"]) == names
    assert max(one["value"] for one in found["differences"]["results"].values()) == 1, "the fully connected one"
    peak = residual.document.figure("sram_peak")
    assert peak and max(one["value"] for one in found["memory"]["results"].values()) <= peak.value


def test_operators_on_the_cpu_have_a_colour_and_what_nobody_compared_has_no_document(
    partly_on_cpu: BuildFolder,
) -> None:
    found = documents(partly_on_cpu)
    assert "differences" not in found
    by_value = {one["value"]: one["bgColor"] for one in found["placement"]["results"].values()}
    assert set(by_value) == {"NPU", "CPU"} and len(set(by_value.values())) == 2


def test_operators_that_a_name_does_not_tell_apart_go_by_number_if_no_tensor_is_called_so(
    residual: BuildFolder,
) -> None:
    source, operators = residual.source_model, residual.document.operators
    first = source.operators[0].outputs[0]
    second = source.operators[1].outputs[0]

    def named(**names: str) -> Any:
        tensors = [replace(one, name=names.get(f"t{one.index}", one.name)) for one in source.tensors]
        return replace(source, tensors=tuple(tensors))

    twice = node_keys(named(**{f"t{first}": "same", f"t{second}": "same"}), operators)
    assert (twice[0], twice[1]) == ("0", "1")
    taken = node_keys(named(**{f"t{first}": "", f"t{second}": "0"}), operators)
    assert 0 not in taken and taken[1] == "0"


def test_the_command_writes_the_files_and_says_how_they_are_shown(
    residual: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "node data"
    folder.mkdir()
    assert run(["report", str(residual.path), "--format", "model-explorer", "-o", str(folder)]) == 0
    written, shown = capsys.readouterr().out.splitlines()
    paths = written.removeprefix("node data: ").split(", ")
    assert [Path(path).name for path in paths] == [
        "placement.json",
        "memory.json",
        "differences.json",
        "cycles.json",
    ]
    assert json.loads(Path(paths[-1]).read_text())["name"] == "NPU cycles (estimate)"
    words = shlex.split(shown.removeprefix("shown by:"))
    assert words == ["model-explorer", str(residual.source), f"--node_data_paths={','.join(paths)}"]
    both = ["report", str(residual.path), str(residual.path), "--format", "model-explorer"]
    assert run(both) == 2
    assert "about one build" in capsys.readouterr().err


def shown_rows(browser: Browser, address: str, quantities: int) -> list[list[str]]:
    """The rows that Model Explorer's table of nodes has, once all of it is there: name and values."""
    browser.driver.get(address)
    end = time.monotonic() + 120
    while len(rows := browser.run(_ROWS)) < 5 or len(rows[-1]) < 2 + quantities:
        assert time.monotonic() < end, browser.run("return document.body.innerText")
        time.sleep(0.3)
    return [row[1:] for row in rows if row and row[0].isdigit()]


def expected_rows(build: BuildFolder) -> list[list[str]]:
    """What they have to be: an operator a row, with placement, memory, difference and cycles."""
    known = known_of_operators(build)
    rows = []
    for operator in build.document.operators:
        beside = known.get(operator.index)
        values = (beside.sram if beside else None, beside.lsb if beside else None, operator.npu_cycles)
        told = [
            "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for value in values
        ]
        rows.append([operator.type.lower(), operator.placement, *told])
    return rows


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("adapter", ["", "builtin_tflite_mlir"])
def test_model_explorer_shows_every_value_at_its_operator(
    browser: Browser, residual: BuildFolder, tmp_path: Path, adapter: str
) -> None:
    words = shlex.split(opening_command(residual, write_node_data(residual, tmp_path / "data")))
    with serving(words[1:], tmp_path, adapter=adapter) as address:
        shown = shown_rows(browser, address, 4)
    inner = [row for row in shown if row[0] not in ("GraphInputs", "GraphOutputs", "Inputs", "Outputs", "input_0")]
    assert inner == expected_rows(residual)


@pytest.mark.slow
@pytest.mark.browser
def test_where_all_tensors_have_one_name_the_numbers_find_the_operators(
    browser: Browser, mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    model = renamed(mlperf_tiny["image_classification"].read_bytes(), lambda _number: "same")
    build = compiled(model, tmp_path / "build", name="same")
    words = shlex.split(opening_command(build, write_node_data(build)))
    with serving(words[1:], tmp_path) as address:
        shown = shown_rows(browser, address, 3)
    expected = [[kind, place, sram, cycles] for kind, place, sram, _lsb, cycles in expected_rows(build)]
    assert [row for row in shown if not row[0].startswith("Graph")] == expected
