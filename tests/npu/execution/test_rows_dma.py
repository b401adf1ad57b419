import numpy as np
import pytest

from deploy.npu import Architecture, MemoryAccessError, StreamError, UnsupportedError
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.rows_dma import copy_rows
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import AddressRange
from deploy.npu.stream.u85_operations import RowsDmaOperation, RowsEnd

U85 = Architecture("U85", 256)


def end(region: int | None, address: int, stride: int, plane_stride: int = 0, *, indexed: bool = False) -> RowsEnd:
    return RowsEnd(region, address, stride, plane_stride, indexed)


def transfer(
    source: RowsEnd,
    target: RowsEnd,
    length: int,
    rows: int = 1,
    indices: AddressRange | None = None,
    most: int = 0,
    planes: int = 1,
    skip: int = 0,
) -> RowsDmaOperation:
    return RowsDmaOperation(0, "NPU_OP_DMA_START", 0, source, target, length, rows, planes, indices, most, skip)


def run(operation: RowsDmaOperation, **regions: np.ndarray) -> Memory:
    memory = Memory({int(name[1:]): array for name, array in regions.items()}, U85.design)
    copy_rows(operation, Workspace(memory))
    return memory


def test_rows_are_copied_with_strides_of_their_own() -> None:
    target = np.zeros(12, np.uint8)
    run(transfer(end(0, 1, 4), end(1, 0, 5), 2, 3), r0=np.arange(16, dtype=np.uint8), r1=target)
    assert target.tolist() == [1, 2, 0, 0, 0, 5, 6, 0, 0, 0, 9, 10]


def test_planes_are_copied_with_strides_of_their_own() -> None:
    target = np.zeros(12, np.uint8)
    operation = transfer(end(0, 0, 2, 8), end(1, 1, 3, 6), 1, 2, planes=2)
    run(operation, r0=np.arange(16, dtype=np.uint8), r1=target)
    assert target.tolist() == [0, 0, 0, 0, 2, 0, 0, 8, 0, 0, 10, 0]


def test_indices_of_planes_may_lie_apart() -> None:
    """As 64-bit indices do: a plane for each, of which the upper half is left out."""
    target = np.zeros(6, np.uint8)
    operation = transfer(
        end(0, 0, 2, indexed=True), end(2, 0, 0, 2), 2, 1, AddressRange(1, 0, 12), 3, planes=3, skip=4
    )
    run(operation, r0=np.arange(8, dtype=np.uint8), r1=words(3, 0, 0, 0, 1, 0), r2=target)
    assert target.tolist() == [6, 7, 0, 1, 2, 3]


def test_rows_are_scattered_by_indices() -> None:
    target = np.full((2, 8), 9, np.uint8)
    source = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8)
    operation = transfer(end(0, 0, 2), end(2, 0, 2, indexed=True), 2, 2, AddressRange(1, 0, 8), 3)
    run(operation, r0=source, r1=words(3, 0), r2=target)
    assert target.tolist() == [[3, 4, 9, 9, 9, 9, 1, 2], [7, 8, 9, 9, 9, 9, 5, 6]]


def test_overlapping_rows_are_copied_as_if_through_a_buffer() -> None:
    array = np.arange(8, dtype=np.uint8)
    run(transfer(end(0, 0, 2), end(0, 2, 2), 2, 3), r0=array)
    assert array.tolist() == [0, 1, 0, 1, 2, 3, 4, 5]


def test_tables_reach_the_memory_of_tables() -> None:
    table = np.arange(256, dtype=np.uint8)
    memory = run(transfer(end(0, 0, 0), end(None, 512, 0), 256), r0=table)
    assert memory.table(512, 256).tolist() == table.tolist()
    with pytest.raises(MemoryAccessError, match="2048 bytes"):
        run(transfer(end(0, 0, 0), end(None, 1800, 0), 256), r0=table)


def words(*values: int) -> np.ndarray:
    return np.array(values, "<i4").view(np.uint8)


def test_rows_are_gathered_by_indices_which_differ_within_a_batch() -> None:
    indices = np.stack([words(2, 0), words(1, 1)])
    target = np.zeros((2, 4), np.uint8)
    operation = transfer(end(0, 1, 3, indexed=True), end(2, 0, 2), 2, 2, AddressRange(1, 0, 8), 2)
    run(operation, r0=np.arange(9, dtype=np.uint8), r1=indices, r2=target)
    assert target.tolist() == [[7, 8, 1, 2], [4, 5, 4, 5]]


def test_what_is_gathered_from_may_differ_within_a_batch() -> None:
    source = np.arange(16, dtype=np.uint8).reshape(2, 8)
    target = np.zeros((2, 4), np.uint8)
    operation = transfer(end(0, 0, 4, indexed=True), end(2, 0, 2), 2, 2, AddressRange(1, 0, 8), 1)
    run(operation, r0=source, r1=words(1, 0), r2=target)
    assert target.tolist() == [[4, 5, 0, 1], [12, 13, 8, 9]]


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_of_no_row_is_refused(index: int) -> None:
    operation = transfer(end(0, 0, 2, indexed=True), end(2, 0, 2), 2, 1, AddressRange(1, 0, 4), 2)
    with pytest.raises(StreamError, match="an index of no row"):
        run(operation, r0=np.zeros(8, np.uint8), r1=words(index), r2=np.zeros(4, np.uint8))


def test_rows_outside_a_region_are_refused() -> None:
    source, target = np.zeros(8, np.uint8), np.zeros(8, np.uint8)
    with pytest.raises(MemoryAccessError):
        run(transfer(end(0, 0, 4), end(1, 0, 2), 2, 3), r0=source, r1=target)
    with pytest.raises(MemoryAccessError):
        run(transfer(end(0, 0, 2), end(1, 4, -3), 2, 3), r0=source, r1=target)
    with pytest.raises(UnsupportedError, match="of this size"):
        run(transfer(end(0, 0, 0), end(1, 0, 0), 1 << 30, 3), r0=source, r1=target)


def test_reading_rows_that_nobody_wrote_is_found() -> None:
    memory = Memory(
        {0: np.zeros(8, np.uint8), 1: np.zeros(8, np.uint8)}, U85.design, defined={0: [(0, 2), (4, 6)]}
    )
    copy_rows(transfer(end(0, 0, 4), end(1, 0, 2), 2, 2), Workspace(memory))
    with pytest.raises(MemoryAccessError, match="nobody wrote"):
        copy_rows(transfer(end(0, 0, 4), end(1, 0, 2), 3, 2), Workspace(memory))
