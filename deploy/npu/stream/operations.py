"""Immutable descriptions of operations: everything the registers said when ``NPU_OP_*`` was reached.

Here is what all kinds share; each kind has a module of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import NamedTuple

import numpy as np

BRICK = 16
"""Channels of a brick of NHCWB16."""
SUB_KERNEL = 8
"""Kernels are computed in parts of at most 8 x 8 elements."""


class Rounding(Enum):
    """How a result is rounded after its shift; each instruction set has numbers of its own for them.

    TFL rounds as TFLite's kernels do, half up at bit 31, then half away from zero; NATURAL half up; SYMMETRIC half
    away from zero; DOWN towards minus infinity.
    """

    TFL = auto()
    TRUNCATE = auto()
    NATURAL = auto()
    SYMMETRIC = auto()
    DOWN = auto()


class Upscale(IntEnum):
    """IFM_UPSCALE."""

    NONE = 0
    NEAREST = 1
    TRANSPOSE = 2


class Function(IntEnum):
    """What is made of a scaled value: ACTIVATION bits 4:0 of U55 and U65, where LUT stands for 16 to 23.

    The two curves by table are those of U85.
    """

    NONE = 0
    TANH = 3
    SIGMOID = 4
    LUT = 16
    TANH_BY_TABLE = 32
    SIGMOID_BY_TABLE = 33


_BY_TABLE = (Function.LUT, Function.TANH_BY_TABLE, Function.SIGMOID_BY_TABLE)
TABLE_SLOT_BYTES = 256
"""What the slots of tables are counted in."""

Three = tuple[int, int, int]
"""Of height, width and depth."""


class FeatureMap(NamedTuple):
    """Where a feature map lies and how its numbers are to be read.

    Attributes:
        bases: offsets of the four tiles in the region, bytes.
        height0: rows in tile 0, the rest lies in tile 2.
        height1: rows in tile 1, the rest lies in tile 3.
        width0: columns in tiles 0 and 2, the rest lies in tiles 1 and 3.
        stride_y: bytes from row to row.
        stride_x: bytes from column to column.
        stride_c: bytes from brick to brick; without bricks from channel to channel.
        zero_point: subtracted from an input, added to an output.
        bricks: NHCWB16 (bricks of 16 channels) instead of NHWC.
        axes: in memory its height, width and depth are those of these axes of it; everything else that says how it
            lies there is of the transposed map. (An OFM of U85 alone, as the two below.)
        reversed_axis: along which it lies backwards, after it was transposed.
        chain: the buffer inside the NPU that holds it instead of a region.
    """

    region: int
    bases: tuple[int, ...]
    height0: int
    height1: int
    width0: int
    height: int
    width: int
    depth: int
    stride_y: int
    stride_x: int
    stride_c: int
    zero_point: int
    dtype: np.dtype[np.generic]
    bricks: bool
    axes: Three = (0, 1, 2)
    reversed_axis: int | None = None
    chain: int | None = None

    @property
    def extents(self) -> Three:
        """Height, width and depth."""
        return self.height, self.width, self.depth

    @property
    def as_stored(self) -> FeatureMap:
        """The map as it lies in memory, neither transposed nor backwards."""
        if self.axes == (0, 1, 2) and self.reversed_axis is None:
            return self
        height, width, depth = (self.extents[axis] for axis in self.axes)
        return self._replace(height=height, width=width, depth=depth, axes=(0, 1, 2), reversed_axis=None)

    @property
    def elements(self) -> int:
        """Number of elements."""
        return self.height * self.width * self.depth

    @property
    def nbytes(self) -> int:
        """Size of all elements, without what lies between them."""
        return self.elements * self.dtype.itemsize

    def address(self, y: int, x: int, c: int) -> int:
        """Where an element lies in the region, in bytes (see :mod:`deploy.npu.execution.feature_maps`)."""
        place = [(y, x, c)[axis] for axis in self.axes]
        if self.reversed_axis is not None:
            last = self.extents[self.axes[self.reversed_axis]] - 1
            place[self.reversed_axis] = last - place[self.reversed_axis]
        y, x, c = place
        right, size = x >= self.width0, self.dtype.itemsize
        split = self.height1 if right else self.height0
        base = self.bases[right + 2 * (y >= split)]
        y, x = y - split * (y >= split), x - self.width0 * right
        channels = c // BRICK * self.stride_c + c % BRICK * size if self.bricks else c * self.stride_c
        return base + y * self.stride_y + x * self.stride_x + channels


@dataclass(frozen=True, slots=True)
class Kernel:
    """Kernel geometry; height and width count elements, not their dilated extent."""

    height: int
    width: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    part_kernel_first: bool

    @property
    def extent_y(self) -> int:
        """Rows from the first to the last element."""
        return (self.height - 1) * self.dilation_y + 1

    @property
    def extent_x(self) -> int:
        """Columns from the first to the last element."""
        return (self.width - 1) * self.dilation_x + 1


POINT = Kernel(1, 1, 1, 1, 1, 1, False)
"""The kernel of what has none."""


@dataclass(frozen=True, slots=True)
class Padding:
    """Rows and columns of zero points around the (upscaled) IFM."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.top or self.left or self.bottom or self.right)


NO_PADDING = Padding(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiply, then shift right with rounding."""

    multiplier: int
    shift: int


@dataclass(frozen=True, slots=True)
class Activation:
    """What happens between scaling and storing.

    Attributes:
        slot: of the lookup table, of 256 bytes each.
        index_dtype: the type whose range limits the value before a table lookup.
    """

    function: Function
    slot: int
    minimum: int
    maximum: int
    index_dtype: np.dtype[np.generic]

    @property
    def table(self) -> int | None:
        """Where its table begins, in bytes behind the first one; None where nothing is looked up."""
        return TABLE_SLOT_BYTES * self.slot if self.function in _BY_TABLE else None


class AddressRange(NamedTuple):
    """Bytes in a region."""

    region: int
    address: int
    length: int


class Access(NamedTuple):
    """Bytes that an operation reads or writes, each counted once.

    Attributes:
        region: region number; None is the NPU's own memory, which no port leads to.
        size: bytes.
    """

    region: int | None
    size: int


class Place(NamedTuple):
    """Where something begins that an operation reads or writes.

    Attributes:
        name: ``ifm``, ``weights``, ``ofm`` and so on; several of one kind are counted from 0.
        region: region number; None is the NPU's own memory, where the address says nothing outside.
        address: offset in the region, bytes.
    """

    name: str
    region: int | None
    address: int


@dataclass(frozen=True, slots=True)
class Operation(ABC):
    """What all operations have, and what each kind of them knows about itself.

    Attributes:
        index: number of the operation in the stream, from 0 (kernels and DMA).
        command: name of the command that starts it.
        offset: byte offset of that command in the stream.
    """

    index: int
    command: str
    offset: int

    @property
    @abstractmethod
    def label(self) -> str:
        """Its kind in statistics: ``CONV``, ``POOL.MAX``."""

    @property
    @abstractmethod
    def macs(self) -> int:
        """Multiply-accumulates of the nominal kernel."""

    @property
    @abstractmethod
    def reads(self) -> tuple[Access, ...]:
        """What it reads."""

    @property
    @abstractmethod
    def writes(self) -> tuple[Access, ...]:
        """What it writes."""

    @property
    @abstractmethod
    def places(self) -> tuple[Place, ...]:
        """Where what it reads begins, then where what it writes does."""


@dataclass(frozen=True, slots=True)
class BlockOperation(Operation):
    """What all operations that produce an OFM, block by block, have.

    Attributes:
        activation: function, clamp and table.
        scale: OFM_SCALE where OFM_PRECISION selects it, else None.
        block: OFM block height, width, depth.
        kernel: geometry of the window that an output is computed from; :data:`POINT` without one.
        padding: around the IFM.
        upscale: of the IFM.
    """

    ifm: FeatureMap
    ofm: FeatureMap
    activation: Activation
    rounding: Rounding
    scale: Scale | None
    block: tuple[int, int, int]
    kernel: Kernel
    padding: Padding
    upscale: Upscale

    @property
    @abstractmethod
    def by_channel(self) -> bool:
        """Whether a channel of the OFM depends on the same channel of the inputs alone."""

    @property
    def applied_scale(self) -> Scale | None:
        """What of OFM_SCALE applies."""
        return self.scale

    @property
    def inputs(self) -> tuple[FeatureMap, ...]:
        """The feature maps that are read."""
        return (self.ifm,)

    @property
    def finishes(self) -> bool:
        """Whether it computes its OFM; a convolution of U85 may leave sums that another one goes on with."""
        return True

    @property
    def stores(self) -> bool:
        """Whether its OFM is in memory afterwards: on U85 it may stay inside the NPU."""
        return self.finishes and self.ofm.chain is None

    @property
    def chained(self) -> bool:
        """Whether it goes on with what the operation before it left inside the NPU (on U85)."""
        return any(fm.chain is not None for fm in self.inputs)

    @property
    def streams(self) -> tuple[AddressRange, ...]:
        """What is read beside feature maps: weights, biases, scales."""
        return ()

    @property
    def reads(self) -> tuple[Access, ...]:
        """All inputs and streams."""
        maps = (_access(fm) for fm in self.inputs)
        return (*maps, *(Access(part.region, part.length) for part in self.streams))

    @property
    def writes(self) -> tuple[Access, ...]:
        """The OFM."""
        return (_access(self.ofm),) if self.stores else ()

    @property
    def places(self) -> tuple[Place, ...]:
        """The inputs' first tiles, the streams, the OFM's first tile."""
        inputs = zip(("ifm", "ifm2"), self.inputs, strict=False)
        return (
            *(_place(name, fm) for name, fm in inputs),
            *self._stream_places,
            *((_place("ofm", self.ofm),) if self.stores else ()),
        )

    @property
    def _stream_places(self) -> tuple[Place, ...]:
        return ()


def numbered_places(name: str, ranges: tuple[AddressRange, ...]) -> tuple[Place, ...]:
    """The places of several of one kind."""
    return tuple(
        Place(f"{name}{number}" if len(ranges) > 1 else name, each.region, each.address)
        for number, each in enumerate(ranges)
    )


def _place(name: str, fm: FeatureMap) -> Place:
    return Place(name, None if fm.chain is not None else fm.region, fm.bases[0])


def _access(fm: FeatureMap) -> Access:
    return Access(None if fm.chain is not None else fm.region, fm.nbytes)
