import os
import socket

import pytest

from deploy.corstone.input_file import InputFile
from deploy.corstone.terminal import Terminal
from deploy.errors import BadInputError


def test_a_file_is_typed_to_its_end(tmp_path):
    (tmp_path / "in.bin").write_bytes(bytes(range(256)) * 20)
    source = InputFile(str(tmp_path / "in.bin"))
    received = b""
    while source.reading:
        received += source.receive()
    assert received == bytes(range(256)) * 20
    source.send(b"to nobody")
    source.flush()
    assert source.receive() == b""
    source.close()


def test_a_pipe_that_has_nothing_yet_has_not_ended(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    source = InputFile(str(tmp_path / "pipe"))
    writer = os.open(tmp_path / "pipe", os.O_WRONLY)
    assert source.receive() == b""
    os.write(writer, b"typed")
    assert source.receive() == b"typed"
    assert source.reading
    os.close(writer)
    assert source.receive() == b""
    assert not source.reading
    source.close()


def test_a_terminal_sees_all_output_and_types_after_the_file(tmp_path):
    (tmp_path / "in.txt").write_text("file")
    terminal = Terminal(5000, telnet=False)
    source = InputFile(str(tmp_path / "in.txt"), terminal)
    source.send(b"early")
    assert source.receive() == b"file"
    assert source.receive() == b""
    assert source.reading == terminal.reading
    with socket.create_connection(("127.0.0.1", terminal.port), timeout=5) as client:
        assert source.receive() == b""  # accepts
        client.sendall(b"typed")
        assert client.recv(10) == b"early"
        received = b""
        while not received:
            received = source.receive()
        assert received == b"typed"
    source.close()


def test_input_that_cannot_be_read_is_refused_by_name(tmp_path):
    with pytest.raises(BadInputError, match="nowhere"):
        InputFile(str(tmp_path / "nowhere"))
    folder = InputFile(str(tmp_path))
    with pytest.raises(BadInputError, match="cannot be read: Is a directory"):
        folder.receive()
    folder.close()
