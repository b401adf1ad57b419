"""QEMU's machine protocol against a peer that says what the test wants."""

import socket

import pytest

from deploy.corstone.qmp import QmpConnection
from deploy.errors import TargetError


def test_qemu_that_hangs_while_it_counts_instructions_leads_to_the_timers_and_to_a_way_without(monkeypatch):
    monkeypatch.setattr("deploy.corstone.qmp._ANSWER_TIMEOUT_S", 0.05)
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b'{"return": {}}\n')
        with pytest.raises(TargetError, match="QEMU does not answer") as raised:
            QmpConnection(here).instructions()
    assert "system timers" in raised.value.hints[0]
    assert "--fast" in raised.value.hints[0]
