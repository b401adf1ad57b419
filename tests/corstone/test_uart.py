import pytest

from deploy.corstone.uart import UartSink
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
