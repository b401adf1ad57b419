import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.corstone.applications import Range, read_application, writable_ranges
from deploy.corstone.stand_in import stand_in
from deploy.errors import BadInputError


def elf_file(*segments, machine=40, bits=1, order=1, kind=2, entry_size=32):
    """An ELF file with program headers of (physical address, content)."""
    ident = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", ident, kind, machine, 1, 0, 52, 0, 0, 52, entry_size, len(segments), 0, 0, 0
    )
    offset = 52 + 32 * len(segments)
    table, content = b"", b""
    for address, data in segments:
        table += struct.pack("<8I", 1, offset + len(content), address, address, len(data), len(data), 5, 4)
        content += data
    return header + table + content


def read(tmp_path, content):
    path = tmp_path / "program.axf"
    path.write_bytes(content)
    return read_application(path, stand_in().memories).segments


def test_the_segments_of_an_arm_executable_are_read(tmp_path):
    segments = read(tmp_path, elf_file((0, b"abcd"), (0x70000000, b"efghij")))
    assert [(s.load_address, s.size) for s in segments] == [(0, 4), (0x70000000, 6)]


def program_headers(*headers):
    """An ELF file whose program headers are (type, address, bytes in memory, flags); it holds nothing else."""
    content = bytearray(elf_file(*[(0, b"")] * len(headers)))
    for number, (kind, address, size, flags) in enumerate(headers):
        struct.pack_into("<8I", content, 52 + 32 * number, kind, 0, address, 0, 0, size, flags, 4)
    return bytes(content)


def test_what_an_application_writes_to_is_told_by_its_flags_wherever_it_lies(tmp_path):
    path = tmp_path / "program.axf"
    path.write_bytes(
        program_headers((1, 0, 100, 5), (1, 0x31000000, 0x200000, 6), (1, 0xF0000000, 8, 7), (6, 4, 4, 6))
    )
    assert writable_ranges(path) == (Range(0x31000000, 0x200000), Range(0xF0000000, 8))


def test_an_application_that_wants_absurdly_much_memory_is_refused(tmp_path):
    path = tmp_path / "program.axf"
    path.write_bytes(program_headers(*[(1, 0, 0x1000000, 6)] * 5))
    with pytest.raises(BadInputError, match="writes to more than"):
        writable_ranges(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"", "not an ELF file"),
        (elf_file((0, b"abcd"))[:40], "not an ELF file"),
        (elf_file((0, b"abcd"), machine=62, bits=2), "built for x86-64, 64-bit"),
        (elf_file((0, b"abcd"), machine=243), "RISC-V"),
        (elf_file((0, b"abcd"), order=2), "big-endian"),
        (elf_file((0, b"abcd"), kind=1), "not an executable"),
        (elf_file((0, b"abcd"))[:60], "cut off"),
        (elf_file((0, b"abcd"))[:-1], "0x00000000 is cut off"),
        (elf_file((0, b"abcd"), entry_size=40), "wrong size"),
        (elf_file((0x40000000, b"abcd")), "outside of all memories"),
        (elf_file((0x0007FFFE, b"abcd")), "outside of all memories"),
        (elf_file(), "nothing to load"),
    ],
)
def test_a_file_that_cannot_boot_is_refused_and_named(tmp_path, content, message):
    with pytest.raises(BadInputError, match=message) as caught:
        read(tmp_path, content)
    assert "program.axf" in caught.value.message


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        read_application(tmp_path / "none.axf", stand_in().memories)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="not a file"):
        read_application(tmp_path, stand_in().memories)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 119))
def test_random_damage_is_refused_or_harmless(tmp_path_factory, damage, position):
    path = tmp_path_factory.mktemp("elf") / "x.axf"
    content = bytearray(elf_file((0, b"abcd"), (0x70000000, b"efgh")))
    content[position : position + len(damage)] = damage
    path.write_bytes(content)
    try:
        read_application(path, stand_in().memories)
    except BadInputError as error:
        assert str(path) in error.message
