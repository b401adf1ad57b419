import numpy as np
import pytest

from deploy.npu import Architecture, MemoryAccessError, UnsupportedError, execute

U55 = Architecture("U55", 128)
# DMA of 32 bytes from region 0 + 0 to region 1 + 16, then stop.
DMA = [0x130, 0x10131, 0x4030, 0, 0x4031, 16, 0x4032, 32, 0x10, 0xFFFF0000]


def words(*values: int) -> np.ndarray:
    return np.array(values, np.uint32)


def regions() -> dict[int, np.ndarray]:
    return {0: np.arange(64, dtype=np.uint8), 1: np.zeros(64, np.uint8)}


def test_memory_is_changed_in_place_and_counted() -> None:
    memory = regions()
    statistics = execute(words(*DMA), memory, U55)
    assert memory[1][16:48].tolist() == list(range(32))
    assert statistics.stopped
    assert (statistics.operations, len(statistics.records) - statistics.operations) == (0, 1)
    assert (sum(statistics.moved.read), sum(statistics.moved.written)) == (32, 32)
    (record,) = statistics.records
    assert (record.kind, record.offset) == ("DMA", 32)


def test_an_error_names_command_offset_operation_and_address() -> None:
    stream = words(*DMA[:-1], 0x4032, 60, 0x10)
    with pytest.raises(MemoryAccessError) as caught:
        execute(stream, regions(), U55)
    error = caught.value
    assert (error.command, error.offset, error.operation) == ("NPU_OP_DMA_START", 44, 1)
    assert "NPU_OP_DMA_START at stream offset 0x2c (operation 1): outside the region of 64 bytes" in str(error)
    assert "region=1, address=0x10, size=60" in str(error)


def test_nothing_is_executed_when_the_stream_cannot_be_decoded() -> None:
    memory = regions()
    with pytest.raises(UnsupportedError, match="unknown command"):
        execute(words(*DMA[:-1], 0x3FF), memory, U55)
    assert not memory[1].any()


def test_waits_and_interrupts_need_no_action() -> None:
    statistics = execute(words(0x11, 0x10012, 0x1, 0x10013, 0xFFFF0000), {}, U55)
    assert statistics.records == []


def test_an_empty_stream_does_nothing() -> None:
    assert not execute(words(), {}, U55).stopped


def test_a_read_of_memory_that_nobody_wrote_is_found_when_asked_for() -> None:
    with pytest.raises(MemoryAccessError, match="nobody wrote"):
        execute(words(*DMA), regions(), U55, defined={0: [(0, 31)]})
    execute(words(*DMA), regions(), U55, defined={0: [(0, 32)]})
    # What one operation wrote, the next one may read.
    chained = [*DMA[:-1], 0x10130, 0x4030, 20, 0x4031, 0, 0x4032, 8, 0x10, 0xFFFF0000]
    execute(words(*chained), regions(), U55, defined={0: [(0, 32)]})


def test_regions_that_are_one_memory_are_tracked_as_one() -> None:
    memory = np.zeros(64, np.uint8)
    stream = [0x10130, 0x20131, 0x4030, 0, 0x4031, 16, 0x4032, 8, 0x10, 0x20130, 0x4030, 16, 0x10]
    execute(words(*stream), {1: memory, 2: memory}, U55, defined={1: [(0, 8)]})
    with pytest.raises(UnsupportedError, match="overlap"):
        execute(words(*stream), {1: memory, 2: memory[8:]}, U55, defined={1: [(0, 8)]})


def test_every_operation_is_shown_to_the_observer_with_the_memory_it_left() -> None:
    seen = []
    execute(words(*DMA), regions(), U55, None, lambda op, memory: seen.append((op.index, memory.bytes(1, 16, 2))))
    ((index, view),) = seen
    assert index == 0
    assert view.tolist() == [[0, 1]]
