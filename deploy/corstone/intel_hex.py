"""Reads Intel HEX and makes an ELF file of it.

An own reader: the one in the package index (intelhex 2.3, of 2020) is not typed, keeps every byte as an entry of a
dictionary (some 100 bytes each, whatever a file of unknown origin asks for), and QEMU's own loads a file without
telling where to, so that nobody could say what does not fit. The format is Intel's "Hexadecimal Object File Format
Specification", revision A, 1988: lines of ``:LLAAAATTDD..CC``.
"""

from __future__ import annotations

from itertools import pairwise

from deploy.corstone.elf_layout import FILE_HEADER, PROGRAM_HEADER, PT_LOAD
from deploy.errors import BadInputError

_DATA, _END, _SEGMENT, _START_SEGMENT, _LINEAR, _START_LINEAR = range(6)
_SIZES = {_END: 0, _SEGMENT: 2, _START_SEGMENT: 4, _LINEAR: 2, _START_LINEAR: 4}
_MAX_SEGMENTS = 1024
_EM_ARM = 40
_READ_EXECUTE = 5


def is_hex(content: bytes) -> bool:
    """Whether a file begins like Intel HEX."""
    return content.lstrip()[:1] == b":"


def segments(content: bytes) -> list[tuple[int, bytes]]:
    """Address and bytes of everything that a file holds, by address; what touches is one segment.

    Raises:
        BadInputError: a line is damaged, two of them overlap, or the end is missing.
    """
    pieces: list[tuple[int, bytes]] = []
    base = 0
    for number, line in enumerate(content.splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        offset, kind, data = _record(text, number)
        if kind == _DATA:
            pieces.append((base + offset, data))
        elif kind == _LINEAR:
            base = int.from_bytes(data, "big") << 16
        elif kind == _SEGMENT:
            base = int.from_bytes(data, "big") << 4
        elif kind == _END:
            return _joined(pieces)
    raise BadInputError("broken Intel HEX file: it ends without the record that ends it")


def as_elf(content: bytes) -> bytes:
    """The same as an ELF executable for Arm.

    Raises:
        BadInputError: damaged, or it holds nothing, or more than 1024 areas.
    """
    found = segments(content)
    if not found:
        raise BadInputError("nothing to load in this Intel HEX file")
    if len(found) > _MAX_SEGMENTS:
        raise BadInputError(f"this Intel HEX file has {len(found)} separate areas (at most {_MAX_SEGMENTS})")
    size = FILE_HEADER.size
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    header = FILE_HEADER.pack(
        *(ident, 2, _EM_ARM, 1, found[0][0], size, 0, 0x05000000),
        *(size, PROGRAM_HEADER.size, len(found), 0, 0, 0),
    )
    offset = size + PROGRAM_HEADER.size * len(found)
    table = []
    for address, data in found:
        table.append(
            PROGRAM_HEADER.pack(PT_LOAD, offset, address, address, len(data), len(data), _READ_EXECUTE, 4)
        )
        offset += len(data)
    return b"".join([header, *table, *(data for _, data in found)])


def _record(text: bytes, number: int) -> tuple[int, int, bytes]:
    """Offset, type and data of a line."""
    try:
        raw = bytes.fromhex(text[1:].decode("ascii")) if text[:1] == b":" and b" " not in text else b""
    except ValueError:
        raw = b""
    if len(raw) < 5 or len(raw) != raw[0] + 5:
        raise BadInputError(f"broken Intel HEX file: line {number} is no record")
    if sum(raw) & 0xFF:
        raise BadInputError(f"broken Intel HEX file: the checksum of line {number} is wrong")
    kind, data = raw[3], raw[4:-1]
    if kind > _START_LINEAR or len(data) != _SIZES.get(kind, len(data)):
        raise BadInputError(f"broken Intel HEX file: line {number} is of no known type")
    return int.from_bytes(raw[1:3], "big"), kind, data


def _joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    pieces = sorted((piece for piece in pieces if piece[1]), key=lambda piece: piece[0])
    for (first, data), (following, _) in pairwise(pieces):
        if first + len(data) > following:
            raise BadInputError(f"broken Intel HEX file: what is loaded to 0x{following:08x} is there twice")
    joined: list[tuple[int, bytearray]] = []
    for address, data in pieces:
        if joined and joined[-1][0] + len(joined[-1][1]) == address:
            joined[-1][1].extend(data)
        else:
            joined.append((address, bytearray(data)))
    return [(address, bytes(data)) for address, data in joined]
