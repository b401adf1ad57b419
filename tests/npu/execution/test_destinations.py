"""Where transfers put their bytes."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.npu import Architecture
from deploy.npu.execution.destinations import destinations
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.rows_dma import copy_rows
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.operations import AddressRange
from deploy.npu.stream.u85_operations import RowsDmaOperation, RowsEnd

INDICES = np.array([4, 1, 0, 3], "<i4").view(np.uint8)


def test_a_copy_goes_to_a_range() -> None:
    memory = Memory({1: np.zeros(16, np.uint8)}, Architecture("U55", 128).design)
    assert destinations(DmaOperation(0, "", 0, 0, 8, 1, 4, 3), memory).tolist() == [4, 5, 6]


@pytest.mark.parametrize("indexed", [False, True])
def test_rows_go_where_they_are_found_afterwards(indexed: bool) -> None:
    source = np.random.default_rng(0).permutation(np.arange(1, 65, dtype=np.uint8))
    regions = {0: source, 1: INDICES, 2: np.zeros(256, np.uint8)}
    memory = Memory(regions, Architecture("U85", 256).design)
    indices = AddressRange(1, 0, 16) if indexed else None
    end = RowsEnd(2, 5, 7, 60, indexed)
    operation = RowsDmaOperation(0, "", 0, RowsEnd(0, 0, 6, 20, False), end, 3, 2, 2, indices, 4, 0)
    copy_rows(operation, Workspace(memory))
    places = destinations(operation, memory)
    moved = [source[plane * 20 + row * 6 + byte] for plane in range(2) for row in range(2) for byte in range(3)]
    assert regions[2][places].tolist() == moved
    assert np.count_nonzero(regions[2]) == len(moved)
