"""Command streams for Ethos-U85, written register by register."""

from __future__ import annotations

import numpy as np

from deploy.npu.stream.u85_commands import Cmd0, Cmd1

_TWO_WORDS = 0x4000
STOP = 0xFFFF0000

Registers = dict[str, int]
"""Name without ``NPU_SET_`` -> parameter of a register of one word; ``payload | parameter << 32`` of another."""


def feature_map(which: str, extents: tuple[int, int, int], address: int, region: int = 1) -> Registers:
    """A dense int8 map of one tile."""
    height, width, depth = extents
    found = {f"{which}_BASE{tile}": address if tile == 0 else 0 for tile in range(4)}
    found |= {f"{which}_STRIDE_Y": width * depth, f"{which}_STRIDE_X": depth, f"{which}_STRIDE_C": 1}
    found |= {
        f"{which}_HEIGHT0_M1": height - 1,
        f"{which}_HEIGHT1_M1": height - 1,
        f"{which}_WIDTH0_M1": width - 1,
    }
    found |= {f"{which}_REGION": region, f"{which}_ZERO_POINT": 0, f"{which}_PRECISION": 1}
    if which == "OFM":
        found |= {"OFM_HEIGHT_M1": height - 1, "OFM_WIDTH_M1": width - 1, "OFM_DEPTH_M1": depth - 1}
        found["OFM_PRECISION"] = 0x101
    if which == "IFM":
        found["IFM_DEPTH_M1"] = depth - 1
    return found


def registers(extents: tuple[int, int, int], **changes: int) -> Registers:
    """What an operation of 8 bits needs: IFM at 0, IFM2 at 4096, OFM at 8192; nothing scaled, no padding."""
    found = feature_map("IFM", extents, 0) | feature_map("IFM2", extents, 4096) | feature_map("OFM", extents, 8192)
    found |= {f"IFM_PAD_{side}": 0 for side in ("TOP", "LEFT", "BOTTOM", "RIGHT")}
    found |= {"IFM_UPSCALE": 0, "IFM_BROADCAST": 0, "IFM2_BROADCAST": 0, "OP_SCALAR": 0}
    found |= {"KERNEL_HEIGHT_M1": 0, "KERNEL_WIDTH_M1": 0, "KERNEL_STRIDE": 0, "ACC_FORMAT": 0x100}
    found |= {"ACTIVATION": 0, "ACTIVATION_MIN": 0xFF80, "ACTIVATION_MAX": 0x7F}
    found |= {"OFM_SCALE": 1, "IFM_SCALE": 1, "IFM2_SCALE": 1}
    found |= {f"OFM_BLK_{axis}_M1": 7 for axis in ("HEIGHT", "WIDTH", "DEPTH")}
    return found | changes


def stream(operation: Cmd0, values: Registers, parameter: int = 0) -> np.ndarray:
    """A stream that sets registers and starts one operation."""
    words: list[int] = []
    for name, value in values.items():
        code = f"NPU_SET_{name}"
        if code in Cmd0.__members__:
            words.append(int(Cmd0[code]) | (value & 0xFFFF) << 16)
        else:
            words += [int(Cmd1[code]) | _TWO_WORDS | (value >> 32 & 0xFFFF) << 16, value & 0xFFFFFFFF]
    return np.array([*words, int(operation) | parameter << 16, STOP], np.uint32)
