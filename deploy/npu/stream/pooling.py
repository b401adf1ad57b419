"""NPU_OP_POOL as the command stream states it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command
from deploy.npu.stream.operations import BlockOperation
from deploy.npu.stream.u55_registers import RegisterValues


class PoolingMode(IntEnum):
    """Parameter of NPU_OP_POOL."""

    MAX = 0
    AVERAGE = 1
    REDUCE_SUM = 2


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


def read_pooling(values: RegisterValues, command: Command, index: int) -> PoolingOperation:
    """The pooling that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    if command.parameter > PoolingMode.REDUCE_SUM:
        raise UnsupportedError("pooling mode", parameters={"parameter": command.parameter})
    mode = PoolingMode(command.parameter)
    ofm, kernel, padding, upscale = values.ofm(), values.kernel(), values.padding(), values.upscale()
    ifm = values.ifm_of_kernel(ofm, kernel, padding, upscale)
    depth = 1 if mode is PoolingMode.REDUCE_SUM else ifm.depth
    if ofm.depth != depth:
        raise StreamError(
            f"{mode.name} pooling gives {depth} channels", parameters={"ifm": ifm.depth, "ofm": ofm.depth}
        )
    return PoolingOperation(
        **values.common(command, index, ofm), ifm=ifm, kernel=kernel, padding=padding, upscale=upscale, mode=mode
    )
