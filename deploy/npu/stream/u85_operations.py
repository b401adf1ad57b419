"""What operations of Ethos-U85 have beyond those that all NPUs have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import Transfer
from deploy.npu.stream.elementwise import ElementwiseOperation
from deploy.npu.stream.operations import (
    Access,
    AddressRange,
    BlockOperation,
    FeatureMap,
    Place,
    numbered_places,
)
from deploy.npu.stream.pooling import PoolingOperation
from deploy.npu.stream.u85_registers import Accumulators, OperandScale


def ifm_block_depth(
    macs: int, ofm_ublock_depth: int, *, part_kernel_first: bool, sparse: bool, ifm_bits: int
) -> int:
    """Input channels that an operation which sums over them takes in one pass."""
    if part_kernel_first:
        return 16
    if ifm_bits == 32 or (macs <= 256 and ofm_ublock_depth == 16 and not sparse):
        return 32
    return 128 if sparse and ifm_bits == 8 else 64


class ResizeMode(IntEnum):
    """Parameter of NPU_OP_RESIZE."""

    BILINEAR = 0
    REPLICATE = 1
    NEAREST = 2


@dataclass(frozen=True, slots=True)
class U85ConvolutionOperation(ConvolutionOperation):
    """A convolution of U85.

    Attributes:
        ifm2: what weights are taken from instead of a stream: ``(1, output channels, input channels)``; or None.
        fast: whether the weights are coded for fast decoding, in one stream for all cores.
        sparse: whether of four weights two are zero, which the MAC units make use of.
    """

    accumulators: Accumulators
    ifm2: FeatureMap | None
    fast: bool
    sparse: bool

    @property
    def layout(self) -> tuple[object, ...]:
        """What the order of its weights and scales depends on, beside kernel, depths and the NPU."""
        return (
            self.depthwise,
            self.block[2],
            self.accumulators.bits,
            self.accumulators.ublock,
            self.fast,
            self.sparse,
        )

    @property
    def inputs(self) -> tuple[FeatureMap, ...]:
        """The IFM, and the weights where they are a feature map."""
        return (self.ifm,) if self.ifm2 is None else (self.ifm, self.ifm2)

    @property
    def finishes(self) -> bool:
        """Whether it computes its OFM; else its sums stay in the accumulators."""
        return self.accumulators.stored


@dataclass(frozen=True, slots=True)
class U85PoolingOperation(PoolingOperation):
    """A pooling of U85."""

    accumulators: Accumulators

    @property
    def finishes(self) -> bool:
        """Whether it computes its OFM; else it fills the accumulators of what follows."""
        return self.accumulators.stored


@dataclass(frozen=True, slots=True)
class U85ElementwiseOperation(ElementwiseOperation):
    """An elementwise operation of U85.

    Attributes:
        ifm_scale: of the first input.
        ifm2_scale: of the second input or the scalar; for LRELU of what is negative.
    """

    ifm_scale: OperandScale
    ifm2_scale: OperandScale | None


@dataclass(frozen=True, slots=True)
class AxisSampling:
    """Where along an axis an OFM of another size takes its elements from, in units of 1 / ``parts`` elements.

    Attributes:
        step: from one element of the OFM to the next.
        offset: of the first one.
    """

    parts: int
    step: int
    offset: int


@dataclass(frozen=True, slots=True)
class ResizeOperation(BlockOperation):
    """A resizing."""

    mode: ResizeMode
    vertical: AxisSampling
    horizontal: AxisSampling

    @property
    def label(self) -> str:
        """``RESIZE.BILINEAR`` and so on."""
        return f"RESIZE.{self.mode.name}"

    @property
    def macs(self) -> int:
        """Four products for an element."""
        return 4 * self.ofm.elements if self.mode is ResizeMode.BILINEAR else 0

    @property
    def by_channel(self) -> bool:
        """Always."""
        return True


@dataclass(frozen=True, slots=True)
class RowsEnd:
    """Where a transfer reads or writes.

    Attributes:
        region: region number; None is the internal memory of tables.
        stride: bytes from row to row.
        plane_stride: bytes from plane to plane.
        indexed: whether the indices say which rows of a plane they are; else they follow each other.
    """

    region: int | None
    address: int
    stride: int
    plane_stride: int
    indexed: bool


@dataclass(frozen=True, slots=True)
class RowsDmaOperation(Transfer):
    """A transfer of planes of rows of bytes.

    Attributes:
        length: bytes of a row.
        rows: of a plane.
        indices: s32, one a row, where one of the ends is indexed.
        highest_index: that may occur.
        index_skip: bytes between the indices of two planes.
    """

    source: RowsEnd
    destination: RowsEnd
    length: int
    rows: int
    planes: int
    indices: AddressRange | None
    highest_index: int
    index_skip: int

    @property
    def bytes(self) -> int:
        """That are moved."""
        return self.length * self.rows * self.planes

    @property
    def moved(self) -> tuple[AddressRange, AddressRange] | None:
        """Both ends, if both are one row in a region."""
        ends = self.source, self.destination
        source, destination = (end.region for end in ends)
        if source is None or destination is None or self.bytes != self.length or any(end.indexed for end in ends):
            return None
        return (
            AddressRange(source, self.source.address, self.length),
            AddressRange(destination, self.destination.address, self.length),
        )

    @property
    def reads(self) -> tuple[Access, ...]:
        """The source, and the indices."""
        found = (Access(self.source.region, self.bytes),)
        return found if self.indices is None else (*found, Access(self.indices.region, self.indices.length))

    @property
    def writes(self) -> tuple[Access, ...]:
        """The destination."""
        return (Access(self.destination.region, self.bytes),)

    @property
    def places(self) -> tuple[Place, ...]:
        """Source, indices, destination."""
        return (
            Place("from", self.source.region, self.source.address),
            *numbered_places("indices", () if self.indices is None else (self.indices,)),
            Place("to", self.destination.region, self.destination.address),
        )
