"""NPU_OP_POOL: what the instruction sets have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from deploy.npu.stream.operations import BlockOperation


class PoolingMode(IntEnum):
    """Parameter of NPU_OP_POOL; from SUM on those of U85 alone."""

    MAX = 0
    AVERAGE = 1
    REDUCE_SUM = 2
    SUM = 3
    NONE = 4
    MIN = 5
    ARGMAX_X = 6
    ARGMAX_Y = 7


@dataclass(frozen=True, slots=True)
class PoolingOperation(BlockOperation):
    """A pooling."""

    mode: PoolingMode

    @property
    def label(self) -> str:
        """``POOL.MAX`` and so on."""
        return f"POOL.{self.mode.name}"

    @property
    def macs(self) -> int:
        """Elements of all windows; every element of the IFM for REDUCE_SUM."""
        if self.mode is PoolingMode.REDUCE_SUM:
            return self.ifm.elements
        return self.ofm.elements * self.kernel.height * self.kernel.width

    @property
    def by_channel(self) -> bool:
        """Only REDUCE_SUM does not keep channels apart."""
        return self.mode is not PoolingMode.REDUCE_SUM
