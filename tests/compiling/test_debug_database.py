"""Vela's debug database: real ones, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli.main import run
from deploy.compiling.debug_database import DebugDatabase, parse_debug_database, read_debug_database
from deploy.errors import BadInputError
from deploy.tflite.model import Model, read


@pytest.fixture(scope="module")
def build(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("database") / "build"
    assert run(["compile", str(mlperf_tiny["keyword_spotting"]), "--npu", "U55-128", "-o", str(folder), "-q"]) == 0
    return folder


@pytest.fixture(scope="module")
def source(build: Path) -> Model:
    return read(build / "source.tflite")


@pytest.fixture(scope="module")
def path(build: Path) -> Path:
    [found] = (build / "vela").glob("*_debug.xml")
    return found


@pytest.fixture(scope="module")
def database(path: Path, source: Model) -> DebugDatabase:
    return read_debug_database(path, source)


def test_every_command_belongs_to_an_operator_that_vela_placed_on_the_npu(
    database: DebugDatabase, source: Model
) -> None:
    codes = {source.operators[scheduled.source].code for scheduled in database.commands.values()}  # type: ignore[index]
    assert codes == {"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX"}


def test_commands_follow_the_order_of_the_operators(database: DebugDatabase) -> None:
    sources = [scheduled.source for _, scheduled in sorted(database.commands.items())]
    assert sources == sorted(sources)  # type: ignore[type-var]


def test_a_tensor_lies_where_the_file_says_and_is_as_large_as_it_must_be(
    database: DebugDatabase, source: Model
) -> None:
    tensor = source.operators[1].outputs[0]
    placed = database.tensors[tensor]
    assert placed.bricks
    assert placed.size >= source.tensors[tensor].nbytes
    assert all(index < len(source.tensors) for index in database.tensors)


def test_a_file_without_tables_has_no_commands(source: Model) -> None:
    assert parse_debug_database("<debug></debug>", source).commands == {}


def test_a_damaged_table_is_refused_with_its_name(path: Path, source: Model, tmp_path: Path) -> None:
    damaged = tmp_path / "x_debug.xml"
    damaged.write_text(path.read_text().replace('"offset","cmdstream_id"', '"offset","other"'))
    with pytest.raises(BadInputError, match=r"x_debug\.xml"):
        read_debug_database(damaged, source)


def test_a_missing_file_is_refused(tmp_path: Path, source: Model) -> None:
    with pytest.raises(BadInputError, match="cannot read"):
        read_debug_database(tmp_path / "none.xml", source)
