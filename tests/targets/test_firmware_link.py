"""The handshake with firmware waits as long as it may: replies may be slow, come in pieces, or get lost."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.errors import TargetError
from deploy.targets import firmware_link
from deploy.targets.firmware_link import FirmwareLink
from deploy.targets.frames import FrameReader, encode
from deploy.targets.protocol import Type

HELLO = struct.pack("<HH32s8sIBBHI", 1, 1, b"\xaa" * 32, b"\xbb" * 8, 256, 0, 0, 0, 4096)

Behaviour = Callable[[socket.socket, int, float], None]


@pytest.fixture(autouse=True)
def four_times_as_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host asks again after a quarter of a second, and no less often than each second."""
    monkeypatch.setattr(firmware_link, "_HELLO_AGAIN_S", 0.25)
    monkeypatch.setattr(firmware_link, "_MOST_S", 1.0)


@contextlib.contextmanager
def firmware(behaviour: Behaviour) -> Iterator[str]:
    """A target that does ``behaviour(connection, sequence, seconds since it was connected)`` for each hello."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            started, reader = time.monotonic(), FrameReader()
            with connection, contextlib.suppress(OSError):
                while received := connection.recv(4096):
                    for frame in reader.feed(received):
                        behaviour(connection, frame.sequence, time.monotonic() - started)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
    thread.join(5)


def greeted(behaviour: Behaviour, timeout_s: float) -> bool:
    with firmware(behaviour) as port, FirmwareLink(port) as link:
        found = link.greet(timeout_s)
        link.hello = None  # nobody is there to say bye to
        return found.model_sha256 == "aa" * 32


def slow(connection: socket.socket, sequence: int, _seconds: float) -> None:
    """Every reply comes when the question has been asked again."""
    time.sleep(0.4)
    connection.sendall(encode(Type.HELLO_REPLY, sequence, HELLO))


def piece_by_piece(connection: socket.socket, sequence: int, _seconds: float) -> None:
    """A reply on a slow line: half of it has come when the question is asked again."""
    whole = encode(Type.HELLO_REPLY, sequence, HELLO)
    for at in range(0, len(whole), 8):
        connection.sendall(whole[at : at + 8])
        time.sleep(0.05)


def deaf_at_first(connection: socket.socket, sequence: int, seconds: float) -> None:
    """The first questions get lost: it boots."""
    if seconds > 0.5:
        connection.sendall(encode(Type.HELLO_REPLY, sequence, HELLO))


@pytest.mark.parametrize("behaviour", [slow, piece_by_piece, deaf_at_first])
def test_a_handshake_waits_as_long_as_it_may(behaviour: Behaviour) -> None:
    assert greeted(behaviour, 20)


def test_late_answers_to_earlier_hellos_disturb_no_request() -> None:
    def behaviour(connection: socket.socket, sequence: int, _seconds: float) -> None:
        time.sleep(0.3 if sequence == 1 else 0)
        for each in (1, 2, sequence):
            connection.sendall(encode(Type.HELLO_REPLY, each, HELLO))
        connection.sendall(encode(Type.BYE_REPLY, sequence))

    with firmware(behaviour) as port, FirmwareLink(port) as link:
        link.greet(20)
        assert link.request(Type.BYE, b"", Type.BYE_REPLY, 10) == b""


def test_a_target_that_says_nothing_is_given_up_after_the_time_that_the_user_chose() -> None:
    started = time.monotonic()
    with pytest.raises(TargetError, match=r"no hello within 0\.5 s"):
        greeted(lambda *_: None, 0.5)
    assert time.monotonic() - started < 10


def test_a_reply_that_ends_in_the_middle_says_how_much_came() -> None:
    def behaviour(connection: socket.socket, sequence: int, _seconds: float) -> None:
        if sequence == 1:
            connection.sendall(encode(Type.HELLO_REPLY, sequence, HELLO)[:-8])

    with pytest.raises(TargetError, match="a reply ended after"):
        greeted(behaviour, 1.5)
