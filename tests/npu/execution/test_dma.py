import numpy as np
import pytest

from deploy.npu import Architecture, MemoryAccessError, UnsupportedError
from deploy.npu.execution.dma import copy
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.dma import DmaOperation

U55 = Architecture("U55", 32)


def transfer(source: int | None, start: int, target: int | None, end: int, length: int) -> DmaOperation:
    return DmaOperation(0, "NPU_OP_DMA_START", 0, source, start, target, end, length)


def test_bytes_are_copied_between_regions() -> None:
    source, target = np.arange(16, dtype=np.uint8), np.zeros(16, np.uint8)
    copy(transfer(0, 4, 1, 2, 5), Workspace(Memory({0: source, 1: target}, U55.design)))
    assert target.tolist() == [0, 0, 4, 5, 6, 7, 8] + [0] * 9


def test_overlapping_ranges_are_copied_as_if_through_a_buffer() -> None:
    array = np.arange(8, dtype=np.uint8)
    copy(transfer(0, 0, 0, 2, 6), Workspace(Memory({0: array}, U55.design)))
    assert array.tolist() == [0, 1, 0, 1, 2, 3, 4, 5]


def test_tables_reach_the_internal_memory() -> None:
    memory = Memory({0: np.arange(256, dtype=np.uint8)}, U55.design)
    copy(transfer(0, 0, None, U55.design.table_address, 256), Workspace(memory))
    assert memory.constant_bytes(None, U55.design.table_address, 256).tolist() == list(range(256))


def test_a_shared_region_fills_every_item_of_a_batch() -> None:
    target = np.zeros((3, 4), np.uint8)
    copy(transfer(0, 0, 1, 1, 2), Workspace(Memory({0: np.array([7, 8], np.uint8), 1: target}, U55.design)))
    assert target.tolist() == [[0, 7, 8, 0]] * 3


def test_a_batch_cannot_be_written_into_a_shared_region() -> None:
    memory = Memory({0: np.zeros(8, np.uint8), 1: np.zeros((3, 4), np.uint8)}, U55.design)
    with pytest.raises(UnsupportedError, match="shares"):
        copy(transfer(1, 0, 0, 0, 4), Workspace(memory))


@pytest.mark.parametrize(("start", "end", "length"), [(10, 0, 7), (0, 10, 7), (0, 0, 2**40)])
def test_transfers_outside_a_region_are_refused(start: int, end: int, length: int) -> None:
    memory = Memory({0: np.zeros(16, np.uint8), 1: np.zeros(16, np.uint8)}, U55.design)
    with pytest.raises(MemoryAccessError):
        copy(transfer(0, start, 1, end, length), Workspace(memory))


def test_read_only_memory_is_not_written() -> None:
    constants = np.zeros(16, np.uint8)
    constants.flags.writeable = False
    with pytest.raises(MemoryAccessError, match="read-only"):
        copy(transfer(0, 0, 0, 8, 4), Workspace(Memory({0: constants}, U55.design)))
