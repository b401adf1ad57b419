"""The registers that a command stream sets, read as what they mean, as far as the instruction sets agree.

Registers keep their values between operations; a register that an operation needs but that the stream never
set is an error, because its value on hardware would be whatever an earlier stream left there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import IntEnum
from operator import itemgetter
from typing import Any

import numpy as np

from deploy.npu.bounds import MAX_KERNEL
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command, Settings
from deploy.npu.stream.operations import (
    Activation,
    AddressRange,
    FeatureMap,
    Kernel,
    Padding,
    Rounding,
    Scale,
    Upscale,
)

Group = Callable[[Settings], tuple[tuple[int, int], ...]]
"""Gives parameter and payload of each register of a group at once: to ask for one after the other takes as long as
to make something of them."""


def group(*names: str) -> Group:
    """Registers that are read together, by their names without NPU_SET."""
    return itemgetter(*(f"NPU_SET_{name}" for name in names))


_PLACES = {
    which: group(
        *(f"{which}_{name}" for name in ("REGION", "BASE0", "BASE1", "BASE2", "BASE3")),
        *(f"{which}_{name}" for name in ("HEIGHT0_M1", "HEIGHT1_M1", "WIDTH0_M1")),
        *(f"{which}_{name}" for name in ("STRIDE_Y", "STRIDE_X", "STRIDE_C")),
    )
    for which in ("IFM", "IFM2", "OFM")
}
"""Where each feature map lies."""
_EXTENTS = group("OFM_HEIGHT_M1", "OFM_WIDTH_M1", "OFM_DEPTH_M1")
_KERNEL = group("KERNEL_STRIDE", "KERNEL_HEIGHT_M1", "KERNEL_WIDTH_M1")
_PADDING = group("IFM_PAD_TOP", "IFM_PAD_LEFT", "IFM_PAD_BOTTOM", "IFM_PAD_RIGHT")
_BLOCK = group("OFM_BLK_HEIGHT_M1", "OFM_BLK_WIDTH_M1", "OFM_BLK_DEPTH_M1")


class RegisterValues:
    """The register values at one point of the stream.

    Attributes:
        settings: what was set.
    """

    def __init__(self) -> None:
        self.settings: Settings = {}
        self._maps: dict[tuple[object, ...], FeatureMap] = {}  # what one writes others read: one object for all

    # Plain reads

    def group(self, wanted: Group) -> tuple[tuple[int, int], ...]:
        """Parameter and payload of each register of a group, as they were set."""
        try:
            return wanted(self.settings)
        except KeyError as error:
            raise StreamError(f"{error.args[0]} was never set") from None

    def named(self, name: str) -> tuple[int, int]:
        """Parameter and payload of the register that a command sets, by its name, as they were set."""
        try:
            return self.settings[name]
        except KeyError:
            raise StreamError(f"{name} was never set") from None

    def raw(self, code: IntEnum) -> tuple[int, int]:
        """The same by the command."""
        return self.named(code._name_)

    def parameter(self, name: str, limit: int = 0xFFFF) -> int:
        """An unsigned parameter, by its command's name."""
        value = self.named(name)[0]
        if value > limit:
            raise StreamError("register out of range", parameters={name: value, "maximum": limit})
        return value

    def u16(self, code: IntEnum, limit: int = 0xFFFF) -> int:
        """The same by the command."""
        return self.parameter(code._name_, limit)

    def s16(self, code: IntEnum) -> int:
        """A signed parameter."""
        value = self.named(code._name_)[0]
        return value - 0x10000 if value & 0x8000 else value

    def address(self, code: IntEnum) -> int:
        """An address or a length of up to 48 bits."""
        return address_of(self.named(code._name_))

    def stride(self, code: IntEnum) -> int:
        """A number of bytes from one to the next."""
        return _stride(self.named(code._name_))

    def range(self, wanted: Group) -> AddressRange:
        """A stream: its region, where it begins and how long it is."""
        (region, _), base, length = self.group(wanted)
        return AddressRange(region, address_of(base), address_of(length))

    # Groups of registers

    def placed(
        self,
        which: str,
        extents: tuple[int, int, int],
        dtype: np.dtype[np.generic],
        zero_point: int,
        *,
        bricks: bool,
        packed: bool = False,
    ) -> FeatureMap:
        """The feature map ``IFM``, ``IFM2`` or ``OFM``: where it lies, from its registers; the rest is given.

        Args:
            which: of the maps.
            extents: height, width and depth.
            dtype: of an element.
            zero_point: of the elements.
            bricks: whether it lies in bricks of channels.
            packed: whether channels lie side by side, whatever their stride says.
        """
        registers = self.group(_PLACES[which])
        key = (registers, extents, dtype.num, zero_point, bricks, packed)
        found = self._maps.get(key)
        if found is None:
            self.parameter(f"NPU_SET_{which}_REGION", 7)
            found = self._maps[key] = _placed(registers, extents, dtype, zero_point, bricks=bricks, packed=packed)
        return found

    def ofm_extents(self) -> tuple[int, int, int]:
        """Height, width and depth of the OFM."""
        return _from_minus_1(self.group(_EXTENTS))

    def kernel(self) -> Kernel:
        """KERNEL_HEIGHT_M1, KERNEL_WIDTH_M1 and KERNEL_STRIDE."""
        return _kernel(self.group(_KERNEL))

    def padding(self) -> Padding:
        """The IFM_PAD registers."""
        return _padding(self.group(_PADDING))

    def upscale(self) -> Upscale:
        """IFM_UPSCALE."""
        return _UPSCALES[self.parameter("NPU_SET_IFM_UPSCALE", 2)]

    def block(self) -> tuple[int, int, int]:
        """Height, width and depth of the OFM block."""
        return _from_minus_1(self.group(_BLOCK))

    def activation(self, ofm: FeatureMap) -> Activation:
        """What is applied to every element of the OFM."""
        raise NotImplementedError

    def rounding(self) -> Rounding:
        """How scaling rounds."""
        raise NotImplementedError

    def ofm_scale(self) -> Scale | None:
        """The scale of all elements; None where each channel has its own, or none is asked for."""
        raise NotImplementedError

    def common(self, command: Command, index: int, ofm: FeatureMap) -> dict[str, Any]:
        """What is read alike for all block operations, by the names of :class:`BlockOperation`'s fields."""
        return {
            "index": index,
            "command": command.code._name_,
            "offset": command.offset,
            "ofm": ofm,
            "activation": self.activation(ofm),
            "rounding": self.rounding(),
            "scale": self.ofm_scale(),
            "block": self.block(),
        }


_UPSCALES = tuple(Upscale)


def _from_minus_1(registers: tuple[tuple[int, int], ...]) -> tuple[int, int, int]:
    (height, _), (width, _), (depth, _) = registers
    return height + 1, width + 1, depth + 1


@functools.lru_cache(maxsize=256)
def _padding(registers: tuple[tuple[int, int], ...]) -> Padding:
    return Padding(*(pixels for pixels, _ in registers))


def _placed(
    registers: tuple[tuple[int, int], ...],
    extents: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    zero_point: int,
    *,
    bricks: bool,
    packed: bool,
) -> FeatureMap:
    region, base0, base1, base2, base3, height0, height1, width0, stride_y, stride_x, stride_c = registers
    height, width, depth = extents
    return FeatureMap(
        region=region[0],
        bases=(address_of(base0), address_of(base1), address_of(base2), address_of(base3)),
        height0=height0[0] + 1,
        height1=height1[0] + 1,
        width0=width0[0] + 1,
        height=height,
        width=width,
        depth=depth,
        stride_y=_stride(stride_y),
        stride_x=_stride(stride_x),
        stride_c=dtype.itemsize if packed else _stride(stride_c),
        zero_point=zero_point,
        dtype=dtype,
        bricks=bricks,
    )


def address_of(register: tuple[int, int]) -> int:
    """An address or a length of up to 48 bits, of parameter and payload."""
    return register[1] | register[0] << 32


def _stride(register: tuple[int, int]) -> int:
    """Strides are signed 40-bit numbers (measured: negative ones occur)."""
    value = (register[1] | register[0] << 32) & 0xFF_FFFF_FFFF
    return value - (1 << 40) if value & 1 << 39 else value


@functools.lru_cache(maxsize=256)
def _kernel(registers: tuple[tuple[int, int], ...]) -> Kernel:
    (bits, _), (height_m1, _), (width_m1, _) = registers
    if bits & 0x20:
        raise UnsupportedError("kernel decomposition", parameters={"NPU_SET_KERNEL_STRIDE": hex(bits)})
    dilation_x, dilation_y = (bits >> 3 & 1) + 1, (bits >> 4 & 1) + 1
    height, width = height_m1 // dilation_y + 1, width_m1 // dilation_x + 1
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


@functools.cache
def limits(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """The lowest and the highest element of a type."""
    limits = np.iinfo(dtype.str)
    return int(limits.min), int(limits.max)


def extents_read(ofm: FeatureMap, kernel: Kernel, padding: Padding, upscale: Upscale) -> tuple[int, int]:
    """Height and width of an IFM, which are in no register: they are what the kernel reads for the OFM.

    Raises:
        StreamError: nothing is left of it.
    """
    height = (ofm.height - 1) * kernel.stride_y + kernel.extent_y - padding.top - padding.bottom
    width = (ofm.width - 1) * kernel.stride_x + kernel.extent_x - padding.left - padding.right
    if height < 1 or width < 1:
        raise StreamError("the padding covers the whole IFM", parameters={"height": height, "width": width})
    if upscale is not Upscale.NONE:
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def checked_input(found: FeatureMap, which: str) -> FeatureMap:
    """A feature map that is read: its zero point must be one of its elements' values.

    What hardware makes of another one is not known, and sums of such differences would not be exact here.

    Raises:
        UnsupportedError: it is not.
    """
    lowest, highest = limits(found.dtype)
    if not lowest <= found.zero_point <= highest:
        raise UnsupportedError(
            f"a zero point outside the {which}'s type",
            parameters={f"NPU_SET_{which}_ZERO_POINT": found.zero_point, "type": found.dtype},
        )
    return found
