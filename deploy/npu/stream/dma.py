"""NPU_OP_DMA_START as the command stream states it."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.npu.errors import UnsupportedError
from deploy.npu.stream.commands import Command
from deploy.npu.stream.operations import Access, Operation
from deploy.npu.stream.u55_commands import Cmd0, Cmd1
from deploy.npu.stream.u55_registers import RegisterValues

DMA = "DMA"
"""The label of transfers."""


@dataclass(frozen=True, slots=True)
class DmaOperation(Operation):
    """A copy of ``length`` bytes. A region of None is the internal SHRAM."""

    source_region: int | None
    source: int
    destination_region: int | None
    destination: int
    length: int

    @property
    def label(self) -> str:
        """``DMA``."""
        return DMA

    @property
    def macs(self) -> int:
        """None."""
        return 0

    @property
    def reads(self) -> tuple[Access, ...]:
        """The source."""
        return (Access(self.source_region, self.length),)

    @property
    def writes(self) -> tuple[Access, ...]:
        """The destination."""
        return (Access(self.destination_region, self.length),)


def read_dma(values: RegisterValues, command: Command, index: int) -> DmaOperation:
    """The transfer that a command starts.

    Raises:
        StreamError: a register that was never set.
        UnsupportedError: a channel or a mode that is not modelled.
    """
    if command.parameter:
        raise UnsupportedError("DMA channel or mode", parameters={"parameter": command.parameter})
    regions: list[int | None] = []
    for code in (Cmd0.NPU_SET_DMA0_SRC_REGION, Cmd0.NPU_SET_DMA0_DST_REGION):
        bits = values.u16(code)
        if bits & ~0x107:
            raise UnsupportedError("DMA region or stride mode", parameters={code.name: hex(bits)})
        regions.append(None if bits & 0x100 else bits)
    return DmaOperation(
        index=index,
        command=command.code.name,
        offset=command.offset,
        source_region=regions[0],
        source=values.address(Cmd1.NPU_SET_DMA0_SRC),
        destination_region=regions[1],
        destination=values.address(Cmd1.NPU_SET_DMA0_DST),
        length=values.address(Cmd1.NPU_SET_DMA0_LEN),
    )
