"""How much SRAM is taken while each operator runs, as Vela allocated it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deploy.debug_database import CONSTANT, DebugDatabase
from deploy.reporting.data.memory_map import MAX_STEPS
from deploy.reporting.data.operators import MEMORIES, OperatorSchedule


def sram_of_operators(debug: DebugDatabase, schedule: Mapping[int, OperatorSchedule]) -> dict[int, int]:
    """Bytes of SRAM up to the highest address in use while an operator runs.

    The largest of them is the peak, unless that lies in a step between operators, in which weights are fetched.

    Returns:
        Index of the operator in the source model -> bytes; operators that Vela does not schedule are left out.
    """
    tensors = [
        allocation
        for allocation in debug.allocations
        if MEMORIES.get(allocation.memory) == "SRAM"
        and allocation.usage != CONSTANT
        and allocation.size > 0
        and 0 <= allocation.first <= allocation.last < MAX_STEPS
    ]
    steps = 1 + max((tensor.last for tensor in tensors), default=-1)
    taken = np.zeros(steps, np.int64)
    for tensor in tensors:
        lives = taken[tensor.first : tensor.last + 1]
        np.maximum(lives, tensor.address + tensor.size, out=lives)
    return {
        index: max(int(taken[step]) for step in known)
        for index, scheduled in schedule.items()
        if (known := [step for step in scheduled.steps if 0 <= step < steps])
    }
