"""Vela's debug database: real ones, and damaged ones."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from gated_network import gated

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.debug_database import DebugDatabase, read_debug_database
from deploy.errors import BadInputError
from deploy.tflite import Model, read


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
def database(path: Path) -> DebugDatabase:
    return read_debug_database(path)


def test_every_command_belongs_to_an_operator_that_vela_placed_on_the_npu(
    database: DebugDatabase, source: Model
) -> None:
    codes = {source.operators[scheduled.result].code for scheduled in database.commands.values()}  # type: ignore[index]
    assert codes == {"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX"}


def test_commands_follow_the_order_of_the_operators(database: DebugDatabase) -> None:
    sources = [scheduled.result for _, scheduled in sorted(database.commands.items())]
    assert sources == sorted(sources)  # type: ignore[type-var]


def test_a_tensor_lies_where_the_file_says_and_is_as_large_as_it_must_be(
    database: DebugDatabase, source: Model
) -> None:
    tensor = source.operators[1].outputs[0]
    located = database.located(source)
    assert located[tensor].bricks
    assert located[tensor].size >= source.tensors[tensor].nbytes
    assert all(index < len(source.tensors) for index in located)


def test_the_cycles_of_an_operation_are_those_of_what_takes_longest(database: DebugDatabase) -> None:
    for operation in database.operations:
        longest = max(operation.mac_cycles, operation.output_cycles, *operation.memory_cycles.values())
        assert longest <= operation.cycles
    assert {memory for operation in database.operations for memory, _, _ in operation.traffic} == {
        "Sram",
        "OffChipFlash",
    }


def test_an_operation_runs_while_the_tensors_that_it_reads_and_writes_live(
    database: DebugDatabase, source: Model
) -> None:
    located = database.located(source)
    times = Counter(operation.source for operation in database.operations)
    for operation in database.operations:
        if operation.source is None or operation.step is None or times[operation.source] > 1:
            continue  # softmax is several operations
        operator = source.operators[operation.source]
        for tensor in (*operator.inputs[:1], *operator.outputs):
            if (place := located.get(tensor)) is not None:
                assert place.first <= operation.step <= place.last


def test_what_is_fused_into_an_operation_gives_its_result_the_last_operators_name() -> None:
    database = DebugDatabase(
        """
<table name="source"><![CDATA[
"id","ext_key"
1,0
2,1
]]></table>
<table name="perf"><![CDATA[
"id","source_id","name","op_cycles"
10,1,"conv",7
11,2,"relu",x
]]></table>
<table name="group"><![CDATA[
"id","group_id"
11,10
]]></table>
<table name="queue"><![CDATA[
"offset","cmdstream_id","scheduled_id"
64,1,10
]]></table>
"""
    )
    conv, relu = database.operations
    assert (conv.source, conv.result, conv.cycles) == (0, 1, 7)
    assert (relu.source, relu.result, relu.cycles) == (1, 1, 0)
    assert (conv.step, conv.ofm_shape, conv.traffic) == (None, None, {})
    assert database.commands == {(0, 64): conv}


def test_a_file_without_tables_is_empty() -> None:
    database = DebugDatabase("<debug></debug>")
    assert not database
    assert (database.operations, database.commands, database.allocations) == ((), {}, ())


def test_a_damaged_table_is_refused_with_its_name(path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "x_debug.xml"
    damaged.write_text(path.read_text().replace('"offset","cmdstream_id"', '"offset","other"'))
    with pytest.raises(BadInputError, match=r"x_debug\.xml"):
        _ = read_debug_database(damaged).commands
    damaged.write_text('<table name="perf">\n<![CDATA[\nid\n' + "9" * 200_000 + "\n]]></table>")
    with pytest.raises(BadInputError, match=r"x_debug\.xml"):
        _ = read_debug_database(damaged).operations


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.xml", tmp_path):
        with pytest.raises(BadInputError, match=r"cannot read|no file"):
            read_debug_database(path)


def test_a_build_folder_without_the_file_or_with_no_file_in_its_place_has_an_empty_database(
    build: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "build"
    shutil.copytree(build, copy)
    assert BuildFolder.open(copy).debug.operations
    (debug,) = (copy / "vela").glob("*_debug.xml")
    debug.unlink()
    assert not BuildFolder.open(copy).debug
    os.mkfifo(debug)
    assert not BuildFolder.open(copy).debug


def test_what_follows_a_chained_operation_is_fused_into_that_one(in_folder: Path) -> None:
    Path("m.tflite").write_bytes(gated())
    assert run(["compile", "m.tflite", "--npu", "U85-256", "-o", "b", "--verify", "none", "-q"]) == 0
    [path] = Path("b/vela").glob("*_debug.xml")
    database = read_debug_database(path)
    results = [scheduled.result for _, scheduled in sorted(database.commands.items())]
    # LOGISTIC and MUL are chained to ADD, which looks TANH up.
    assert results == [0, 1, 3]
    # The cycles of a chain are those of its first operation.
    chain = [scheduled for _, scheduled in sorted(database.commands.items())]
    heads = [database.heads.get(scheduled.number, scheduled.number) for scheduled in chain]
    cycles = {scheduled.number: scheduled.cycles for scheduled in chain}
    assert all(cycles[head] > 0 for head in heads)
    assert all(cycles[each.number] == 0 for each, head in zip(chain, heads, strict=True) if each.number != head)
    assert len(set(heads)) < len(heads)
