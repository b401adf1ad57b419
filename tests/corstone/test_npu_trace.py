"""What the machine writes of the NPU's operations, and what timing adapters do to their estimated cycles."""

import json

import pytest
from guest import build_guest
from simulator import run_guest
from test_machine import RUN

from deploy.corstone.timing_adapters import TimingAdapter, adapted
from deploy.hardware.designs import MemoryTiming
from deploy.npu.architecture import Architecture

system = pytest.mark.system

TWO_RUNS = (
    RUN
    + r"""
int main(void) {
  for (int i = 0; i < 2; i++) { prepare(0x31001000); REG(NPU + 8) = 1; REG(NPU + 8) = 2; }
  queue[8] = 0x3f; REG(NPU + 8) = 1;
}"""
)


@system
def test_a_trace_as_text_has_a_line_for_every_operation_with_its_addresses(tmp_path):
    run_guest(build_guest(tmp_path, TWO_RUNS), "--trace", tmp_path / "npu.txt")
    lines = [line.split() for line in (tmp_path / "npu.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line[0] for line in lines] == ["1", "2", "3"]
    for line in lines[:2]:
        _run, operation, offset, _begin, cycles, macs, kind, *rest = line
        assert (operation, offset, macs, kind) == ("0", "0x20", "0", "DMA")
        assert int(cycles) > 0
        assert rest[:4] == ["0", "32", "32", "0"]
        assert " ".join(rest[4:]) == "from 0x60100000, to 0x31000110"
    first, second = (int(line[3]) for line in lines[:2])
    assert second >= first + int(lines[0][4])
    assert "failed" in lines[2][1]
    assert "unknown command" in " ".join(lines[2])


@system
def test_a_trace_as_json_opens_in_chrome_and_perfetto(tmp_path):
    elf = build_guest(tmp_path, TWO_RUNS)
    run_guest(elf, "--trace", tmp_path / "npu.json", "-C", "core_clk.mul=50000000")
    events = json.loads((tmp_path / "npu.json").read_text())
    spans = [event for event in events if event["ph"] == "X"]
    assert [event["name"] for event in spans] == ["DMA", "DMA"]
    for event in spans:
        assert event["dur"] == pytest.approx(event["args"]["cycles"] / 50)
        assert event["ts"] == pytest.approx(event["args"]["begin"] / 50)
        assert (event["args"]["from"], event["args"]["to"]) == ("0x60100000", "0x31000110")
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} >= {"kernels", "DMA"}
    assert [event["args"]["reason"] for event in events if event["name"] == "failed"]
    counters = [event for event in events if event["ph"] == "C"]
    assert {event["name"] for event in counters} == {"AXI0 bytes", "AXI1 bytes"}


@system
def test_a_trace_that_cannot_be_written_is_refused_before_anything_runs(tmp_path):
    done = run_guest(build_guest(tmp_path, TWO_RUNS), "--trace", tmp_path / "absent" / "npu.json")
    assert done.status == 2
    assert "--trace" in done.errors


ADAPTERS = (
    RUN
    + r"""
#define TA(number, offset) REG(0x58103000 + 0x200 * (number) + (offset))
static uint32_t cycles(void) {
  prepare(0x31001000);
  REG(NPU + 0x180) = 3; REG(NPU + 0x184) = 0x80000000; REG(NPU + 8) = 1; REG(NPU + 8) = 2;
  return REG(NPU + 0x1a0);
}
int main(void) {
  print("version0 "); hex(TA(0, 0x38)); print("version1 "); hex(REG(0x48103238));
  print("free "); hex(cycles());
  for (int i = 0; i < 2; i++) {
    TA(i, 0x14) = 4000; TA(i, 0x18) = 1000; TA(i, 0x0c) = 500; TA(i, 0x10) = 250; TA(i, 0x1c) = 625;
  }
  TA(0, 0x38) = 7; TA(0, 0x00) = 0xFFFFFFFF;
  print("fixed "); hex(TA(0, 0x38)); print("masked "); hex(TA(0, 0x00)); print("kept "); hex(REG(0x48103014));
  TA(0, 0x00) = 0;
  print("limited "); hex(cycles());
  for (int i = 0; i < 2; i++) for (int at = 0; at < 0x38; at += 4) TA(i, at) = 0;
  print("again "); hex(cycles());
}"""
)


@system
@pytest.mark.parametrize("family", ["U55", "U65"])
def test_timing_adapters_are_there_and_count_in_the_cycles(tmp_path, family):
    done = run_guest(build_guest(tmp_path, ADAPTERS), "--npu-family", family)
    assert done.status == 0, done.errors
    assert done.value("version0") == done.value("version1") == 0x1117
    assert (done.value("fixed"), done.value("masked"), done.value("kept")) == (0x1117, 0x3F, 4000)
    # 32 bytes at 625 words of 8 bytes in 5000 cycles, one byte a cycle, and 500 cycles to begin with.
    assert done.value("limited") == 532
    assert done.value("free") == done.value("again") != 532


def adapter(**values):
    offsets = {"maxr": 0, "rlatency": 0xC, "wlatency": 0x10, "on": 0x14, "off": 0x18, "bwcap": 0x1C, "mode": 0x28}
    made = TimingAdapter()
    for name, value in values.items():
        made.write(offsets[name], value)
    return made


def test_settings_of_arms_evaluation_kit_are_the_memories_that_vela_assumes():
    flash = adapter(maxr=2, rlatency=64, on=320, off=80, bwcap=50, mode=1)
    sram = adapter(maxr=8, rlatency=32, wlatency=32, on=3999, off=1, bwcap=4000, mode=1)
    design = Architecture("U55", 128).design
    memories = adapted([sram, flash], design.memories, design.port_bytes, 0b10)
    assert memories.arena.bytes_per_cycle == pytest.approx(design.memories.arena.bytes_per_cycle, rel=0.001)
    assert memories.arena.read_latency == design.memories.arena.read_latency
    assert memories.constants.bytes_per_cycle == design.memories.constants.bytes_per_cycle
    assert memories.constants.read_latency == design.memories.constants.read_latency


def test_without_settings_the_assumed_memories_stay():
    design = Architecture("U65", 256).design
    assert adapted([TimingAdapter(), TimingAdapter()], design.memories, design.port_bytes, 0) is None


def test_each_limit_slows_its_port_alone():
    memory = MemoryTiming("SRAM", 8, 64, 32, 32)
    assert adapter(maxr=2, rlatency=256).limited(memory, 0, 8).bytes_per_cycle == 0.5
    assert adapter(on=10, off=30).limited(memory, 0, 8).bytes_per_cycle == 2
    assert adapter(bwcap=1, on=16, mode=3 << 4).limited(memory, 0, 8).bytes_per_cycle == 0.125
    design = Architecture("U55", 128).design
    memories = adapted([TimingAdapter(), adapter(rlatency=99)], design.memories, 8, 0b10)
    assert (memories.arena, memories.constants.read_latency) == (design.memories.arena, 99)
