"""Immutable descriptions of operations: everything the registers said when ``NPU_OP_*`` was reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Rounding(IntEnum):
    """OFM_PRECISION bits 15:14."""

    TFL = 0
    TRUNCATE = 1
    NATURAL = 2


class Upscale(IntEnum):
    """IFM_UPSCALE."""

    NONE = 0
    NEAREST = 1
    TRANSPOSE = 2


class PoolingMode(IntEnum):
    """Parameter of NPU_OP_POOL."""

    MAX = 0
    AVERAGE = 1
    REDUCE_SUM = 2


class ElementwiseMode(IntEnum):
    """Parameter of NPU_OP_ELEMENTWISE."""

    MUL = 0
    ADD = 1
    SUB = 2
    MIN = 3
    MAX = 4
    LRELU = 5
    ABS = 6
    CLZ = 7
    SHR = 8
    SHL = 9

    @property
    def unary(self) -> bool:
        """Whether the operation has no second operand."""
        return self in (ElementwiseMode.LRELU, ElementwiseMode.ABS, ElementwiseMode.CLZ)


class OperandScaling(IntEnum):
    """IFM_PRECISION bits 9:8: which operand of an addition is scaled with 32 bits."""

    BOTH_16 = 0
    A_32 = 1
    B_32 = 2


class Function(IntEnum):
    """ACTIVATION bits 4:0; LUT stands for 16 to 23."""

    NONE = 0
    TANH = 3
    SIGMOID = 4
    LUT = 16


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """Where a feature map lies and how its numbers are to be read.

    Attributes:
        region: region number.
        bases: offsets of the four tiles in the region, bytes.
        height0: rows in tile 0, the rest lies in tile 2.
        height1: rows in tile 1, the rest lies in tile 3.
        width0: columns in tiles 0 and 2, the rest lies in tiles 1 and 3.
        height: rows.
        width: columns.
        depth: channels.
        stride_y: bytes from row to row.
        stride_x: bytes from column to column.
        stride_c: bytes from brick to brick (NHCWB16 only).
        zero_point: subtracted from an input, added to an output.
        dtype: element type.
        bricks: NHCWB16 (bricks of 16 channels) instead of NHWC.
    """

    region: int
    bases: tuple[int, int, int, int]
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

    @property
    def elements(self) -> int:
        """Number of elements."""
        return self.height * self.width * self.depth

    @property
    def nbytes(self) -> int:
        """Size of all elements, without what lies between them."""
        return self.elements * self.dtype.itemsize


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


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiply, then shift right with rounding."""

    multiplier: int
    shift: int


@dataclass(frozen=True, slots=True)
class Activation:
    """What happens between scaling and storing.

    Attributes:
        function: none, tanh, sigmoid or a table.
        slot: lookup table slot (256 bytes each) for Function.LUT.
        minimum: ACTIVATION_MIN.
        maximum: ACTIVATION_MAX.
        index_dtype: the type whose range limits the value before a table lookup.
    """

    function: Function
    slot: int
    minimum: int
    maximum: int
    index_dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Bytes in a region."""

    region: int
    address: int
    length: int


@dataclass(frozen=True, slots=True)
class Operation:
    """What all operations have.

    Attributes:
        index: number of the operation in the stream, from 0 (kernels and DMA).
        command: name of the command that starts it.
        offset: byte offset of that command in the stream.
    """

    index: int
    command: str
    offset: int


@dataclass(frozen=True, slots=True)
class DmaOperation(Operation):
    """A copy of ``length`` bytes. A region of None is the internal SHRAM."""

    source_region: int | None
    source: int
    destination_region: int | None
    destination: int
    length: int


@dataclass(frozen=True, slots=True)
class BlockOperation(Operation):
    """What all operations that produce an OFM have.

    Attributes:
        ifm: first input.
        ofm: output.
        activation: function, clamp and table.
        rounding: how results are rounded.
        scale: OFM_SCALE where OFM_PRECISION selects it, else None.
        block: OFM block height, width, depth.
    """

    ifm: FeatureMap
    ofm: FeatureMap
    activation: Activation
    rounding: Rounding
    scale: Scale | None
    block: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ConvolutionOperation(BlockOperation):
    """NPU_OP_CONV or NPU_OP_DEPTHWISE.

    Attributes:
        depthwise: NPU_OP_DEPTHWISE.
        kernel: geometry.
        padding: around the IFM.
        upscale: of the IFM.
        cores: how many cores share the output channels (core k computes channels ``k::cores``).
        weights: weight stream of each core that has a channel to compute.
        scales: scale records of each such core.
    """

    depthwise: bool
    kernel: Kernel
    padding: Padding
    upscale: Upscale
    cores: int
    weights: tuple[AddressRange, ...]
    scales: tuple[AddressRange, ...]


@dataclass(frozen=True, slots=True)
class PoolingOperation(BlockOperation):
    """NPU_OP_POOL."""

    mode: PoolingMode
    kernel: Kernel
    padding: Padding
    upscale: Upscale


@dataclass(frozen=True, slots=True)
class ElementwiseOperation(BlockOperation):
    """NPU_OP_ELEMENTWISE.

    Attributes:
        mode: what is computed.
        ifm2: second input with its broadcast extents (1 where it is repeated); None for a scalar or none.
        scalar: second operand when it is a constant, zero point already subtracted; else None.
        reversed_operands: the second input is the first operand.
        operand_scaling: see :class:`OperandScaling`.
        operand_a: OPA_SCALE.
        operand_b: OPB_SCALE (multiplier only).
    """

    mode: ElementwiseMode
    ifm2: FeatureMap | None
    scalar: int | None
    reversed_operands: bool
    operand_scaling: OperandScaling
    operand_a: Scale
    operand_b: int
