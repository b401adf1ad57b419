"""The firmware's mailbox, used as a simulator's memory is: real server code, whose memory this process shares."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable

import numpy as np
import pytest
from c_server import CServer

from deploy.errors import TargetError
from deploy.targets.firmware_link import FirmwareLink
from deploy.targets.frames import DOORBELL, encode
from deploy.targets.protocol import MailboxPlace, Type, parse_mailbox

IMAGE = np.arange(256, dtype=np.int8).reshape(1, 8, 8, 4)
RING = bytes((DOORBELL,))


class OwnMemory:
    """This process's memory, where the server lies; what is read from it may be changed on the way."""

    def __init__(self, change: Callable[[bytes], bytes] = lambda content: content) -> None:
        self.change = change

    def read(self, address: int, size: int) -> bytes:
        content = ctypes.string_at(address, size)
        return content if size == 4 else self.change(content)

    def write(self, address: int, content: bytes) -> None:
        ctypes.memmove(address, content, len(content))


def outputs(link: FirmwareLink, image: np.ndarray) -> bytes:
    found = link.infer({"image": image}, 2).outputs
    return b"".join(found[name].tobytes() for name in ("garment", "kind"))


def opened(server: CServer, memory: OwnMemory | None = None) -> FirmwareLink:
    link = FirmwareLink(server.port)
    link.greet()
    link.use_mailbox(memory or OwnMemory())
    return link


def test_answers_are_those_of_the_line_and_the_line_carries_a_byte_each_way(c_server: CServer) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        expected = [outputs(link, IMAGE + i) for i in range(4)]
    heard: list[bytes] = []
    said: list[bytes] = []
    with opened(c_server) as link:
        c_server.to_target = lambda data: heard.append(data) or data
        c_server.to_host = lambda data: said.append(data) or data
        assert [outputs(link, IMAGE + i) for i in range(4)] == expected
        link.reset()
        assert heard == said == [RING] * 5


def test_what_does_not_fit_goes_over_the_line(c_server: CServer) -> None:
    with opened(c_server) as link:
        with pytest.raises(TargetError, match="100000 bytes, the network takes 256"):
            link.request(Type.INFER, bytes(100_000), Type.RESULT, 2)
        with pytest.raises(TargetError, match="255 bytes, the network takes 256"):
            link.request(Type.INFER, bytes(255), Type.RESULT, 2)
        assert len(link.request(Type.INFER, bytes(256), Type.RESULT, 2)) == 44 + 176


def test_a_new_conversation_begins_without_the_mailbox(c_server: CServer) -> None:
    with opened(c_server) as link:
        outputs(link, IMAGE)
        link.greet()
        said: list[bytes] = []
        c_server.to_host = lambda data: said.append(data) or data
        link._line.write(RING * 20, 1)  # noise now
        assert outputs(link, IMAGE + 1) == outputs(link, IMAGE + 1)
        assert all(piece != RING for piece in said)


@pytest.mark.parametrize("at", [0, 2, 4, 8, 12, 100, 267, 270])
def test_a_request_that_was_damaged_in_memory_is_refused(c_server: CServer, at: int) -> None:
    class Damaging(OwnMemory):
        def write(self, address: int, content: bytes) -> None:
            if len(content) > 20:  # not what says bye
                content = content[: 4 + at] + bytes((content[4 + at] ^ 1,)) + content[5 + at :]
            super().write(address, content)

    with opened(c_server, Damaging()) as link, pytest.raises(TargetError, match="arrived damaged"):
        outputs(link, IMAGE)


@pytest.mark.parametrize("length", [0, 1, 15, 17, 271, 273, 1 << 16, 0xFFFFFFFF])
def test_a_request_of_a_wrong_length_is_refused(c_server: CServer, length: int) -> None:
    class Wrong(OwnMemory):
        def write(self, address: int, content: bytes) -> None:
            super().write(address, struct.pack("<I", length) + content[4:] if len(content) > 20 else content)

    with opened(c_server, Wrong()) as link, pytest.raises(TargetError, match="arrived damaged"):
        outputs(link, IMAGE)


def test_a_reply_that_is_damaged_stale_or_missing_is_no_answer(c_server: CServer) -> None:
    stale = encode(Type.RESULT, 200, bytes(44 + 176))
    for change, message in (
        (lambda content: content[:-9] + bytes((content[-9] ^ 1,)) + content[-8:], "arrived damaged"),
        (lambda _content: stale, "no answer within 0.5 s"),
        (lambda content: content[:-1], "no answer within 0.5 s"),
        (lambda content: bytes(len(content)), "no answer within 0.5 s"),
    ):
        memory = OwnMemory()
        with opened(c_server, memory) as link:
            memory.change = change
            with pytest.raises(TargetError, match=message):
                link.infer({"image": IMAGE}, 0.5)
            memory.change = lambda content: content


def test_firmware_that_knows_no_mailbox_is_spoken_to_over_the_line(c_server: CServer) -> None:
    # What an older server makes of the request: another number in the place of MAILBOX, and of its check.
    c_server.to_target = lambda data: encode(0x60, data[3]) if data[2:3] == bytes([Type.MAILBOX]) else data
    with opened(c_server) as link:
        said: list[bytes] = []
        c_server.to_host = lambda data: said.append(data) or data
        outputs(link, IMAGE)
        assert len(b"".join(said)) > 200


def test_a_mailbox_in_memory_that_is_none_is_an_error(c_server: CServer) -> None:
    class Nowhere(OwnMemory):
        def write(self, address: int, content: bytes) -> None:
            raise TargetError(f"no memory at 0x{address:08x} ({len(content)} bytes)")

    with opened(c_server, Nowhere()) as link:
        with pytest.raises(TargetError, match="no memory at"):
            outputs(link, IMAGE)
        link.hello = None  # it is not said bye to


def test_memory_that_is_gone_is_a_broken_connection(c_server: CServer) -> None:
    class Gone(OwnMemory):
        def write(self, address: int, content: bytes) -> None:
            raise ProcessLookupError(3, "No such process")

    with opened(c_server, Gone()) as link:
        with pytest.raises(TargetError, match="the connection to the target broke"):
            outputs(link, IMAGE)
        link.hello = None


def test_a_target_that_says_nothing_of_its_mailbox_is_given_up(
    c_server: CServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.targets.firmware_link._GREET_S", 0.3)
    with FirmwareLink(c_server.port) as link:
        link.greet(5)
        c_server.silent = True
        with pytest.raises(TargetError, match=r"no answer within 0\.3 s"):
            link.use_mailbox(OwnMemory())
        c_server.silent = False


def test_the_place_of_a_mailbox_is_believed_within_bounds_only() -> None:
    place = struct.pack("<QQII", 0x70000000, 0x70001000, 272, 512)
    assert parse_mailbox(place) == MailboxPlace(0x70000000, 0x70001000, 272, 512)
    for wrong in (place[:-1], place + b"\0", struct.pack("<QQII", 1, 2, 1 << 31, 4)):
        with pytest.raises(TargetError):
            parse_mailbox(wrong)
