import os

import pytest

from deploy.corstone.uart import ESCAPE, Uart, UartSink
from deploy.errors import BadInputError, TargetError


@pytest.fixture
def sink(tmp_path):
    sinks = []

    def make(**options):
        sinks.append(UartSink(str(tmp_path / "out.txt"), **options))
        return sinks[-1]

    yield make
    for one in sinks:
        one.close()


def test_bytes_are_written_at_once_and_unchanged(sink, tmp_path):
    assert sink().feed(b"a\x00\xff\x04\r\n") is None
    assert (tmp_path / "out.txt").read_bytes() == b"a\x00\xff\x04\r\n"


def test_eot_ends_the_simulation_and_nothing_follows_it(sink, tmp_path):
    assert sink(shutdown_on_eot=True).feed(b"done\x04more") == b"done\x04"
    assert (tmp_path / "out.txt").read_bytes() == b"done\x04"


@pytest.mark.parametrize("cut", range(8))
def test_a_tag_is_found_wherever_the_output_is_cut(sink, cut, tmp_path):
    uart = sink(shutdown_tag="EXIT")
    text = b"xEXITyyy"
    first = uart.feed(text[:cut])
    if first is None:
        assert uart.feed(text[cut:]) is not None
    assert (tmp_path / "out.txt").read_bytes() == b"xEXIT"


def test_a_tag_is_found_in_single_bytes(sink):
    uart = sink(shutdown_tag="END")
    results = [uart.feed(bytes([byte])) for byte in b"ENEND"]
    assert [result is not None for result in results] == [False, False, False, False, True]


def test_the_earlier_of_two_end_marks_counts(sink, tmp_path):
    sink(shutdown_on_eot=True, shutdown_tag="END").feed(b"END\x04")
    assert (tmp_path / "out.txt").read_bytes() == b"END"


def test_a_file_that_cannot_be_written_is_refused_by_name(tmp_path):
    with pytest.raises(BadInputError, match="nowhere"):
        UartSink(str(tmp_path / "nowhere" / "x.txt"))


def test_a_full_disk_is_an_error_of_the_target():
    full = UartSink("/dev/full")
    with pytest.raises(TargetError, match="No space left"):
        full.feed(b"x")
    full.close()


def test_without_a_file_the_output_is_dropped_but_still_watched():
    assert UartSink("", shutdown_on_eot=True).feed(b"\x04") is not None


class Typist:
    """A peer that has something to type at any time."""

    reading, writing = (-1,), ()

    def __init__(self, text):
        self.text = text

    def receive(self):
        return self.text


def heard(data):
    """What QEMU's multiplexer makes of what it reads, as QEMU's source has it: a command goes no further."""
    passed, escaped = bytearray(), False
    for byte in data:
        if escaped or byte != ESCAPE:
            if not escaped or byte == ESCAPE:
                passed.append(byte)
            else:
                assert chr(byte) not in "?hxsbct"  # what it would do something for
            escaped = False
        else:
            escaped = True
    return bytes(passed)


@pytest.fixture
def typing(sink):
    descriptors = [*os.pipe(), *os.pipe()]
    os.set_blocking(descriptors[2], False)

    def make(text):
        def taken():
            try:
                return os.read(descriptors[2], 1 << 20)
            except BlockingIOError:
                return b""

        return Uart(descriptors[0], descriptors[3], sink(), Typist(text)), taken

    yield make
    for descriptor in descriptors:
        os.close(descriptor)


def test_a_nudge_is_nothing_that_a_program_hears_and_nothing_at_all_where_nobody_typed(typing):
    uart, taken = typing(b"x")
    uart.nudge()
    assert taken() == b""
    uart.service([-1], [])
    assert taken() == b"x"
    uart.nudge()
    nudge = taken()
    assert nudge
    assert heard(nudge) == b""


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_every_byte_is_heard_once_however_little_qemu_takes_and_however_often_it_is_nudged(
    typing, most, monkeypatch
):
    text = bytes([ESCAPE]) * 3 + b"x" + bytes([ESCAPE]) + b"h"
    uart, taken = typing(text)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:most]))
    for turn in range(200):
        uart.service([-1], [])
        if turn % 3 == 0:
            uart.nudge()
    monkeypatch.undo()
    passed = heard(taken())
    assert len(passed) > 50
    assert passed == (text * 200)[: len(passed)]


def test_what_qemu_does_not_take_now_it_gets_later_and_in_order(typing):
    text = bytes([ESCAPE]) + bytes(range(256)) * 16
    uart, taken = typing(text)
    for _ in range(40):  # more than a pipe holds
        uart.service([-1], [])
        uart.nudge()
    passed = b""
    while data := taken():
        passed += data
        uart.service([], [])
    passed = heard(passed)
    assert len(passed) > 1 << 15
    assert passed == (text * 40)[: len(passed)]
    assert len(passed) % len(text) == 0
