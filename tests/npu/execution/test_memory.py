import numpy as np
import pytest

from deploy.npu import Architecture, MemoryAccessError, StreamError, UnsupportedError
from deploy.npu.execution.memory import Memory

U55 = Architecture("U55", 128)


def test_an_access_outside_a_region_names_region_address_and_size() -> None:
    memory = Memory({1: np.zeros(100, np.uint8)}, U55.design)
    with pytest.raises(MemoryAccessError) as caught:
        memory.bytes(1, 90, 11)
    assert (caught.value.region, caught.value.address, caught.value.size) == (1, 90, 11)
    assert "100 bytes" in str(caught.value)


@pytest.mark.parametrize(("address", "size"), [(-1, 4), (0, -1), (2**40, 1), (101, 0)])
def test_strange_ranges_are_refused(address: int, size: int) -> None:
    with pytest.raises(MemoryAccessError):
        Memory({1: np.zeros(100, np.uint8)}, U55.design).bytes(1, address, size)


def test_a_region_without_memory_is_refused() -> None:
    with pytest.raises(MemoryAccessError, match="no memory"):
        Memory({}, U55.design).bytes(4, 0, 1)


def test_strided_views_write_through_and_may_run_backwards() -> None:
    array = np.zeros(12, np.uint8)
    memory = Memory({0: array}, U55.design)
    view = memory.strided(0, 10, (3, 2), (-4, 1), np.dtype("u1"))
    view[...] = [[[1, 2], [3, 4], [5, 6]]]
    assert array.tolist() == [0, 0, 5, 6, 0, 0, 3, 4, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("address", "shape", "strides"),
    [(10, (3, 3), (-4, 1)), (2, (2, 2), (-4, 1)), (0, (4, 4), (4, 1)), (2**35, (1,), (1,))],
)
def test_strided_views_outside_the_region_are_refused(
    address: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    with pytest.raises(MemoryAccessError):
        Memory({0: np.zeros(12, np.uint8)}, U55.design).strided(0, address, shape, strides, np.dtype("u1"))


def test_batched_and_shared_regions_can_be_mixed() -> None:
    memory = Memory({0: np.arange(8, dtype=np.uint8), 1: np.zeros((3, 8), np.uint8)}, U55.design)
    assert memory.batch == 3
    assert memory.bytes(0, 2, 2).shape == (1, 2)
    assert memory.bytes(1, 2, 2).shape == (3, 2)


def test_constants_that_differ_within_a_batch_are_refused() -> None:
    array = np.zeros((2, 8), np.uint8)
    array[1, 5] = 1
    memory = Memory({1: array}, U55.design)
    assert memory.constant_bytes(1, 0, 5).tolist() == [0] * 5
    with pytest.raises(UnsupportedError, match="batch"):
        memory.constant_bytes(1, 4, 4)


@pytest.mark.parametrize(
    "regions",
    [
        {8: np.zeros(4, np.uint8)},
        {0: np.zeros(4, np.int16)},
        {0: np.zeros(8, np.uint8)[::2]},
        {0: np.zeros((2, 4), np.uint8), 1: np.zeros((3, 4), np.uint8)},
    ],
)
def test_regions_of_the_wrong_kind_are_refused(regions: dict[int, np.ndarray]) -> None:
    with pytest.raises(StreamError):
        Memory(regions, U55.design)
