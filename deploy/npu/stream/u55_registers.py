"""The registers that a command stream for Ethos-U55 or U65 sets, read as what they mean.

Registers keep their values between operations; a register that an operation needs but that the stream never
set is an error, because its value on hardware would be whatever an earlier stream left there.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from deploy.hardware.designs import Design
from deploy.npu.bounds import MAX_KERNEL
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command
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


class RegisterValues:
    """The register values at one point of the stream."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._values: dict[IntEnum, tuple[int, int]] = {}

    def set(self, command: Command) -> None:
        """Take over what a command sets."""
        self._values[command.code] = (command.parameter, command.payload)

    # Plain reads

    def raw(self, code: Cmd0 | Cmd1) -> tuple[int, int]:
        """Parameter and payload of a register, as they were set."""
        try:
            return self._values[code]
        except KeyError:
            raise StreamError(f"{code.name} was never set") from None

    def u16(self, code: Cmd0, limit: int = 0xFFFF) -> int:
        """An unsigned parameter."""
        value = self.raw(code)[0]
        if value > limit:
            raise StreamError("register out of range", parameters={code.name: value, "maximum": limit})
        return value

    def s16(self, code: Cmd0) -> int:
        """A signed parameter."""
        value = self.raw(code)[0]
        return value - 0x10000 if value & 0x8000 else value

    def address(self, code: Cmd1) -> int:
        """An address or a length of up to 48 bits."""
        high, low = self.raw(code)
        return low | high << 32

    def stride(self, code: Cmd1) -> int:
        """Strides are signed 40-bit numbers (measured: negative ones occur)."""
        value = self.address(code) & 0xFF_FFFF_FFFF
        return value - (1 << 40) if value & 1 << 39 else value

    def scale(self, code: Cmd1) -> Scale:
        """A multiplier with its shift."""
        shift, multiplier = self.raw(code)
        return Scale(multiplier, shift & 0x3F)

    # Groups of registers

    def feature_map(self, which: str, height: int, width: int, depth: int) -> FeatureMap:
        """The feature map ``IFM``, ``IFM2`` or ``OFM`` of the given extents."""

        def cmd0(name: str) -> Cmd0:
            return Cmd0[f"NPU_SET_{which}_{name}"]

        def cmd1(name: str) -> Cmd1:
            return Cmd1[f"NPU_SET_{which}_{name}"]

        precision = self.raw(cmd0("PRECISION"))[0]
        size = precision >> 1 & 3 if which == "OFM" else precision >> 2 & 3
        dtype = _DTYPES.get((size, precision & 1))
        if dtype is None:
            raise UnsupportedError(
                f"{which} element size {size}", parameters={cmd0("PRECISION").name: hex(precision)}
            )
        return FeatureMap(
            region=self.u16(cmd0("REGION"), 7),
            bases=tuple(self.address(cmd1(f"BASE{tile}")) for tile in range(4)),
            height0=self.u16(cmd0("HEIGHT0_M1")) + 1,
            height1=self.u16(cmd0("HEIGHT1_M1")) + 1,
            width0=self.u16(cmd0("WIDTH0_M1")) + 1,
            height=height,
            width=width,
            depth=depth,
            stride_y=self.stride(cmd1("STRIDE_Y")),
            stride_x=self.stride(cmd1("STRIDE_X")),
            stride_c=self.stride(cmd1("STRIDE_C")),
            zero_point=self.s16(cmd0("ZERO_POINT")),
            dtype=dtype,
            bricks=bool(precision & 1 << 6),
        )

    def input_map(self, which: str, height: int, width: int, depth: int) -> FeatureMap:
        """The feature map ``IFM`` or ``IFM2``, whose zero point must be one of its elements' values.

        What hardware makes of another one is not known, and sums of such differences would not be exact here.
        """
        found = self.feature_map(which, height, width, depth)
        limits = np.iinfo(found.dtype.str)
        if not limits.min <= found.zero_point <= limits.max:
            raise UnsupportedError(
                f"a zero point outside the {which}'s type",
                parameters={f"NPU_SET_{which}_ZERO_POINT": found.zero_point, "type": found.dtype},
            )
        return found

    def ofm(self) -> FeatureMap:
        """The OFM; its extents are in registers."""
        return self.feature_map(
            "OFM",
            self.u16(Cmd0.NPU_SET_OFM_HEIGHT_M1) + 1,
            self.u16(Cmd0.NPU_SET_OFM_WIDTH_M1) + 1,
            self.u16(Cmd0.NPU_SET_OFM_DEPTH_M1) + 1,
        )

    def ifm_of_kernel(self, ofm: FeatureMap, kernel: Kernel, padding: Padding, upscale: Upscale) -> FeatureMap:
        """The IFM's height and width are in no register: they are what the kernel reads for the OFM."""
        height = (ofm.height - 1) * kernel.stride_y + kernel.extent_y - padding.top - padding.bottom
        width = (ofm.width - 1) * kernel.stride_x + kernel.extent_x - padding.left - padding.right
        if height < 1 or width < 1:
            raise StreamError("the padding covers the whole IFM", parameters={"height": height, "width": width})
        if upscale is not Upscale.NONE:
            height, width = (height + 1) // 2, (width + 1) // 2
        depth = self.u16(Cmd0.NPU_SET_IFM_DEPTH_M1) + 1
        return self.input_map("IFM", height, width, depth)

    def kernel(self) -> Kernel:
        """KERNEL_HEIGHT_M1, KERNEL_WIDTH_M1 and KERNEL_STRIDE."""
        bits = self.u16(Cmd0.NPU_SET_KERNEL_STRIDE)
        if bits & 0x20:
            raise UnsupportedError("kernel decomposition", parameters={"NPU_SET_KERNEL_STRIDE": hex(bits)})
        dilation_x, dilation_y = (bits >> 3 & 1) + 1, (bits >> 4 & 1) + 1
        height = self.u16(Cmd0.NPU_SET_KERNEL_HEIGHT_M1) // dilation_y + 1
        width = self.u16(Cmd0.NPU_SET_KERNEL_WIDTH_M1) // dilation_x + 1
        if height * width > MAX_KERNEL:
            raise StreamError("the kernel is too large", parameters={"height": height, "width": width})
        return Kernel(
            height=height,
            width=width,
            stride_y=(bits >> 1 & 1 | (bits >> 9 & 1) << 1) + 1,
            stride_x=(bits & 1 | (bits >> 6 & 1) << 1) + 1,
            dilation_y=dilation_y,
            dilation_x=dilation_x,
            part_kernel_first=bool(bits >> 2 & 1),
        )

    def padding(self) -> Padding:
        """The IFM_PAD registers."""
        return Padding(
            self.u16(Cmd0.NPU_SET_IFM_PAD_TOP),
            self.u16(Cmd0.NPU_SET_IFM_PAD_LEFT),
            self.u16(Cmd0.NPU_SET_IFM_PAD_BOTTOM),
            self.u16(Cmd0.NPU_SET_IFM_PAD_RIGHT),
        )

    def upscale(self) -> Upscale:
        """IFM_UPSCALE."""
        return Upscale(self.u16(Cmd0.NPU_SET_IFM_UPSCALE, 2))

    def rounding(self) -> Rounding:
        """The rounding mode of OFM_PRECISION."""
        mode = self.raw(Cmd0.NPU_SET_OFM_PRECISION)[0] >> 14
        if mode == 3:
            raise UnsupportedError("rounding mode 3")
        return Rounding(mode)

    def ofm_scale(self) -> Scale | None:
        """OFM_SCALE if OFM_PRECISION selects it."""
        if self.raw(Cmd0.NPU_SET_OFM_PRECISION)[0] & 1 << 8:
            return self.scale(Cmd1.NPU_SET_OFM_SCALE)
        return None

    def scaled_operand(self) -> int:
        """Which operand of an addition is scaled with 32 bits (IFM_PRECISION bits 9:8): 0 none, 1 A, 2 B."""
        precision = self.raw(Cmd0.NPU_SET_IFM_PRECISION)[0]
        mode, rounding = precision >> 8 & 3, precision >> 14
        # The rounding of a 32-bit scaled operand; Vela only ever selects TFL, the others were not seen.
        if mode == 3 or (mode and rounding != Rounding.TFL):
            raise UnsupportedError(
                "operand scale mode or rounding", parameters={"NPU_SET_IFM_PRECISION": hex(precision)}
            )
        return mode

    def activation(self, ofm: FeatureMap) -> Activation:
        """ACTIVATION with its clamp."""
        bits = self.u16(Cmd0.NPU_SET_ACTIVATION)
        number, clip = bits & 0x1F, bits >> 12 & 7
        if 16 <= number <= 23:
            function, slot = Function.LUT, number - 16
        elif number in (Function.NONE, Function.TANH, Function.SIGMOID):
            function, slot = Function(number), 0
        else:
            raise UnsupportedError("activation function", parameters={"NPU_SET_ACTIVATION": hex(bits)})
        if clip and clip not in _CLIP_RANGES:
            raise UnsupportedError("activation clip range", parameters={"NPU_SET_ACTIVATION": hex(bits)})
        minimum = self.s16(Cmd0.NPU_SET_ACTIVATION_MIN)
        maximum = self.s16(Cmd0.NPU_SET_ACTIVATION_MAX)
        if minimum > maximum:
            raise StreamError("the activation clamp is empty", parameters={"minimum": minimum, "maximum": maximum})
        return Activation(
            function=function,
            slot=slot,
            minimum=minimum,
            maximum=maximum,
            index_dtype=_CLIP_RANGES[clip] if clip else ofm.dtype,
        )

    def common(self, command: Command, index: int, ofm: FeatureMap) -> dict[str, Any]:
        """What is read alike for all block operations, by the names of :class:`BlockOperation`'s fields."""
        return {
            "index": index,
            "command": command.code.name,
            "offset": command.offset,
            "ofm": ofm,
            "activation": self.activation(ofm),
            "rounding": self.rounding(),
            "scale": self.ofm_scale(),
            "block": self.block(),
        }

    def block(self) -> tuple[int, int, int]:
        """Height, width and depth of the OFM block."""
        return (
            self.u16(Cmd0.NPU_SET_OFM_BLK_HEIGHT_M1) + 1,
            self.u16(Cmd0.NPU_SET_OFM_BLK_WIDTH_M1) + 1,
            self.u16(Cmd0.NPU_SET_OFM_BLK_DEPTH_M1) + 1,
        )

    def cores(self) -> int:
        """How many cores share the work."""
        if self._design.cores > 1 and self.u16(Cmd0.NPU_SET_PARALLEL_MODE, 1):
            return 2
        return 1

    def core_ranges(
        self, region: Cmd0, registers: Sequence[tuple[Cmd1, Cmd1]], cores: int
    ) -> tuple[AddressRange, ...]:
        """The stream of each core, from pairs of base and length registers."""
        number = self.u16(region, 7)
        return tuple(
            AddressRange(number, self.address(base), self.address(length)) for base, length in registers[:cores]
        )
