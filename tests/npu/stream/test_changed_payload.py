"""Command streams cut short, and streams of other content, in payloads of the same size."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.npu.architecture import Architecture
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.program import decode, run
from deploy.npu.regions import ARENA, CONSTANTS, FAST
from deploy.npu.stream import u55_commands, u85_commands
from deploy.npu.stream.changed_payload import ENDING, copying, cut, with_stream
from deploy.npu.stream.commands import CommandSet, Settings, split
from deploy.npu.stream.payload import parse_payload

CONFIG = [0x1, 0x1807, 0x10064001]
# Two transfers of 16 bytes from region 0 to region 1, then stop.
FIRST = [0x130, 0x10131, 0x4030, 0, 0x4031, 0, 0x4032, 16, 0x10]
SECOND = [0x4031, 32, 0x10]
STREAM = [*FIRST, *SECOND, 0xFFFF0000]


def payload(stream: list[int]) -> bytes:
    words = [int.from_bytes(b"COP1", "little"), *CONFIG, 5, 2 | len(stream) << 16, *stream]
    return np.array(words, "<u4").tobytes()


def decoded(content: bytes) -> tuple[list[int], bool]:
    """Offsets of the operations, and whether the stream ends with its stop."""
    program = decode(parse_payload(content).stream, Architecture("U55", 128))
    stream = parse_payload(content).stream
    return [operation.offset for operation in program.operations], program.stopped and program.words == stream.size


def test_a_stream_that_is_cut_ends_behind_an_operation_and_the_npu_waits_for_it() -> None:
    whole = payload(STREAM)
    part = cut(whole, 4 * len(FIRST))
    assert parse_payload(part).stream.tolist() == [*FIRST, *ENDING]
    assert decoded(part) == ([32], True)
    assert len(part) == len(whole)
    assert parse_payload(part).config_word == 0x1807


def test_nothing_kept_is_an_npu_that_only_stops() -> None:
    assert decoded(cut(payload(STREAM), 0)) == ([], True)


@pytest.mark.parametrize("after", [0, 1])
def test_where_there_is_no_room_for_waiting_the_stop_remains(after: int) -> None:
    whole = payload([*STREAM, *[0x12] * after])
    assert decoded(cut(whole, 4 * (len(STREAM) - 1))) == ([32, 44], True)


def test_all_kept_is_the_payload_itself() -> None:
    assert cut(payload(STREAM), 4 * len(STREAM)) == payload(STREAM)


@pytest.mark.parametrize("kept", [-4, 2, 4 * len(STREAM) + 4])
def test_what_is_no_part_of_the_stream_is_refused(kept: int) -> None:
    with pytest.raises(StreamError, match=f"{kept} bytes of a command stream"):
        cut(payload(STREAM), kept)


def test_copies_of_constants_go_to_the_beginning_of_regions() -> None:
    content = copying(payload([0x12] * 40), [(ARENA, 0, 32), (FAST, 32, 16)])
    regions = {
        CONSTANTS: np.arange(64, dtype=np.uint8),
        ARENA: np.zeros(64, np.uint8),
        FAST: np.zeros(64, np.uint8),
    }
    run(decode(parse_payload(content).stream, Architecture("U65", 256)), regions)
    assert regions[ARENA].tolist() == [*range(32), *[0] * 32]
    assert regions[FAST].tolist() == [*range(32, 48), *[0] * 48]


def test_what_is_written_here_means_the_same_on_all_npus() -> None:
    stream = parse_payload(copying(payload([0x12] * 40), [(FAST, 32, 16)])).stream

    def meaning(commands: CommandSet) -> list[tuple[str, Settings]]:
        settings: Settings = {}
        words = np.array([*stream, *ENDING], np.uint32)
        return [(command.code.name, settings.copy()) for command in split(words, commands, settings)]

    assert meaning(u55_commands.COMMANDS) == meaning(u85_commands.COMMANDS)
    regions = {CONSTANTS: np.arange(64, dtype=np.uint8), FAST: np.zeros(64, np.uint8)}
    run(decode(stream, Architecture("U85", 256)), regions)
    assert regions[FAST].tolist() == [*range(32, 48), *[0] * 48]


def test_a_stream_that_is_too_long_for_the_payload_is_refused() -> None:
    with pytest.raises(StreamError, match="14 words of command stream in the place of 13"):
        with_stream(payload(STREAM), [*STREAM, 0x12])
    with pytest.raises(StreamError, match="words of command stream in the place of"):
        copying(payload(STREAM), [(ARENA, 0, 32), (FAST, 32, 32)])


def test_long_streams_keep_their_length_in_both_its_parts() -> None:
    stream = [0x12] * 70_000
    head = [int.from_bytes(b"COP1", "little"), 2 | (70_000 >> 16) << 8 | (70_000 & 0xFFFF) << 16]
    whole = np.array([*head, *stream], "<u4").tobytes()
    assert parse_payload(cut(whole, 4 * 69_000)).stream.size == 69_000 + len(ENDING)


def test_other_containers_are_refused() -> None:
    words = [0x32504F43, 1, 0, 0, 1, 0, 0, 0x4D554556, 0, 0, 0x1807, 0, 1, 0, 0, *STREAM]
    words[2], words[5], words[6] = 4 * (len(words) - 4), 4 * (len(words) - 6), 4 * 8
    content = np.array(words, "<u4").tobytes()
    assert parse_payload(content).stream.tolist() == STREAM
    with pytest.raises(UnsupportedError, match="COP2"):
        cut(content, 0)
