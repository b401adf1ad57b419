"""The registers that a command stream for Ethos-U55 or U65 sets, read as what they mean."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from deploy.hardware.designs import Design
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.operations import (
    Activation,
    AddressRange,
    FeatureMap,
    Function,
    Kernel,
    Padding,
    Rounding,
    Scale,
    Upscale,
)
from deploy.npu.stream.register_values import Group, RegisterValues, checked_input, extents_read
from deploy.npu.stream.u55_commands import Cmd0, Cmd1

_DTYPES: dict[tuple[int, int], np.dtype[np.generic]] = {
    (0, 0): np.dtype("u1"),
    (0, 1): np.dtype("i1"),
    (1, 0): np.dtype("<u2"),
    (1, 1): np.dtype("<i2"),
    (2, 0): np.dtype("<u4"),
    (2, 1): np.dtype("<i4"),
}
# ACTIVATION bits 14:12 (source: Vela 5.2.0, names of ACTIVATION_CLIP_RANGE); 0 takes the OFM's type.
_CLIP_RANGES: dict[int, np.dtype[np.generic]] = {2: np.dtype("u1"), 3: np.dtype("i1"), 5: np.dtype("<i2")}
_MINIMUM, _MAXIMUM = Cmd0.NPU_SET_ACTIVATION_MIN, Cmd0.NPU_SET_ACTIVATION_MAX
_ZERO_POINTS = {which: Cmd0[f"NPU_SET_{which}_ZERO_POINT"] for which in ("IFM", "IFM2", "OFM")}
_FUNCTIONS = {int(function): function for function in (Function.NONE, Function.TANH, Function.SIGMOID)}
# OFM_PRECISION bits 15:14.
_ROUNDINGS = {0: Rounding.TFL, 1: Rounding.TRUNCATE, 2: Rounding.NATURAL}


class U55RegisterValues(RegisterValues):
    """The register values at one point of the stream."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self._design = design

    def scale(self, code: Cmd1) -> Scale:
        """A multiplier with its shift."""
        shift, multiplier = self.raw(code)
        return Scale(multiplier, shift & 0x3F)

    def feature_map(self, which: str, height: int, width: int, depth: int) -> FeatureMap:
        """The feature map ``IFM``, ``IFM2`` or ``OFM`` of the given extents."""
        name = f"NPU_SET_{which}_PRECISION"
        precision = self.parameter(name)
        size = precision >> 1 & 3 if which == "OFM" else precision >> 2 & 3
        dtype = _DTYPES.get((size, precision & 1))
        if dtype is None:
            raise UnsupportedError(f"{which} element size {size}", parameters={name: hex(precision)})
        zero_point = self.s16(_ZERO_POINTS[which])
        bricks = bool(precision & 1 << 6)
        # Without bricks the channels of these NPUs lie side by side, whatever STRIDE_C says.
        return self.placed(which, (height, width, depth), dtype, zero_point, bricks=bricks, packed=not bricks)

    def input_map(self, which: str, height: int, width: int, depth: int) -> FeatureMap:
        """The feature map ``IFM`` or ``IFM2``, whose zero point must be one of its elements' values."""
        return checked_input(self.feature_map(which, height, width, depth), which)

    def ofm(self) -> FeatureMap:
        """The OFM; its extents are in registers."""
        return self.feature_map("OFM", *self.ofm_extents())

    def ifm_of_kernel(self, ofm: FeatureMap, kernel: Kernel, padding: Padding, upscale: Upscale) -> FeatureMap:
        """The IFM that a kernel reads for the OFM."""
        height, width = extents_read(ofm, kernel, padding, upscale)
        return self.input_map("IFM", height, width, self.parameter("NPU_SET_IFM_DEPTH_M1") + 1)

    def rounding(self) -> Rounding:
        """The rounding mode of OFM_PRECISION."""
        mode = self.parameter("NPU_SET_OFM_PRECISION") >> 14
        if mode not in _ROUNDINGS:
            raise UnsupportedError(f"rounding mode {mode}")
        return _ROUNDINGS[mode]

    def ofm_scale(self) -> Scale | None:
        """OFM_SCALE if OFM_PRECISION selects it."""
        if self.parameter("NPU_SET_OFM_PRECISION") & 1 << 8:
            return self.scale(Cmd1.NPU_SET_OFM_SCALE)
        return None

    def scaled_operand(self) -> int:
        """Which operand of an addition is scaled with 32 bits (IFM_PRECISION bits 9:8): 0 none, 1 A, 2 B."""
        precision = self.parameter("NPU_SET_IFM_PRECISION")
        mode, rounding = precision >> 8 & 3, precision >> 14
        # The rounding of a 32-bit scaled operand; Vela only ever selects TFL, the others were not seen.
        if mode == 3 or (mode and rounding):
            raise UnsupportedError(
                "operand scale mode or rounding", parameters={"NPU_SET_IFM_PRECISION": hex(precision)}
            )
        return mode

    def activation(self, ofm: FeatureMap) -> Activation:
        """ACTIVATION with its clamp."""
        return _activation(
            self.parameter("NPU_SET_ACTIVATION"),
            self.s16(_MINIMUM),
            self.s16(_MAXIMUM),
            ofm.dtype,
        )

    def cores(self) -> int:
        """How many cores share the work."""
        if self._design.cores > 1 and self.u16(Cmd0.NPU_SET_PARALLEL_MODE, 1):
            return 2
        return 1

    def core_ranges(self, registers: Sequence[Group], cores: int) -> tuple[AddressRange, ...]:
        """The stream of each core, from its region, base and length registers."""
        return tuple(map(self.range, registers[:cores]))


@functools.lru_cache(maxsize=256)
def _activation(bits: int, minimum: int, maximum: int, dtype: np.dtype[np.generic]) -> Activation:
    number, clip = bits & 0x1F, bits >> 12 & 7
    if 16 <= number <= 23:
        function, slot = Function.LUT, number - 16
    elif number in _FUNCTIONS:
        function, slot = _FUNCTIONS[number], 0
    else:
        raise UnsupportedError("activation function", parameters={"NPU_SET_ACTIVATION": hex(bits)})
    if clip and clip not in _CLIP_RANGES:
        raise UnsupportedError("activation clip range", parameters={"NPU_SET_ACTIVATION": hex(bits)})
    if minimum > maximum:
        raise StreamError("the activation clamp is empty", parameters={"minimum": minimum, "maximum": maximum})
    return Activation(
        function=function,
        slot=slot,
        minimum=minimum,
        maximum=maximum,
        index_dtype=_CLIP_RANGES[clip] if clip else dtype,
    )
