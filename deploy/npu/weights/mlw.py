"""Decompresses weight streams (MLW: Golomb-Rice coded weights and zero runs).

Written from the format as Vela 5.2.0's sources show it (``mlw_codec``, Apache-2.0), because that library ends the
process on a truncated stream. The tests compare the two.

A stream is a sequence of slices. A slice has a header (how many weights, Golomb-Rice divisors, optionally a new
palette) and chunks of up to 12 weights and 12 (or 8) zero runs. A chunk holds the unary parts of its own symbols
and the remainders of the chunk before it. Only the walk from chunk to chunk is serial; it visits a chunk at a
time, and all symbols of a slice are then computed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.npu.core.library import native
from deploy.npu.errors import WeightStreamError

_ZERO_RUNS_OFF, _END_OF_STREAM = 6, 7
_UNCOMPRESSED = 7
_CHUNK = 12
_POPULATION = [bin(value).count("1") for value in range(1 << _CHUNK)]
_BITS = np.arange(_CHUNK)
_BLOCK = 1 << 14


class _Bits:
    """Random access to the bits of a stream, least significant bit of a byte first."""

    def __init__(self, data: bytes) -> None:
        self.size = 8 * len(data)
        padded = np.frombuffer(data + bytes(8), np.uint8)
        # words[i] are the 64 bits that start at byte i: a view, eight times the stream would be a lot to copy.
        self.words = np.ndarray((len(data) + 1,), "<u8", buffer=padded, strides=(1,))
        self._data = data

    def get(self, position: int, count: int) -> int:
        """``count`` bits (at most 56) at ``position``."""
        if position + count > self.size:
            raise WeightStreamError("the weight stream ends inside a slice")
        start = position >> 3
        return int.from_bytes(self._data[start : start + 8], "little") >> (position & 7) & ((1 << count) - 1)

    def gather(self, positions: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """``count`` bits at each of ``positions``."""
        if count == 0 or positions.size == 0:
            return np.zeros(positions.shape, np.int64)
        if int(positions.max()) + count > self.size:
            raise WeightStreamError("the weight stream ends inside a slice")
        shifted = self.words[positions >> 3] >> (positions & 7).astype(np.uint64)
        masked: NDArray[np.uint64] = shifted & np.uint64((1 << count) - 1)
        return masked.astype(np.int64)


@dataclass
class _Palette:
    """How weight indices become weights; lives on until a slice brings another."""

    direct_offset: int
    entries: NDArray[np.int64]
    bits: int
    zero_runs: bool

    def weights(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        if int(indices.max(initial=0)) >= 512:
            raise WeightStreamError("the weight stream holds a weight of more than 9 bits")
        values = indices - self.entries.size + self.direct_offset
        inside = indices < self.entries.size
        values[inside] = self.entries[indices[inside]]
        magnitudes = values >> 1
        return np.where(values & 1, -magnitudes, magnitudes)


@dataclass(frozen=True)
class _Header:
    count: int
    zero_divisor: int
    divisor: int
    truncated: bool
    new_palette: bool
    uncompressed: bool

    @property
    def zero_runs(self) -> bool:
        return self.zero_divisor != _ZERO_RUNS_OFF


@dataclass
class _Walk:
    """Where the parts of a slice lie: one entry per chunk that holds symbols of the kind."""

    unary0: list[int]
    unary1: list[int]
    remainders: list[int]
    symbols: list[int]

    @staticmethod
    def empty() -> _Walk:
        return _Walk([], [], [], [])


def decompress(data: bytes, limit: int) -> NDArray[np.int16]:
    """Decompress a weight stream, with its padding, into at most ``limit`` values.

    Returns:
        int16 values in stream order.

    Raises:
        WeightStreamError: truncated, malformed, or more than ``limit`` values.
    """
    core = native()
    if core is not None:
        values = np.empty(limit, np.int16)
        count = core.decompress(data, values)
        if count >= 0:
            return values[:count].copy() if count < limit else values
    # Without the core, or to say what is wrong.
    return decompress_in_numpy(data, limit)


def decompress_in_numpy(data: bytes, limit: int) -> NDArray[np.int16]:
    """The same as :func:`decompress` without the compiled core, which is held to it."""
    bits = _Bits(data)
    parts: list[NDArray[np.int16]] = []
    palette: _Palette | None = None
    position = produced = 0
    while True:
        zero_divisor = bits.get(position, 3)
        if zero_divisor == _END_OF_STREAM:
            # Up to the next byte; what follows is padding (more of the same) or another stream.
            position = (position + 3 + 7) & ~7
            palette = None
            if position >= bits.size:
                break
            continue
        header, position = _header(bits, position + 3, zero_divisor)
        if header.new_palette:
            palette, position = _palette(bits, position, header)
        if palette is None or palette.zero_runs != header.zero_runs:
            raise WeightStreamError("a slice of the weight stream lacks its palette")
        values, position = _slice(bits, position, header, palette, limit - produced)
        produced += values.size
        parts.append(values)
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def _header(bits: _Bits, position: int, zero_divisor: int) -> tuple[_Header, int]:
    if zero_divisor > 3 and zero_divisor != _ZERO_RUNS_OFF:
        raise WeightStreamError(f"the weight stream has a zero run divisor of {zero_divisor}")
    word = bits.get(position, 20)
    divisor = word >> 15 & 7
    if divisor == 6:
        raise WeightStreamError("the weight stream has a weight divisor of 6")
    header = _Header(
        count=(word & 0x7FFF) + 1,
        zero_divisor=zero_divisor,
        divisor=divisor,
        truncated=bool(word >> 18 & 1),
        new_palette=bool(word >> 19 & 1),
        uncompressed=divisor == _UNCOMPRESSED,
    )
    return header, position + 20


def _palette(bits: _Bits, position: int, header: _Header) -> tuple[_Palette, int]:
    word = bits.get(position, 13)
    size = word >> 5 & 31
    size += size > 0
    width = (word >> 10 & 7) + 2
    position += 13
    entries = bits.gather(position + width * np.arange(size, dtype=np.int64), width)
    return _Palette(word & 31, entries, width, header.zero_runs), position + width * size


def _slice(
    bits: _Bits, position: int, header: _Header, palette: _Palette, limit: int
) -> tuple[NDArray[np.int16], int]:
    divisor = header.divisor
    if header.uncompressed:
        # An index into the palette, or without a palette the weight itself.
        divisor = max(palette.entries.size - 1, 0).bit_length() if palette.entries.size else palette.bits
    if header.uncompressed and not header.zero_runs:
        # Remainders only, one after the other.
        starts = position + divisor * np.arange(header.count, dtype=np.int64)
        indices = bits.gather(starts, divisor)
        return _checked(palette.weights(indices), limit), position + divisor * header.count
    weights, zeros, position = _walk(bits, position, header, divisor)
    symbols = np.zeros(0, np.int64) if header.uncompressed else _weight_symbols(weights, header.truncated)
    indices = _values(bits, weights, symbols, divisor, header.count)
    values = palette.weights(indices)
    if not header.zero_runs:
        return _checked(values, limit), position
    runs = _values(
        bits, zeros, _zero_symbols(zeros, header), header.zero_divisor, header.count + header.new_palette
    )
    if int(runs.sum()) + header.count > limit:
        raise WeightStreamError("the weight stream decodes to more values than the operation needs")
    # A slice that brings a palette may start with zeros; the other runs follow their weight.
    lead = int(runs[0]) if header.new_palette else 0
    after = runs[1:] if header.new_palette else runs
    result = np.zeros(lead + header.count + int(after.sum()), np.int16)
    result[lead + np.arange(header.count) + np.cumsum(after) - after] = values
    return result, position


def _checked(values: NDArray[np.int64], limit: int) -> NDArray[np.int16]:
    if values.size > limit:
        raise WeightStreamError("the weight stream decodes to more values than the operation needs")
    return values.astype(np.int16)


def _walk(bits: _Bits, position: int, header: _Header, divisor: int) -> tuple[_Walk, _Walk, int]:
    """Visit the chunks of a slice one after the other and note where their parts are.

    Flow control: weights pause while they are eight or more ahead of the zero runs, zero runs while behind them.
    """
    weights, zeros = _Walk.empty(), _Walk.empty()
    words, size, population = bits.words, bits.size, _POPULATION
    # Python's own integers are fast to work with but large: only a part of the stream at a time.
    first = 0
    windows: list[int] = []
    zero_runs, zero_divisor = header.zero_runs, header.zero_divisor
    zero_width = 12 if zero_divisor < 3 else 8
    zero_mask = (1 << zero_width) - 1
    # In uncompressed mode there are no unary parts; wide indices come in chunks of eight.
    plain = header.uncompressed
    most = 8 if plain and divisor > 5 else _CHUNK
    count, zero_count = header.count, header.count + header.new_palette
    done = zeros_done = 0
    pending = zeros_pending = 0
    while True:
        balance = done - zeros_done if zero_runs else 0
        take = balance < 8 and done < count
        take_zeros = zero_runs and balance >= 0 and zeros_done < zero_count
        if position > size:
            raise WeightStreamError("the weight stream ends inside a slice")
        index = (position >> 3) - first
        if index >= len(windows):
            first = position >> 3
            index, windows = 0, words[first : first + _BLOCK].tolist()
        window = windows[index] >> (position & 7)
        unary0 = zero_unary = unary1 = symbols = zero_symbols = 0
        if take and not plain:
            unary0 = window & 0xFFF
            window >>= 12
            position += 12
        if take_zeros:
            zero_unary = window & zero_mask
            window >>= zero_width
            position += zero_width
            zero_symbols = zero_width - population[zero_unary]
        if take:
            symbols = most
            if not plain:
                width = population[unary0]
                unary1 = window & ((1 << width) - 1)
                position += width
                if not header.truncated:
                    symbols -= population[unary1]
        # Here follow the remainders of the chunk before.
        if len(weights.remainders) < len(weights.symbols):
            weights.remainders.append(position)
            position += divisor * pending
        if len(zeros.remainders) < len(zeros.symbols):
            zeros.remainders.append(position)
            position += zero_divisor * zeros_pending
        pending = zeros_pending = 0
        if take:
            weights.unary0.append(unary0)
            weights.unary1.append(unary1)
            weights.symbols.append(symbols)
            # Remainders beyond the last weight are not in the stream.
            pending = min(symbols, count - done)
            done += symbols
        if take_zeros:
            zeros.unary0.append(zero_unary)
            zeros.symbols.append(zero_symbols)
            zeros_pending = min(zero_symbols, zero_count - zeros_done)
            zeros_done += zero_symbols
        if not take and not take_zeros:
            return weights, zeros, position


def _weight_symbols(walk: _Walk, truncated: bool) -> NDArray[np.int64]:
    """Quotients of all weights: a unary digit is 0, 1 or 2; a 2 goes on in the next digit unless truncated."""
    first: NDArray[np.int64] = np.array(walk.unary0, np.int64)[:, None] >> _BITS & 1
    rank = np.cumsum(first, axis=1) - first
    second = np.array(walk.unary1, np.int64)[:, None] >> rank & first
    digits: NDArray[np.int64] = (first + second).ravel()
    if truncated:
        return digits
    return _sums_up_to(digits, digits < 2)


def _zero_symbols(walk: _Walk, header: _Header) -> NDArray[np.int64]:
    """Quotients of all zero runs: ones up to the next zero bit."""
    width = 12 if header.zero_divisor < 3 else 8
    digits = (np.array(walk.unary0, np.int64)[:, None] >> _BITS[:width] & 1).ravel()
    return _sums_up_to(digits, digits == 0)


def _sums_up_to(digits: NDArray[np.int64], ends: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Sum of the digits up to each end, starting over after it."""
    sums: NDArray[np.int64] = np.diff(np.cumsum(digits)[ends], prepend=0)
    return sums


def _values(bits: _Bits, walk: _Walk, quotients: NDArray[np.int64], divisor: int, count: int) -> NDArray[np.int64]:
    """Quotients and remainders put together; no quotients in uncompressed mode."""
    symbols = np.array(walk.symbols, np.int64)
    starts = np.repeat(np.array(walk.remainders, np.int64), symbols)
    within = np.arange(starts.size) - np.repeat(np.cumsum(symbols) - symbols, symbols)
    remainders = bits.gather((starts + divisor * within)[:count], divisor)
    if quotients.size == 0:
        return remainders
    return (quotients[:count] << divisor) + remainders
