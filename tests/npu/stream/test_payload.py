import struct

import numpy as np
import pytest

from deploy.npu import Architecture, StreamError, UnsupportedError, parse_payload


def cop1(*words: int) -> bytes:
    return b"COP1" + struct.pack(f"<{len(words)}I", *words)


def test_velas_own_payload_is_read_back() -> None:
    from ethosu.vela.api import NpuAccelerator, npu_create_driver_payload

    payload = parse_payload(bytes(npu_create_driver_payload([1, 2, 3], NpuAccelerator.Ethos_U65_512)))
    assert payload.stream.tolist() == [1, 2, 3]
    assert payload.config_word == Architecture("U65", 512).config_word
    assert payload.stream_offset % 16 == 0


def test_a_stream_longer_than_16_bits_of_words_is_read() -> None:
    length = 0x10002
    payload = parse_payload(cop1(0x02 | 0x01 << 8 | 0x0002 << 16) + bytes(4 * length))
    assert payload.stream.size == length


def test_the_second_payload_version_is_read() -> None:
    # The example of Vela's own unit test of the format.
    words = [1, 52, 0, 1, 44, 36, 0x4D554556, 1, 20, 0x1807, 0x23456789, 1, 5678, 0, 0xFFFFFFFF, 0xDEADBEEF]
    payload = parse_payload(b"COP2" + struct.pack("<16I", *words))
    assert payload.stream.tolist() == [0xDEADBEEF]
    assert payload.config_word == 0x1807
    assert not payload.separate_io


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", StreamError),
        (b"nonsense", StreamError),
        (b"COP3" + bytes(64), UnsupportedError),
        (cop1(), StreamError),
        (cop1(0x00030002, 1, 2), StreamError),
        (cop1(0x00000001, 5), StreamError),
        (cop1(0x00000009), UnsupportedError),
        (cop1(0x00000002), StreamError),
        (cop1(0x00010002, 7, 0x00000009), UnsupportedError),
        (cop1(0x00010002, 7, 0), UnsupportedError),
        (cop1(1, 0x1807, 1, 1, 0x3008, 1, 0x00010002, 7), UnsupportedError),
        (cop1(0x00010002, 7) + b"x", StreamError),
        (b"COP2" + bytes(20), StreamError),
        (b"COP2" + bytes(64), UnsupportedError),
        (b"COP2" + struct.pack("<13I", 1, 52, 0, 1, 2**31, 36, 0x4D554556, 1, 20, 0, 0, 1, 0), StreamError),
    ],
)
def test_damaged_payloads_are_refused(payload: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_payload(payload)


def test_a_second_command_stream_is_refused_by_its_place() -> None:
    with pytest.raises(UnsupportedError, match="driver action 2 at stream offset 0x10: a second command stream"):
        parse_payload(cop1(5, 0x00010002, 7, 0x00010002, 8))


def test_actions_without_a_meaning_may_follow_the_stream() -> None:
    payload = parse_payload(cop1(0x00010002, 7, 5, 1, 0x1807, 0x10066001, 5))
    assert payload.stream.tolist() == [7]
    assert payload.config_word == 0x1807


def test_random_bytes_behind_a_good_start_never_do_worse_than_an_error() -> None:
    rng = np.random.default_rng(0)
    for version in (b"COP1", b"COP2"):
        for _ in range(300):
            size = int(rng.integers(0, 90))
            try:
                parse_payload(version + rng.bytes(size))
            except (StreamError, UnsupportedError):
                continue
