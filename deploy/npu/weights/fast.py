"""Decodes weights of Ethos-U85 that are coded for fast decoding: a palette, and as many bits for each weight.

Source: Vela 5.2.0's source package, ``dependencies/mlw_codec/source``. A header of 256 bits, lowest first: bit 0
no palette but weights of 8 bits, bit 1 indices of 2 bits (else 4), bits 104 to 111 what is subtracted from weights
without a palette (s8), from bit 112 on the palette: 16 entries of 9 bits, magnitude above a sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import WeightStreamError

_HEADER_BYTES = 32
_OFFSET_BYTE = 13
_PALETTE, _ENTRIES, _ENTRY_BITS = 112, 16, 9


def decompress_fast(stream: bytes, count: int) -> NDArray[np.int16]:
    """The first ``count`` weights of a stream, int16.

    Raises:
        WeightStreamError: it ends before.
    """
    raw, small = (stream[0] & 1, stream[0] & 2) if stream else (0, 0)
    bits = 8 if raw else 2 if small else 4
    needed = _HEADER_BYTES + -(-count * bits // 8)
    if len(stream) < needed:
        raise WeightStreamError(f"a fast weight stream of {len(stream)} bytes, {count} weights need {needed}")
    data = np.frombuffer(stream, np.uint8, needed - _HEADER_BYTES, _HEADER_BYTES)
    if raw:
        offset = int(np.frombuffer(stream, np.int8, 1, _OFFSET_BYTE)[0])
        return data.view(np.int8).astype(np.int16) - np.int16(offset)
    header = int.from_bytes(stream[:_HEADER_BYTES], "little") >> _PALETTE
    entries = [header >> _ENTRY_BITS * place & ((1 << _ENTRY_BITS) - 1) for place in range(_ENTRIES)]
    palette = np.array([-(entry >> 1) if entry & 1 else entry >> 1 for entry in entries], np.int16)
    places = data[:, None] >> np.arange(0, 8, bits, dtype=np.uint8) & np.uint8((1 << bits) - 1)
    found: NDArray[np.int16] = palette[places.ravel()[:count]]
    return found
