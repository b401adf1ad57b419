"""The command set: splits a stream of 32-bit words into commands.

Source: Vela 5.2.0, ``ethosu/vela/ethos_u55_regs/ethos_u55_regs.py`` (classes ``cmd0`` and ``cmd1``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import StreamError, UnsupportedError


class Cmd0(IntEnum):
    """Commands of one word: a 16-bit parameter."""

    NPU_OP_STOP = 0x000
    NPU_OP_IRQ = 0x001
    NPU_OP_CONV = 0x002
    NPU_OP_DEPTHWISE = 0x003
    NPU_OP_POOL = 0x005
    NPU_OP_ELEMENTWISE = 0x006
    NPU_OP_DMA_START = 0x010
    NPU_OP_DMA_WAIT = 0x011
    NPU_OP_KERNEL_WAIT = 0x012
    NPU_OP_PMU_MASK = 0x013
    NPU_SET_IFM_PAD_TOP = 0x100
    NPU_SET_IFM_PAD_LEFT = 0x101
    NPU_SET_IFM_PAD_RIGHT = 0x102
    NPU_SET_IFM_PAD_BOTTOM = 0x103
    NPU_SET_IFM_DEPTH_M1 = 0x104
    NPU_SET_IFM_PRECISION = 0x105
    NPU_SET_IFM_UPSCALE = 0x107
    NPU_SET_IFM_ZERO_POINT = 0x109
    NPU_SET_IFM_WIDTH0_M1 = 0x10A
    NPU_SET_IFM_HEIGHT0_M1 = 0x10B
    NPU_SET_IFM_HEIGHT1_M1 = 0x10C
    NPU_SET_IFM_IB_END = 0x10D
    NPU_SET_IFM_REGION = 0x10F
    NPU_SET_OFM_WIDTH_M1 = 0x111
    NPU_SET_OFM_HEIGHT_M1 = 0x112
    NPU_SET_OFM_DEPTH_M1 = 0x113
    NPU_SET_OFM_PRECISION = 0x114
    NPU_SET_OFM_BLK_WIDTH_M1 = 0x115
    NPU_SET_OFM_BLK_HEIGHT_M1 = 0x116
    NPU_SET_OFM_BLK_DEPTH_M1 = 0x117
    NPU_SET_OFM_ZERO_POINT = 0x118
    NPU_SET_OFM_WIDTH0_M1 = 0x11A
    NPU_SET_OFM_HEIGHT0_M1 = 0x11B
    NPU_SET_OFM_HEIGHT1_M1 = 0x11C
    NPU_SET_OFM_REGION = 0x11F
    NPU_SET_KERNEL_WIDTH_M1 = 0x120
    NPU_SET_KERNEL_HEIGHT_M1 = 0x121
    NPU_SET_KERNEL_STRIDE = 0x122
    NPU_SET_PARALLEL_MODE = 0x123
    NPU_SET_ACC_FORMAT = 0x124
    NPU_SET_ACTIVATION = 0x125
    NPU_SET_ACTIVATION_MIN = 0x126
    NPU_SET_ACTIVATION_MAX = 0x127
    NPU_SET_WEIGHT_REGION = 0x128
    NPU_SET_SCALE_REGION = 0x129
    NPU_SET_AB_START = 0x12D
    NPU_SET_BLOCKDEP = 0x12F
    NPU_SET_DMA0_SRC_REGION = 0x130
    NPU_SET_DMA0_DST_REGION = 0x131
    NPU_SET_DMA0_SIZE0 = 0x132
    NPU_SET_DMA0_SIZE1 = 0x133
    NPU_SET_IFM2_BROADCAST = 0x180
    NPU_SET_IFM2_SCALAR = 0x181
    NPU_SET_IFM2_PRECISION = 0x185
    NPU_SET_IFM2_ZERO_POINT = 0x189
    NPU_SET_IFM2_WIDTH0_M1 = 0x18A
    NPU_SET_IFM2_HEIGHT0_M1 = 0x18B
    NPU_SET_IFM2_HEIGHT1_M1 = 0x18C
    NPU_SET_IFM2_IB_START = 0x18D
    NPU_SET_IFM2_REGION = 0x18F


class Cmd1(IntEnum):
    """Commands of two words: a 16-bit parameter and a 32-bit payload."""

    NPU_SET_IFM_BASE0 = 0x000
    NPU_SET_IFM_BASE1 = 0x001
    NPU_SET_IFM_BASE2 = 0x002
    NPU_SET_IFM_BASE3 = 0x003
    NPU_SET_IFM_STRIDE_X = 0x004
    NPU_SET_IFM_STRIDE_Y = 0x005
    NPU_SET_IFM_STRIDE_C = 0x006
    NPU_SET_OFM_BASE0 = 0x010
    NPU_SET_OFM_BASE1 = 0x011
    NPU_SET_OFM_BASE2 = 0x012
    NPU_SET_OFM_BASE3 = 0x013
    NPU_SET_OFM_STRIDE_X = 0x014
    NPU_SET_OFM_STRIDE_Y = 0x015
    NPU_SET_OFM_STRIDE_C = 0x016
    NPU_SET_WEIGHT_BASE = 0x020
    NPU_SET_WEIGHT_LENGTH = 0x021
    NPU_SET_SCALE_BASE = 0x022
    NPU_SET_SCALE_LENGTH = 0x023
    NPU_SET_OFM_SCALE = 0x024
    NPU_SET_OPA_SCALE = 0x025
    NPU_SET_OPB_SCALE = 0x026
    NPU_SET_DMA0_SRC = 0x030
    NPU_SET_DMA0_DST = 0x031
    NPU_SET_DMA0_LEN = 0x032
    NPU_SET_DMA0_SKIP0 = 0x033
    NPU_SET_DMA0_SKIP1 = 0x034
    NPU_SET_IFM2_BASE0 = 0x080
    NPU_SET_IFM2_BASE1 = 0x081
    NPU_SET_IFM2_BASE2 = 0x082
    NPU_SET_IFM2_BASE3 = 0x083
    NPU_SET_IFM2_STRIDE_X = 0x084
    NPU_SET_IFM2_STRIDE_Y = 0x085
    NPU_SET_IFM2_STRIDE_C = 0x086
    NPU_SET_WEIGHT1_BASE = 0x090
    NPU_SET_WEIGHT1_LENGTH = 0x091
    NPU_SET_SCALE1_BASE = 0x092
    NPU_SET_SCALE1_LENGTH = 0x093


# Parameter bits that exist, for commands that do not use all 16 (source: Vela 5.2.0's source package,
# regor/architecture/ethosu65/ethos_u65_interface.hpp).
_PARAMETER_BITS: dict[Cmd0, int] = {
    Cmd0.NPU_OP_CONV: 0,
    Cmd0.NPU_OP_DEPTHWISE: 0,
    Cmd0.NPU_OP_POOL: 0x7,
    Cmd0.NPU_OP_ELEMENTWISE: 0x3F,
    Cmd0.NPU_OP_DMA_START: 0,
    Cmd0.NPU_OP_DMA_WAIT: 0x1,
    Cmd0.NPU_OP_KERNEL_WAIT: 0x3,
    Cmd0.NPU_OP_PMU_MASK: 0x1,
    Cmd0.NPU_SET_IFM_PAD_TOP: 0x7F,
    Cmd0.NPU_SET_IFM_PAD_LEFT: 0x7F,
    Cmd0.NPU_SET_IFM_PAD_RIGHT: 0xFF,
    Cmd0.NPU_SET_IFM_PAD_BOTTOM: 0xFF,
    Cmd0.NPU_SET_IFM_PRECISION: 0xC3CD,
    Cmd0.NPU_SET_IFM_UPSCALE: 0x3,
    Cmd0.NPU_SET_IFM_IB_END: 0x3F,
    Cmd0.NPU_SET_IFM_REGION: 0x7,
    Cmd0.NPU_SET_OFM_PRECISION: 0xC1C7,
    Cmd0.NPU_SET_OFM_BLK_WIDTH_M1: 0x3F,
    Cmd0.NPU_SET_OFM_BLK_HEIGHT_M1: 0x1F,
    Cmd0.NPU_SET_OFM_BLK_DEPTH_M1: 0x7F,
    Cmd0.NPU_SET_OFM_REGION: 0x7,
    Cmd0.NPU_SET_KERNEL_STRIDE: 0x27F,
    Cmd0.NPU_SET_PARALLEL_MODE: 0x1,
    Cmd0.NPU_SET_ACC_FORMAT: 0x3,
    Cmd0.NPU_SET_ACTIVATION: 0x701F,
    Cmd0.NPU_SET_WEIGHT_REGION: 0x7,
    Cmd0.NPU_SET_SCALE_REGION: 0x7,
    Cmd0.NPU_SET_AB_START: 0x3F,
    Cmd0.NPU_SET_BLOCKDEP: 0x3,
    Cmd0.NPU_SET_DMA0_SRC_REGION: 0x707,
    Cmd0.NPU_SET_DMA0_DST_REGION: 0x707,
    Cmd0.NPU_SET_IFM2_BROADCAST: 0xC7,
    Cmd0.NPU_SET_IFM2_PRECISION: 0xCD,
    Cmd0.NPU_SET_IFM2_IB_START: 0x3F,
    Cmd0.NPU_SET_IFM2_REGION: 0x7,
}
_LENGTHS = (
    Cmd1.NPU_SET_WEIGHT_LENGTH,
    Cmd1.NPU_SET_WEIGHT1_LENGTH,
    Cmd1.NPU_SET_SCALE_LENGTH,
    Cmd1.NPU_SET_SCALE1_LENGTH,
    Cmd1.NPU_SET_OPB_SCALE,
)
_SCALES = (Cmd1.NPU_SET_OFM_SCALE, Cmd1.NPU_SET_OPA_SCALE)
_CMD0 = {int(command): command for command in Cmd0}
_CMD1 = {int(command): command for command in Cmd1}


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a stream.

    Attributes:
        code: which command.
        parameter: upper half of the first word, unsigned 16 bit.
        payload: the second word, unsigned 32 bit; 0 for commands of one word.
        offset: byte offset of the first word in the stream.
    """

    code: Cmd0 | Cmd1
    parameter: int
    payload: int
    offset: int


def split(stream: NDArray[np.uint32]) -> Iterator[Command]:
    """Split a command stream into commands, up to its end.

    Args:
        stream: uint32 words, as QBASE points at them (without the driver's payload header).

    Raises:
        UnsupportedError: a command number that no Ethos-U55/U65 command has.
        StreamError: the stream ends inside a command.
    """
    words: list[int] = stream.tolist()
    position = 0
    while position < len(words):
        word = words[position]
        offset = 4 * position
        number, parameter = word & 0x3FF, word >> 16
        # Bits 13:10 are reserved; bit 15 would be a payload of 64 bits, which these NPUs do not have.
        known = None if word & 0xBC00 else (_CMD1 if word & 0x4000 else _CMD0).get(number)
        if known is None:
            raise UnsupportedError(
                "unknown command",
                command=f"command {word & 0xFFFF:#06x}",
                offset=offset,
                parameters={"parameter": parameter},
            )
        if not _parameter_exists(known, parameter):
            raise StreamError(
                "the parameter has bits that do not exist",
                command=known.name,
                offset=offset,
                parameters={"parameter": hex(parameter)},
            )
        if not word & 0x4000:
            position += 1
            yield Command(known, parameter, 0, offset)
            continue
        if position + 1 == len(words):
            raise StreamError("the stream ends inside this command", command=known.name, offset=offset)
        yield Command(known, parameter, words[position + 1], offset)
        position += 2


def _parameter_exists(code: Cmd0 | Cmd1, parameter: int) -> bool:
    if isinstance(code, Cmd0):
        return not parameter & ~_PARAMETER_BITS.get(code, 0xFFFF)
    if code in _LENGTHS:
        return parameter == 0
    if code in _SCALES:
        return parameter <= 0x3F
    # Bits 39:32 of an address or stride; a negative stride may come with its sign extended.
    return parameter <= 0xFF or parameter >= 0xFF80
