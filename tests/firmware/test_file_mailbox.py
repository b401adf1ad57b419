"""The firmware's mailbox in files that its host serves: real server code, real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from c_server import CServer
from test_mailbox import IMAGE, RING, outputs

from deploy.errors import TargetError
from deploy.targets.firmware_link import FirmwareLink
from deploy.targets.frames import encode
from deploy.targets.mailbox import PROOF_BYTES, REPLY_FILE, REQUEST_FILE, FileMailbox
from deploy.targets.protocol import MailboxPlace, Type


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a name as a private one may have."""
    made = tmp_path / "files of a run"
    made.mkdir()
    return made


def opened(server: CServer, folder: Path) -> FirmwareLink:
    link = FirmwareLink(server.port)
    link.greet()
    link.use_files(folder)
    return link


def test_answers_are_those_of_the_line_and_the_line_carries_a_byte_each_way(
    c_server: CServer, folder: Path
) -> None:
    with FirmwareLink(c_server.port) as link:
        link.greet()
        expected = [outputs(link, IMAGE + i) for i in range(4)]
    c_server.serves(folder)
    heard: list[bytes] = []
    said: list[bytes] = []
    with opened(c_server, folder) as link:
        c_server.to_target = lambda data: heard.append(data) or data
        c_server.to_host = lambda data: said.append(data) or data
        before = c_server.host_calls
        assert [outputs(link, IMAGE + i) for i in range(4)] == expected
        assert c_server.host_calls - before == 4 * 6
        assert heard == said == [RING] * 4
        assert sorted(path.name for path in folder.iterdir()) == [REPLY_FILE, REQUEST_FILE]


def test_where_nobody_serves_files_the_line_is_taken(c_server: CServer, folder: Path) -> None:
    said: list[bytes] = []
    with opened(c_server, folder) as link:
        c_server.to_host = lambda data: said.append(data) or data
        outputs(link, IMAGE)
    assert len(said[0]) > 200


def test_firmware_that_knows_no_files_is_spoken_to_over_the_line(c_server: CServer, folder: Path) -> None:
    c_server.serves(folder)
    c_server.to_target = lambda data: encode(0x60, data[3]) if data[2:3] == bytes([Type.FILES]) else data
    before = c_server.host_calls
    with opened(c_server, folder) as link:
        outputs(link, IMAGE)
    assert c_server.host_calls == before


def test_a_folder_of_another_computer_is_none_and_the_line_is_taken(
    c_server: CServer, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / REQUEST_FILE).write_bytes(bytes(PROOF_BYTES))
    c_server.serves(elsewhere)
    said: list[bytes] = []
    with opened(c_server, folder) as link:
        c_server.to_host = lambda data: said.append(data) or data
        outputs(link, IMAGE)
    assert len(said[0]) > 200


def test_a_new_conversation_begins_without_files(c_server: CServer, folder: Path) -> None:
    c_server.serves(folder)
    with opened(c_server, folder) as link:
        outputs(link, IMAGE)
        link.greet()
        before = c_server.host_calls
        link._line.write(RING * 20, 1)  # noise now
        assert outputs(link, IMAGE + 1) == outputs(link, IMAGE + 1)
        assert c_server.host_calls == before


CHANGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda frame: frame[:-1],
    lambda frame: frame[:-1] + bytes((frame[-1] ^ 1,)),
    lambda _frame: b"",
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_request_that_is_not_whole_is_refused(
    c_server: CServer, folder: Path, change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    c_server.serves(folder)
    put = FileMailbox.put
    with opened(c_server, folder) as link:
        monkeypatch.setattr(FileMailbox, "put", lambda self, frame: put(self, change(frame)))
        with pytest.raises(TargetError, match="arrived damaged"):
            outputs(link, IMAGE)
        link.hello = None


def test_a_reply_that_is_stale_missing_or_too_long_is_no_answer(folder: Path) -> None:
    mailbox = FileMailbox(folder, MailboxPlace(0, 0, 40, 10))
    assert (mailbox.holds(bytes(40)), mailbox.holds(bytes(41))) == (True, False)
    (folder / REPLY_FILE).write_bytes(b"stale")
    mailbox.put(b"request")
    assert mailbox.take() == b""
    (folder / REPLY_FILE).write_bytes(bytes(11))
    assert mailbox.take() == b""
    (folder / REPLY_FILE).write_bytes(bytes(10))
    assert mailbox.take() == bytes(10)


def test_files_that_are_gone_are_a_broken_connection(c_server: CServer, folder: Path) -> None:
    c_server.serves(folder)
    with opened(c_server, folder) as link:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        with pytest.raises(TargetError, match="the connection to the target broke"):
            outputs(link, IMAGE)
        link.hello = None


def test_inputs_that_differ_by_a_byte_have_answers_of_their_own(c_server: CServer, folder: Path) -> None:
    c_server.serves(folder)
    with opened(c_server, folder) as link:
        assert len({outputs(link, np.full_like(IMAGE, i)) for i in range(8)}) == 8
