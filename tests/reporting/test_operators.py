"""What limits an operator, and rooflines, flash and traffic, held against Vela's own sums."""

import pytest

from deploy.build_folder import BuildFolder
from deploy.debug_database import DebugDatabase
from deploy.hardware.npus import npu_named
from deploy.reporting.data.operators import MEMORIES, limit_of, read_schedule
from deploy.reporting.data.report import collect

BUILDS = pytest.mark.parametrize("name", ["residual", "partly_on_cpu"])


@BUILDS
def test_an_operator_takes_as_long_as_what_limits_it(name: str, request: pytest.FixtureRequest) -> None:
    build: BuildFolder = request.getfixturevalue(name)
    single = 0
    for row in collect(build).operators:
        if not row.cycles:
            continue
        assert row.limit in row.needs
        longest = row.needs[row.limit]
        assert longest == max(row.needs.values())
        # Beyond the units' own work there is filling and emptying the pipeline.
        assert longest <= row.cycles
        single += row.limit in MEMORIES.values() and longest == row.cycles
    assert single > 0, "an operator that a memory limits takes exactly as long as that memory"


def test_an_elementwise_operator_is_limited_by_the_output_unit_and_weights_by_flash(residual: BuildFolder) -> None:
    limits: dict[str, set[str | None]] = {}
    for row in collect(residual).operators:
        limits.setdefault(row.type, set()).add(row.limit)
    assert limits["ADD"] == {"elementwise"}
    assert limits["FULLY_CONNECTED"] == {"flash"}
    assert {"MACs", "flash"} <= limits["CONV_2D"]
    assert limits["RESHAPE"] == {None}


def test_of_equal_needs_the_first_of_the_legend_counts_and_of_none_nothing() -> None:
    assert limit_of({"flash": 5, "MACs": 5}) == "MACs"
    assert limit_of({"SRAM": 0}) is None
    assert limit_of({}) is None


@BUILDS
def test_the_parts_of_the_flash_add_up_to_the_file(name: str, request: pytest.FixtureRequest) -> None:
    build: BuildFolder = request.getfixturevalue(name)
    flash = collect(build).flash
    assert flash.size == build.compiled.stat().st_size
    assert all(part.size > 0 for part in flash.parts)
    weights = next(part.size for part in flash.parts if part.name == "weights")
    assert weights == sum(row.encoded for row in flash.weights)


def test_weights_before_encoding_are_those_of_the_source_model(residual: BuildFolder) -> None:
    first = collect(residual).flash.weights[0]
    assert (first.type, first.original) == ("CONV_2D", 16 * 3 * 3 * 3)


def test_traffic_adds_up_to_velas_bandwidth(residual: BuildFolder) -> None:
    report = collect(residual)
    for memory, figure in (("SRAM", "sram_bandwidth"), ("flash", "flash_bandwidth")):
        known = residual.document.figure(figure)
        assert known is not None
        assert sum(item.size for item in report.traffic if item.memory == memory) == known.value


@pytest.mark.parametrize(
    ("name", "memories"),
    [
        # Bytes per cycle as in Vela's Arm/vela.ini: 8 and 1 on U55, 16 and 3.75 on U65.
        ("residual", {"SRAM": 8.0, "flash": 1.0}),
        ("partly_on_cpu", {"SRAM": 16.0, "DRAM": 3.75}),
    ],
)
def test_ridge_points_are_mac_units_over_bandwidth(
    name: str, memories: dict[str, float], request: pytest.FixtureRequest
) -> None:
    build: BuildFolder = request.getfixturevalue(name)
    roofs = {roof.memory: roof for roof in collect(build).roofs}
    macs = npu_named(build.document.npu).macs
    assert set(roofs) == set(memories)
    for memory, rate in memories.items():
        assert roofs[memory].bytes_per_cycle == pytest.approx(rate, rel=1e-6)
        assert roofs[memory].ridge == pytest.approx(macs / rate, rel=1e-6)
        for point in roofs[memory].points:
            assert point.performance <= macs
            if point.limit == memory:
                # Vela's sums of bytes count a buffer's content a little differently from its sums of cycles.
                assert point.performance <= 1.1 * point.intensity * rate


def test_a_damaged_database_gives_no_schedule_and_no_error() -> None:
    assert read_schedule(DebugDatabase(""), MEMORIES) == {}
    text = '<table name="perf">\n<![CDATA[\nid,source_id\n1,2\n]]></table>'
    assert read_schedule(DebugDatabase(text), MEMORIES) == {}
    text += '<table name="source">\n<![CDATA[\nid,ext_key\n2,x\n]]></table>'
    assert read_schedule(DebugDatabase(text), MEMORIES) == {}
