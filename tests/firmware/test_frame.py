"""The frame parsers in C and Python find the same frames in the same bytes."""

from __future__ import annotations

import ctypes
import json

import pytest
from host_compiler import FIRMWARE, HERE, compile_for_host
from make_vectors import VECTORS, vectors

from deploy.targets.frames import FrameReader, encode

_DOCUMENT = json.loads(VECTORS.read_text(encoding="utf-8"))
CAPACITY: int = _DOCUMENT["capacity"]
CASES = [pytest.param(vector, id=vector["name"]) for vector in _DOCUMENT["vectors"]]
COMPLETE, TOO_LONG, DAMAGED = 1, 2, 3


@pytest.fixture(scope="session")
def c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    sources = [HERE / "frame_harness.c", FIRMWARE / "frame.c", FIRMWARE / "crc32.c"]
    output = tmp_path_factory.mktemp("frame") / "frame.so"
    library = ctypes.CDLL(str(compile_for_host(output, sources, flags=["-shared", "-fPIC"])))
    library.harness_encode.restype = ctypes.c_size_t
    return library


def expected(vector: dict) -> list[tuple[int, int, bytes]]:
    return [(f["type"], f["sequence"], bytes.fromhex(f["payload"])) for f in vector["frames"]]


def test_the_vectors_on_file_are_the_generated_ones() -> None:
    assert vectors() == _DOCUMENT["vectors"]


@pytest.mark.parametrize("vector", CASES)
@pytest.mark.parametrize("chunk", [1, 5, 100_000])
def test_python_finds_the_frames_however_the_bytes_are_cut(vector: dict, chunk: int) -> None:
    reader = FrameReader(CAPACITY)
    content = bytes.fromhex(vector["bytes"])
    frames = []
    for start in range(0, len(content), chunk):
        frames += reader.feed(content[start : start + chunk])
    assert [(f.type, f.sequence, f.payload) for f in frames] == expected(vector)
    assert (reader.damaged, reader.too_long) == (vector["damaged"], vector["too_long"])


@pytest.mark.parametrize("vector", CASES)
def test_c_finds_the_frames(c: ctypes.CDLL, vector: dict) -> None:
    c.harness_start(CAPACITY)
    frames, counts = [], {TOO_LONG: 0, DAMAGED: 0}
    kind, sequence, payload = ctypes.c_uint8(), ctypes.c_uint8(), ctypes.create_string_buffer(1024)
    for byte in bytes.fromhex(vector["bytes"]):
        event = c.harness_push(byte)
        if event == COMPLETE:
            length = c.harness_frame(ctypes.byref(kind), ctypes.byref(sequence), payload)
            frames.append((kind.value, sequence.value, payload.raw[:length]))
        elif event:
            counts[event] += 1
    assert frames == expected(vector)
    assert (counts[DAMAGED], counts[TOO_LONG]) == (vector["damaged"], vector["too_long"])


@pytest.mark.parametrize("vector", [v for v in CASES if v.values[0]["name"] in ("a frame", "every byte value")])
def test_c_and_python_write_the_same_bytes(c: ctypes.CDLL, vector: dict) -> None:
    kind, sequence, payload = expected(vector)[0]
    output = ctypes.create_string_buffer(1024)
    length = c.harness_encode(kind, sequence, payload, len(payload), output)
    assert output.raw[:length] == encode(kind, sequence, payload) == bytes.fromhex(vector["bytes"])


def test_noise_is_kept_for_messages_but_not_without_bound() -> None:
    reader = FrameReader()
    for _ in range(100):
        assert reader.feed(b"printf from somebody else's firmware\n" * 200) == []
    assert b"printf" in reader.noise
    assert len(reader.noise) < 200_000
    assert reader.stray == 100 * 200 * 37


def test_a_frame_on_its_way_says_how_much_of_it_is_there() -> None:
    reader = FrameReader()
    content = encode(2, 1, bytes(100))
    reader.feed(content[:11])
    assert reader.missing is None
    reader.feed(content[11:50])
    assert reader.missing == (50, 116)
    assert len(reader.feed(content[50:])) == 1
    assert reader.missing is None


@pytest.mark.parametrize("field", [(256, 0, b""), (0, 256, b""), (-1, 0, b"")])
def test_a_field_out_of_range_is_not_encoded(field: tuple[int, int, bytes]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        encode(*field)
