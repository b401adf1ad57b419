import socket

import pytest

from deploy.corstone.gdb_remote import ConnectionLostError, GdbConnection, packet
from deploy.errors import TargetError


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield GdbConnection(ours), theirs


def test_packets_are_framed_with_their_checksum():
    assert packet(b"g") == b"$g#67"


def test_replies_are_cut_out_of_the_stream_without_their_acknowledgements(pair):
    gdb, qemu = pair
    qemu.sendall(b"+$OK#9a+" + packet(b"T05"))
    assert gdb.poll() == b"OK"
    assert gdb.poll() == b"T05"
    assert gdb.poll() is None


def test_a_reply_may_arrive_in_pieces(pair):
    gdb, qemu = pair
    for piece in (b"+$", b"T0", b"5#", b"b"):
        qemu.sendall(piece)
        assert gdb.poll() is None
    qemu.sendall(b"9")
    assert gdb.poll() == b"T05"


def test_the_answers_to_changes_are_taken_before_the_next_stop(pair):
    gdb, qemu = pair
    gdb.send(b"P1=00000000", b"Pf=00000000", b"c")
    assert qemu.recv(100) == packet(b"P1=00000000") + packet(b"Pf=00000000") + packet(b"c")
    qemu.sendall(packet(b"OK") + packet(b"OK") + packet(b"T05awatch:58102000;"))
    assert gdb.poll() == b"T05awatch:58102000;"


def test_a_refused_change_is_an_error(pair):
    gdb, qemu = pair
    gdb.send(b"P1=00000000", b"c")
    qemu.sendall(packet(b"E22"))
    with pytest.raises(TargetError, match="refused"):
        gdb.poll()


def test_what_nobody_waits_for_may_be_refused_and_the_next_reply_is_the_right_one(pair):
    gdb, qemu = pair
    gdb.post(b"M38000000,1:00", b"M38000400,1:00")
    qemu.sendall(packet(b"OK") + packet(b"E14") + packet(b"00ff"))
    assert gdb.request(b"g") == b"00ff"


def test_a_wrong_checksum_is_an_error(pair):
    gdb, qemu = pair
    qemu.sendall(b"$OK#00")
    with pytest.raises(TargetError, match="checksum"):
        gdb.poll()


def test_silence_ends_in_an_error_in_time(pair):
    gdb, _ = pair
    with pytest.raises(TargetError, match="does not answer"):
        gdb.request(b"g", timeout_s=0.05)


def test_a_closed_connection_is_told_apart_after_the_last_reply(pair):
    gdb, qemu = pair
    qemu.sendall(packet(b"W00"))
    qemu.close()
    assert gdb.poll() == b"W00"
    with pytest.raises(ConnectionLostError):
        gdb.poll()


def test_endless_noise_is_an_error(pair):
    gdb, qemu = pair
    with pytest.raises(TargetError, match="no gdb packets"):
        for _ in range(100):
            qemu.sendall(b"x" * 4096)
            gdb.poll()
