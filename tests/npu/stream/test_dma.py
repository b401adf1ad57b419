"""Where streams come from that transfers have moved."""

from __future__ import annotations

from deploy.npu.regions import ARENA, CONSTANTS, FAST
from deploy.npu.stream.dma import origin_of
from deploy.npu.stream.operations import AddressRange

FIRST = AddressRange(CONSTANTS, 1000, 64), AddressRange(FAST, 0, 64)
SECOND = AddressRange(CONSTANTS, 2000, 64), AddressRange(FAST, 0, 64)


def test_a_stream_comes_from_where_the_last_transfer_took_it() -> None:
    stream = AddressRange(FAST, 16, 48)
    assert origin_of(stream, [FIRST]) == AddressRange(CONSTANTS, 1016, 48)
    assert origin_of(stream, [FIRST, SECOND]) == AddressRange(CONSTANTS, 2016, 48)


def test_what_no_transfer_brought_as_a_whole_is_where_it_is() -> None:
    for stream in (AddressRange(FAST, 17, 48), AddressRange(ARENA, 16, 48), AddressRange(CONSTANTS, 1016, 48)):
        assert origin_of(stream, [FIRST, SECOND]) == stream
