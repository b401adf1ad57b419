"""Payloads from a target are hostile until they have been read."""

from __future__ import annotations

import struct
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import TargetError
from deploy.targets.frames import FrameReader
from deploy.targets.protocol import TensorEntry, parse_error, parse_hello, parse_result

OUTPUT = TensorEntry("out", "int8", (2, 3), 6, 0.5, -1)


def hello(*tensors: bytes, version: int = 1, inputs: int = 1, outputs: int = 0) -> bytes:
    head = struct.pack("<HH32s8sIBBHI", version, 1, b"\xaa" * 32, b"\xbb" * 8, 256, inputs, outputs, 0, 4096)
    return head + b"".join(tensors)


def tensor(name: bytes = b"x", dtype: int = 9, shape: tuple[int, ...] = (4, 2), size: int = 8) -> bytes:
    head = struct.pack("<BBHIfi", dtype, len(shape), len(name), size, 0.25, 7)
    return head + struct.pack(f"<{len(shape)}I", *shape) + name


def test_a_hello_is_read_field_by_field() -> None:
    found = parse_hello(hello(tensor(b"image"), tensor(b"scores", 0, (3,), 12), outputs=1))
    assert (found.model_sha256, found.build_id) == ("aa" * 32, "bb" * 8)
    assert (found.request_bytes, found.arena_bytes) == (256, 4096)
    assert found.inputs == (TensorEntry("image", "int8", (4, 2), 8, 0.25, 7),)
    assert found.outputs[0].dtype == "float32"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (hello(tensor())[:-1], "truncated"),
        (hello(tensor()) + b"x", "were expected"),
        (hello(tensor(), version=2), "speaks version 2"),
        (hello(tensor(dtype=99)), "damaged"),
        (hello(tensor(shape=(1,) * 9)), "damaged"),
        (hello(tensor(size=9)), "cannot have 9 bytes"),
        (hello(tensor(shape=(0xFFFFFFFF,) * 8)), "cannot have"),
        (hello(inputs=255), "truncated"),
        (b"", "truncated"),
    ],
)
def test_a_damaged_hello_is_one_message(payload: bytes, expected: str) -> None:
    with pytest.raises(TargetError, match=expected):
        parse_hello(payload)


@given(st.binary(max_size=300))
def test_no_hello_does_more_than_fail(payload: bytes) -> None:
    try:
        parse_hello(b"\x01\x00" + payload)
    except TargetError as error:
        assert error.message.isprintable()


@given(st.binary(max_size=120))
def test_no_result_does_more_than_fail(payload: bytes) -> None:
    try:
        assert parse_result(payload, (OUTPUT,)).outputs["out"].shape == (2, 3)
    except TargetError:
        assert len(payload) != 44 + 6


def test_a_result_is_read_field_by_field() -> None:
    payload = struct.pack("<IIQ4H4II", 0, 99, 1 << 40, 0x23, 0x82, 0x87, 0x182, 1, 2, 3, 4, 1) + bytes(range(6))
    result = parse_result(payload, (OUTPUT,))
    assert (result.arena_used, result.cycles, result.streams) == (99, 1 << 40, 1)
    assert list(result.counters.values()) == [1, 2, 3, 4]
    np.testing.assert_array_equal(result.outputs["out"], np.arange(6, dtype=np.int8).reshape(2, 3))


@given(st.binary(max_size=600))
def test_what_a_target_says_cannot_act_on_a_terminal(payload: bytes) -> None:
    _, text = parse_error(payload)
    # Spaces of all kinds are none of Python's printable characters, but do no harm.
    assert all(each.isprintable() or unicodedata.category(each) == "Zs" for each in text)
    assert len(text) <= 400


@given(st.lists(st.binary(max_size=64), max_size=30))
def test_no_bytes_stop_the_reader_or_grow_it_without_bound(pieces: list[bytes]) -> None:
    reader = FrameReader(1000)
    for piece in pieces:
        reader.feed(piece)
    assert reader.stray + len(reader._buffer) <= sum(map(len, pieces))
