import socket
import time

import pytest

from deploy.corstone.terminal import TelnetDecoder, Terminal
from deploy.errors import BadInputError


@pytest.fixture
def terminal():
    made = Terminal(5000, telnet=False)
    yield made
    made.close()


def connect(terminal):
    client = socket.create_connection(("127.0.0.1", terminal.port), timeout=5)
    receive(terminal)  # accepts
    return client


def receive(terminal):
    """Call as the machine does, until something arrives or nothing will."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        data = terminal.receive()
        if data or terminal.writing:
            return data
        time.sleep(0.005)
    return b""


def test_output_before_a_client_comes_is_kept_for_it(terminal):
    terminal.send(b"early ")
    with connect(terminal) as client:
        terminal.send(b"late \xff")
        received = b""
        while len(received) < 12:
            received += client.recv(100)
        assert received == b"early late \xff"


def test_what_a_client_types_arrives_and_another_client_can_follow(terminal):
    for text in (b"first\n", b"second\n"):
        with connect(terminal) as client:
            client.sendall(text)
            assert receive(terminal) == text
        assert receive(terminal) == b""


def test_a_client_that_has_left_while_the_program_answers_is_heard_to_the_end(terminal):
    text = bytes(range(256)) * 100
    with connect(terminal) as client:
        client.sendall(text)
        terminal.send(b"what it leaves unread")
    heard = b""
    while data := receive(terminal):
        heard += data
        for _ in range(3):  # the first after it has left is still taken
            terminal.send(b"x")
            time.sleep(0.01)
    assert heard == text
    with connect(terminal) as client:
        terminal.send(b"y")
        assert client.recv(100).endswith(b"y")


def test_the_next_free_port_is_taken(terminal):
    other = Terminal(terminal.port, telnet=False)
    assert other.port > terminal.port
    other.close()


def test_only_the_loopback_interface_listens(terminal):
    assert terminal._listener.getsockname()[0] == "127.0.0.1"


def test_without_any_free_port_there_is_an_error():
    taken = Terminal(65535, telnet=False)
    with pytest.raises(BadInputError, match="no free TCP port"):
        Terminal(65535, telnet=False)
    taken.close()


def test_a_client_that_never_reads_costs_bounded_memory(terminal):
    with connect(terminal):
        for _ in range(64):
            terminal.send(b"x" * 262144)
        assert len(terminal._backlog) <= 1 << 20


def test_telnet_commands_are_taken_out_wherever_they_are_cut():
    stream = b"a\xff\xfd\x03b\xff\xff\xff\xfa\x18\x01\xff\xf0c\r\x00\xff\xf1d"
    for cut in range(len(stream)):
        decoder = TelnetDecoder()
        assert decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]) in (b"ab\xffc\rd", b"ab\xffc\r\x00d")
    assert TelnetDecoder().feed(stream) == b"ab\xffc\rd"


def test_a_telnet_command_that_a_client_leaves_unfinished_takes_nothing_of_the_next_client():
    terminal = Terminal(5000, telnet=True)
    for text in (b"first\xff", b"second"):
        with connect(terminal) as client:
            client.sendall(text)
            assert receive(terminal) == text.rstrip(b"\xff")
        assert receive(terminal) == b""
    terminal.close()


def test_in_telnet_mode_bytes_of_255_are_doubled():
    terminal = Terminal(5000, telnet=True)
    terminal.send(b"\xff")
    with connect(terminal) as client:
        assert client.recv(10) == b"\xff\xff"
    terminal.close()
