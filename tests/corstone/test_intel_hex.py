"""Intel HEX: what it holds, what is damaged, and the ELF file that is made of it."""

import pytest
from elf_files import content_of, segment_addresses
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.corstone.elf_image import read_image
from deploy.corstone.intel_hex import as_elf, is_hex, segments
from deploy.errors import BadInputError

END = ":00000001FF"


def record(kind: int, data: bytes, offset: int = 0) -> str:
    raw = bytes([len(data)]) + offset.to_bytes(2, "big") + bytes([kind]) + data
    return f":{(raw + bytes([-sum(raw) & 0xFF])).hex().upper()}"


def hex_file(*lines: str) -> bytes:
    return "\r\n".join([*lines, END, ""]).encode()


def test_a_record_as_the_specification_writes_it_is_read() -> None:
    assert record(0, b"\x01\x02", 0x10) == ":020010000102EB"
    assert segments(b":020010000102EB\n" + END.encode()) == [(0x10, b"\x01\x02")]


def test_addresses_are_extended_and_what_touches_is_one_segment() -> None:
    content = hex_file(
        record(4, b"\x70\x00"),
        record(0, b"cd", 4),
        record(0, b"ab", 2),
        record(4, b"\x00\x00"),
        record(0, b"xy", 0xFFFE),
        record(4, b"\x00\x01"),
        record(0, b"z"),
        record(2, b"\x10\x00"),
        record(0, b"s", 0x10),
        record(5, b"\x00\x00\x01\x01"),
        record(3, b"\x00\x00\x01\x01"),
    )
    assert segments(content) == [(0xFFFE, b"xyz"), (0x10010, b"s"), (0x70000002, b"abcd")]


def test_the_elf_file_that_is_made_of_it_holds_the_same() -> None:
    content = as_elf(hex_file(record(0, b"abcd"), record(4, b"\x31\x00"), record(0, b"efg")))
    assert segment_addresses(content) == [(0, 0), (0x31000000, 0x31000000)]
    assert [content_of(content, number) for number in (0, 1)] == [b"abcd", b"efg"]
    assert [segment.physical for segment in read_image(content).segments] == [0, 0x31000000]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b":020010000102EC\n" + END.encode(), "checksum of line 1"),
        (hex_file(":0200100001"), "line 1 is no record"),
        (hex_file(": 02 0010000102EB"), "line 1 is no record"),
        (hex_file(record(0, b"a"), "rubbish"), "line 2 is no record"),
        (hex_file(record(6, b"")), "line 1 is of no known type"),
        (hex_file(record(4, b"a")), "line 1 is of no known type"),
        (record(0, b"a").encode(), "without the record that ends it"),
        (hex_file(record(0, b"ab"), record(0, b"c", 1)), "0x00000001 is there twice"),
        (hex_file(), "nothing to load"),
        (hex_file(*(record(0, b"a", 2 * n) for n in range(1025))), "1025 separate areas"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(content: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        as_elf(content)


def test_what_follows_the_end_does_not_count() -> None:
    assert segments(hex_file(record(0, b"a")) + b"rubbish") == [(0, b"a")]


def test_only_a_colon_begins_such_a_file() -> None:
    assert is_hex(b"\n:00")
    assert not is_hex(b"\x7fELF")
    assert not is_hex(b"")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.text(alphabet=":0123456789ABCDEF\n", max_size=40), st.just(record(0, b"abcd"))), max_size=6
    )
)
def test_no_text_causes_anything_but_segments_or_a_refusal(lines: list[str]) -> None:
    try:
        content = as_elf("\n".join([*lines, END]).encode())
    except BadInputError as error:
        assert error.message
    else:
        assert read_image(content).segments
