"""The registers that a command stream for Ethos-U85 sets, read as what they mean.

Fields: Vela 5.2.0's source package, ``regor/architecture/ethosu85/ethos_u85_interface.hpp``; what is written into
them: ``ethos_u85_register_cs_generator.cpp`` beside it. What no compiled network has asked for yet is refused.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from deploy.hardware.designs import Three, U85Design
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.operations import (
    TABLE_SLOT_BYTES,
    Activation,
    FeatureMap,
    Function,
    Rounding,
    Scale,
    Upscale,
)
from deploy.npu.stream.register_values import RegisterValues, checked_input, limits
from deploy.npu.stream.u85_commands import Cmd0, Cmd1

_DTYPES: dict[tuple[int, int], np.dtype[np.generic]] = {
    (0, 0): np.dtype("u1"),
    (0, 1): np.dtype("i1"),
    (1, 1): np.dtype("<i2"),
    (2, 1): np.dtype("<i4"),
    (3, 1): np.dtype("<i8"),
}
_ROUNDINGS = {0: Rounding.TFL, 1: Rounding.NATURAL, 3: Rounding.SYMMETRIC, 5: Rounding.DOWN}
_AXES: dict[int, Three] = {
    0: (0, 1, 2),
    1: (1, 0, 2),
    2: (0, 2, 1),
    3: (1, 2, 0),
    6: (2, 0, 1),
    7: (2, 1, 0),
}
"""Bits 13:11 of OFM_PRECISION: HWC, WHC, HCW, WCH, CHW, CWH."""
# Bits 4:0 of ACTIVATION: function, type of the index, type of the result, bytes of a table.
_FUNCTIONS: dict[int, tuple[Function, str, str, int]] = {
    4: (Function.LUT, "i1", "i1", 256),
    7: (Function.LUT, "i1", "<i4", 1024),
    8: (Function.LUT, "<i2", "<i2", 2048),
    10: (Function.TANH_BY_TABLE, "<i2", "<i2", 2048),
    11: (Function.SIGMOID_BY_TABLE, "<i2", "<i2", 2048),
}
_UBLOCKS = {0: (1, 1), 1: (1, 2), 2: (1, 4), 3: (2, 2), 4: (2, 4), 5: (4, 4)}
"""Bits 10:8 of ACC_FORMAT: height and width of the unit of work."""
_ZERO_POINTS = {which: Cmd0[f"NPU_SET_{which}_ZERO_POINT"] for which in ("IFM", "IFM2", "OFM")}


class _Storage(IntEnum):
    """Bits 15:14 of a PRECISION register."""

    TILES = 0
    TILES_3X1 = 1
    CHAINED = 2
    NONE = 3


class Start(IntEnum):
    """Bits 5:4 of ACC_FORMAT: what the accumulators of an operation start from."""

    ZERO = 0
    KEPT = 1
    IFM2 = 2


@dataclass(frozen=True, slots=True)
class Accumulators:
    """ACC_FORMAT.

    Attributes:
        bits: 32 or 48.
        stored: whether there is an OFM; else they are kept for the next operation.
        ublock: unit of work: height, width, depth.
    """

    bits: int
    start: Start
    stored: bool
    ublock: Three


@dataclass(frozen=True, slots=True)
class OperandScale:
    """IFM_SCALE or IFM2_SCALE: how an operand of an elementwise operation is scaled before it.

    Attributes:
        rounding: TFL or NATURAL.
        widened: bits by which the multiplier was widened: TFL's first rounding is that many bits lower (DBL_RND).
    """

    multiplier: int
    shift: int
    rounding: Rounding
    widened: int

    @property
    def first_half(self) -> int:
        """What TFL's first rounding adds, away from zero; 0 where there is none.

        It is at the bit above which the multiplier was not widened, as in TFLite's kernels, whose left shift of
        the operand it stands for.
        """
        twice = self.rounding is Rounding.TFL and self.shift > 31 - self.widened
        return 1 << max(30 - self.widened, 0) if twice else 0


class U85RegisterValues(RegisterValues):
    """The register values at one point of the stream."""

    def __init__(self, design: U85Design) -> None:
        super().__init__()
        self.design = design
        self._ublocks = design.ofm_ublocks

    # Feature maps

    def is_scalar(self, which: str) -> bool:
        """Whether an operand is the constant in OP_SCALAR."""
        scalar = bool(self.parameter(f"NPU_SET_{which}_BROADCAST") & 8)
        precision = self._precision(which)
        if scalar is not (precision >> 14 == _Storage.NONE):
            raise StreamError(
                "a scalar in memory, or a feature map nowhere", parameters={f"{which}_PRECISION": hex(precision)}
            )
        return scalar

    def scalar(self) -> int:
        """OP_SCALAR."""
        value = self.raw(Cmd1.NPU_SET_OP_SCALAR)[1]
        return value - (1 << 32) if value & 1 << 31 else value

    def zero_point(self, which: str) -> int:
        """What is subtracted from an input, or added to an output."""
        return self.s16(_ZERO_POINTS[which])

    def dtype(self, which: str, *, wide: bool = False) -> np.dtype[np.generic]:
        """The type of a feature map's elements; of 64 bits only where it is wide."""
        precision = self._precision(which)
        size = precision >> 1 & 3 if which == "OFM" else precision >> 2 & 3
        dtype = _DTYPES.get((size, precision & 1))
        if dtype is None or (dtype.itemsize == 8 and not wide):
            raise UnsupportedError(
                f"{which} elements of {8 << size} bits",
                parameters={f"NPU_SET_{which}_PRECISION": hex(precision), "signed": precision & 1},
            )
        return dtype

    def _precision(self, which: str) -> int:
        return self.named(f"NPU_SET_{which}_PRECISION")[0]

    def feature_map(self, which: str, extents: Three, *, wide: bool = False) -> FeatureMap:
        """The feature map ``IFM``, ``IFM2`` or ``OFM`` of the given extents."""
        dtype, precision = self.dtype(which, wide=wide), self._precision(which)
        zero_point, storage = self.zero_point(which), precision >> 14
        layout = precision >> 6 & 3
        if layout > 1 or storage == _Storage.TILES_3X1 or (storage == _Storage.NONE and which != "OFM"):
            raise UnsupportedError(
                f"the layout of the {which}", parameters={f"NPU_SET_{which}_PRECISION": hex(precision)}
            )
        if storage == _Storage.CHAINED:
            return self._chained(which, extents, dtype, zero_point)
        return self.placed(which, extents, dtype, zero_point, bricks=bool(layout))

    def _chained(self, which: str, extents: Three, dtype: np.dtype[np.generic], zero_point: int) -> FeatureMap:
        height, width, depth = extents
        size = dtype.itemsize
        return FeatureMap(
            region=0,
            bases=(0, 0, 0, 0),
            height0=height,
            height1=height,
            width0=width,
            height=height,
            width=width,
            depth=depth,
            stride_y=width * depth * size,
            stride_x=depth * size,
            stride_c=size,
            zero_point=zero_point,
            dtype=dtype,
            bricks=False,
            chain=self.parameter(f"NPU_SET_{which}_REGION", 7),
        )

    def input_map(self, which: str, extents: Three, *, wide: bool = False) -> FeatureMap:
        """The feature map ``IFM`` or ``IFM2``, whose zero point must be one of its elements' values."""
        return checked_input(self.feature_map(which, extents, wide=wide), which)

    def ofm(self, *, wide: bool = False) -> FeatureMap:
        """The OFM; its extents, before it is transposed, are in registers."""
        found = self.feature_map("OFM", self.ofm_extents(), wide=wide)
        precision = self._precision("OFM")
        axes, reverse = _AXES.get(precision >> 11 & 7), precision >> 9 & 3
        if axes is None or (axes != _AXES[0]) + bool(reverse) + (found.chain is not None) > 1:
            raise UnsupportedError(
                "how the OFM is transposed, reversed and kept",
                parameters={"NPU_SET_OFM_PRECISION": hex(precision)},
            )
        if axes == _AXES[0] and not reverse:
            return found
        return found._replace(axes=axes, reversed_axis=reverse - 1 if reverse else None)

    def refuse_upscaling(self) -> None:
        """Vela has other ways to enlarge an IFM of U85.

        Raises:
            UnsupportedError: IFM_UPSCALE asks for it.
        """
        if self.upscale() is not Upscale.NONE:
            raise UnsupportedError("upscaling", parameters={"NPU_SET_IFM_UPSCALE": self.upscale()})

    def ifm_depth(self) -> int:
        """IFM_DEPTH_M1; where the channels of the OFM are those of the IFM it is not to be looked at."""
        return self.u16(Cmd0.NPU_SET_IFM_DEPTH_M1) + 1

    # Scaling

    def rounding(self) -> Rounding:
        """The rounding mode of OFM_SCALE, which holds for the scales of channels, too."""
        bits = self.raw(Cmd1.NPU_SET_OFM_SCALE)[0]
        if bits >> 13 not in _ROUNDINGS or bits >> 6 & 0x1F:
            raise UnsupportedError("rounding of OFM_SCALE", parameters={"NPU_SET_OFM_SCALE": hex(bits)})
        return _ROUNDINGS[bits >> 13]

    def ofm_scale(self) -> Scale | None:
        """OFM_SCALE if OFM_PRECISION selects it; else channels have scales of their own."""
        if not self._precision("OFM") & 1 << 8:
            return None
        bits, multiplier = self._scale(Cmd1.NPU_SET_OFM_SCALE)
        return Scale(multiplier, bits & 0x3F)

    def operand_scale(self, which: str) -> OperandScale:
        """``IFM_SCALE`` or ``IFM2_SCALE``."""
        bits, multiplier = self._scale(Cmd1[f"NPU_SET_{which}_SCALE"])
        rounding = Rounding.NATURAL if bits >> 13 & 1 else Rounding.TFL
        return OperandScale(multiplier, bits & 0x3F, rounding, bits >> 6 & 0x1F)

    def _scale(self, code: Cmd1) -> tuple[int, int]:
        bits, multiplier = self.raw(code)
        if multiplier >> 31:
            raise StreamError("a multiplier of more than 31 bits", parameters={code.name: multiplier})
        return bits, multiplier

    # The rest

    def activation(self, ofm: FeatureMap) -> Activation:
        """ACTIVATION with its clamp."""
        bits = self.u16(Cmd0.NPU_SET_ACTIVATION)
        clamp = None
        if not bits >> 12 & 1:
            clamp = self.s16(Cmd0.NPU_SET_ACTIVATION_MIN), self.s16(Cmd0.NPU_SET_ACTIVATION_MAX)
        return _activation(bits, clamp, ofm.dtype, ofm.zero_point)

    def accumulators(self) -> Accumulators:
        """ACC_FORMAT."""
        return _accumulators(self.u16(Cmd0.NPU_SET_ACC_FORMAT), self._ublocks)


@functools.lru_cache(maxsize=256)
def _activation(
    bits: int, clamp: tuple[int, int] | None, ofm: np.dtype[np.generic], zero_point: int
) -> Activation:
    """Of ACTIVATION's bits and what it clamps to, for an OFM's type and zero point."""
    number, table = bits & 0x1F, bits >> 5 & 7
    function, index, result, table_bytes = Function.NONE, ofm.str, ofm.str, 0
    if number:
        if number not in _FUNCTIONS:
            raise UnsupportedError("activation function", parameters={"NPU_SET_ACTIVATION": hex(bits)})
        function, index, result, table_bytes = _FUNCTIONS[number]
    if np.dtype(result) != ofm:
        raise UnsupportedError(
            "a table for another type than the OFM's", parameters={"NPU_SET_ACTIVATION": hex(bits), "OFM": ofm}
        )
    dtype = np.dtype(index)
    if dtype.itemsize >= 4 and zero_point:
        raise UnsupportedError(
            "an OFM of 32 bits or more with a zero point", parameters={"NPU_SET_OFM_ZERO_POINT": zero_point}
        )
    if clamp is not None and dtype.itemsize >= 4:
        raise UnsupportedError("a clamp of 32 bits or more", parameters={"NPU_SET_ACTIVATION": hex(bits)})
    minimum, maximum = limits(dtype) if clamp is None else clamp
    if minimum > maximum:
        raise StreamError("the activation clamp is empty", parameters={"minimum": minimum, "maximum": maximum})
    return Activation(
        function=function,
        slot=table * (table_bytes // TABLE_SLOT_BYTES),
        minimum=minimum,
        maximum=maximum,
        index_dtype=dtype,
    )


@functools.lru_cache(maxsize=256)
def _accumulators(bits: int, ublocks: tuple[Three, ...]) -> Accumulators:
    """Of ACC_FORMAT's bits, for an NPU with these units of work."""
    width, start, shape = bits & 3, bits >> 4 & 3, _UBLOCKS.get(bits >> 8 & 7)
    ublock = next((found for found in ublocks if found[:2] == shape), None)
    if width > 1 or start > Start.IFM2 or ublock is None:
        raise UnsupportedError("accumulator format", parameters={"NPU_SET_ACC_FORMAT": hex(bits)})
    return Accumulators(48 if width else 32, Start(start), not bits >> 6 & 1, ublock)
