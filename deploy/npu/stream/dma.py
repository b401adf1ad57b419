"""NPU_OP_DMA_START: a copy of bytes, on every NPU."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from deploy.npu.stream.operations import Access, AddressRange, Operation, Place

DMA = "DMA"
"""The label of transfers."""

_LATEST = 64
"""Transfers among which the one that brought a stream is looked for: it comes shortly before."""


@dataclass(frozen=True, slots=True)
class Transfer(Operation):
    """An operation that moves bytes and computes nothing."""

    @property
    def label(self) -> str:
        """``DMA``."""
        return DMA

    @property
    def macs(self) -> int:
        """None."""
        return 0

    @property
    @abstractmethod
    def moved(self) -> tuple[AddressRange, AddressRange] | None:
        """From where to where in the regions, if it is one run of bytes that moves; else None."""


@dataclass(frozen=True, slots=True)
class DmaOperation(Transfer):
    """A copy of ``length`` bytes. A region of None is the internal SHRAM."""

    source_region: int | None
    source: int
    destination_region: int | None
    destination: int
    length: int

    @property
    def moved(self) -> tuple[AddressRange, AddressRange] | None:
        """Both ends, if both are in regions."""
        if self.source_region is None or self.destination_region is None:
            return None
        return (
            AddressRange(self.source_region, self.source, self.length),
            AddressRange(self.destination_region, self.destination, self.length),
        )

    @property
    def reads(self) -> tuple[Access, ...]:
        """The source."""
        return (Access(self.source_region, self.length),)

    @property
    def writes(self) -> tuple[Access, ...]:
        """The destination."""
        return (Access(self.destination_region, self.length),)

    @property
    def places(self) -> tuple[Place, ...]:
        """Source and destination."""
        return (
            Place("from", self.source_region, self.source),
            Place("to", self.destination_region, self.destination),
        )


def origin_of(stream: AddressRange, moved: Sequence[tuple[AddressRange, AddressRange]]) -> AddressRange:
    """Where a stream comes from that was moved; itself if none was.

    Args:
        stream: that an operation reads.
        moved: the ends of the transfers before it, in their order.
    """
    for source, target in islice(reversed(moved), _LATEST):
        offset = stream.address - target.address
        if target.region == stream.region and 0 <= offset <= target.length - stream.length:
            return AddressRange(source.region, source.address + offset, stream.length)
    return stream
