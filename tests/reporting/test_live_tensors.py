"""The memory map is what the command stream does: every access lies in a tensor that is live then."""

from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.debug_database import DebugDatabase
from deploy.npu.architecture import Architecture
from deploy.npu.program import decode
from deploy.npu.stream.operations import BlockOperation, FeatureMap
from deploy.npu.stream.payload import parse_payload
from deploy.reporting.data.memory_map import LiveTensor, MemoryMap, Steps, memory_maps
from deploy.reporting.data.report import collect
from deploy.tflite.compiled import npu_operators


@pytest.mark.parametrize("name", ["residual", "partly_on_cpu"])
def test_every_feature_map_of_the_command_stream_lies_in_a_tensor_live_in_its_step(
    name: str, request: pytest.FixtureRequest
) -> None:
    build: BuildFolder = request.getfixturevalue(name)
    family, macs = build.document.npu.split("-")
    compiled, commands = build.compiled_model, build.debug.commands
    memories = {memory.memory: memory for memory in collect(build).memories}
    # Region 1 is the arena, 2 the SRAM that a memory mode dedicates to the NPU.
    regions = {1: memories.get("DRAM", memories["SRAM"]), 2: memories["SRAM"]}
    npu = npu_operators(compiled)[0]
    program = decode(parse_payload(npu.payload_bytes).stream, Architecture(family, int(macs)))
    checked = 0
    for operation in program.operations:
        if not isinstance(operation, BlockOperation):
            continue
        step = commands[0, operation.offset].step
        assert step is not None
        for feature_map in (operation.ifm, operation.ofm, getattr(operation, "ifm2", None)):
            if feature_map is None or feature_map.region == 0:
                continue
            assert lies_in_a_live_tensor(feature_map, step, regions[feature_map.region]), (operation, step)
            checked += 1
    assert checked > 20


def lies_in_a_live_tensor(feature_map: FeatureMap, step: int, memory: MemoryMap) -> bool:
    first = feature_map.bases[0]
    last = first + feature_map.nbytes
    return any(
        tensor.start <= step <= tensor.end and tensor.address <= first and last <= tensor.address + tensor.size
        for tensor in memory.tensors
    )


def test_the_peak_is_velas_and_no_two_tensors_share_bytes_at_a_time(residual: BuildFolder) -> None:
    (memory,) = collect(residual).memories
    figure = residual.document.figure("sram_peak")
    assert figure is not None
    assert memory.peak == figure.value
    for i, one in enumerate(memory.tensors):
        for other in memory.tensors[i + 1 :]:
            assert not (overlap(one, other) and at_once(one, other)), (one, other)
    top = max(tensor.address + tensor.size for tensor in memory.at_peak)
    assert top == memory.peak
    assert memory.clock[-1] == sum(operator.npu_cycles or 0 for operator in residual.document.operators)


def overlap(one: LiveTensor, other: LiveTensor) -> bool:
    return one.address < other.address + other.size and other.address < one.address + one.size


def at_once(one: LiveTensor, other: LiveTensor) -> bool:
    # A buffer of weights gives its place to the next in the step in which both are fetched and used up.
    return one.start < other.end and other.start < one.end


def test_the_limit_is_what_the_memory_mode_leaves_to_the_npu(
    residual: BuildFolder, partly_on_cpu: BuildFolder
) -> None:
    (shared,) = collect(residual).memories
    assert shared.limit == 2 * 1024 * 1024
    sram, dram = collect(partly_on_cpu).memories
    assert (sram.limit, dram.limit) == (384 * 1024, None)


def test_rows_that_make_no_sense_are_left_out(tmp_path: Path) -> None:
    rows = [
        "1,Int8,Sram,OpLocal,0,3,0x0,0x10,0x10,NHWC,good",
        "2,Int8,Sram,OpLocal,5,3,0x0,0x10,0x10,NHWC,ends before it starts",
        "3,Int8,Sram,OpLocal,0,3,zero,0x10,0x10,NHWC,no address",
        "4,Int8,Sram,OpLocal,0,99999999999,0x0,0x10,0x10,NHWC,beyond all bounds",
        "5,Int8,OffChipFlash,Constant,0,3,0x0,0x10,0x10,NHWC,not in SRAM",
        "6,Int8,Sram",
    ]
    head = "id,data_type,memory,usage,start_time,end_time,start_address,end_address,size,format,name"
    text = f'<table name="tensors">\n<![CDATA[\n{head}\n' + "\n".join(rows) + "\n]]></table>"
    (memory,) = memory_maps(DebugDatabase(text), Steps({}, {}, set()), None)
    assert [tensor.name for tensor in memory.tensors] == ["good"]
    assert (memory.peak, memory.clock) == (16, (0, 1, 2, 3, 4))
    assert memory_maps(DebugDatabase(""), Steps({}, {}, set()), None) == ()


def test_an_operator_on_the_cpu_has_a_width_so_that_a_peak_of_its_own_is_seen(partly_on_cpu: BuildFolder) -> None:
    report = collect(partly_on_cpu)
    memory = next(memory for memory in report.memories if memory.cpu_steps)
    total = sum(operator.npu_cycles or 0 for operator in partly_on_cpu.document.operators)
    assert [memory.operators[step] for step in memory.cpu_steps] == ["0 QUANTIZE", "16 DEQUANTIZE"]
    assert memory.cpu_cycles == total // 50
    assert memory.clock[-1] == total + 2 * memory.cpu_cycles
    for one in report.memories:
        assert one.peak_step in one.operators, "the peak is while an operator runs that has a name"
