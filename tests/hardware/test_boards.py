"""Every board's file is complete and agrees with itself; Corstone-300's holds what Arm's documents say."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.errors import BadInputError
from deploy.hardware.boards import (
    Board,
    board,
    boards,
    default_board,
    firmware_board,
    firmware_boards,
    firmware_hardware,
    hardware,
)
from deploy.hardware.npus import npus

FIRMWARE = Path(__file__).parents[2] / "firmware"
KNOWN = [each for each in boards() if each.hardware is not None]


def test_corstone_300_is_as_arms_application_note_an547_says() -> None:
    found = hardware("corstone-300")
    memories = {memory.name: (memory.size, memory.nonsecure, memory.secure) for memory in found.memories}
    assert memories == {
        "ITCM": (0x8_0000, 0x0000_0000, 0x1000_0000),
        "BRAM": (0x10_0000, 0x0100_0000, 0x1100_0000),
        "DTCM": (0x8_0000, 0x2000_0000, 0x3000_0000),
        "SRAM": (0x20_0000, 0x2100_0000, 0x3100_0000),
        "QSPI": (0x80_0000, 0x2800_0000, 0x3800_0000),
        "DDR": (0x1000_0000, 0x6000_0000, 0x7000_0000),
    }
    assert [memory.name for memory in found.memories if memory.npu] == ["BRAM", "SRAM", "QSPI", "DDR"]
    assert (found.npu.nonsecure, found.npu.secure, found.npu.interrupt) == (0x4810_2000, 0x5810_2000, 56)
    assert (found.uart.nonsecure, found.uart.secure, found.uart.receive_interrupt) == (
        0x4930_3000,
        0x5930_3000,
        33,
    )


@pytest.mark.parametrize("each", boards(), ids=lambda each: each.id)
def test_a_boards_npus_are_some_that_the_command_line_knows(each: Board) -> None:
    assert each.npus
    for family, sizes in each.npus.items():
        known = {npu.macs for npu in npus().values() if npu.family == family}
        assert known and set(sizes) <= known


@pytest.mark.parametrize("each", KNOWN, ids=lambda each: each.id)
def test_firmware_keeps_what_the_npu_touches_where_it_reaches(each: Board) -> None:
    found = firmware_hardware(each.id)
    for region in (found.arena, found.model):
        assert found.memory(region.memory).npu
    for region in (found.vectors, found.code, found.data, found.arena, found.model):
        memory = found.memory(region.memory)
        assert region.base in (memory.nonsecure, memory.secure) and region.size == memory.size


@pytest.mark.parametrize("each", KNOWN, ids=lambda each: each.id)
def test_the_processor_may_touch_every_memory_and_device_that_firmware_uses(each: Board) -> None:
    found = firmware_hardware(each.id)
    borders = [(found.code.base, found.code.base + found.code.size - 1)]
    borders += [(span.first, span.last) for span in found.ranges]
    assert all(first % 32 == 0 and last % 32 == 31 for first, last in borders)
    assert all(last < first for (_, last), (first, _) in zip(sorted(borders), sorted(borders)[1:], strict=False))

    def kind(first: int, last: int) -> str | None:
        return next((span.kind for span in found.ranges if span.first <= first and last <= span.last), None)

    apart = [found.vectors] if found.vectors != found.code else []
    for region in (*apart, found.data, found.arena, found.model):
        assert kind(region.base, region.base + region.size - 1) == "memory"
    assert kind(found.npu.secure, found.npu.secure + 0xFFF) == "device"
    assert kind(found.uart.secure, found.uart.secure + 0xFFF) == "device"


@pytest.mark.parametrize("each", KNOWN, ids=lambda each: each.id)
def test_its_uart_has_a_driver_and_its_interrupts_a_place_in_the_vector_table(each: Board) -> None:
    found = firmware_hardware(each.id)
    assert (FIRMWARE / f"uart_{found.uart.kind}.c").is_file()
    interrupts = (found.uart.receive_interrupt, found.npu.interrupt)
    assert len(set(interrupts)) == 2 and all(0 <= number < 64 for number in interrupts)
    assert "INTERRUPTS = 64" in (FIRMWARE / "startup.c").read_text()


def test_the_open_machine_has_at_least_what_the_board_has() -> None:
    open_boards = [each.id for each in boards() if each.open_machine]
    assert open_boards == ["corstone-300", "corstone-310", "corstone-320"]
    less = set()
    for each in open_boards:
        for memory in hardware(each).memories:
            if memory.open_size < memory.size * memory.blocks:
                less.add((each, memory.name))
            assert memory.open_size % memory.open_pieces == 0
    # QEMU's 2 MB hold the boot memory, too.
    assert less == {("corstone-320", "BRAM")}


def test_a_memory_that_stands_for_another_holds_it() -> None:
    for each in boards():
        for memory in hardware(each.id).memories if each.open_machine else ():
            if memory.open_inside:
                holder = hardware(each.id).memory(memory.open_inside)
                assert not holder.open_inside and holder.size <= memory.open_offset
                assert memory.open_offset + memory.open_size <= holder.open_size


def test_open_boards_have_npus_that_are_modelled() -> None:
    simulated = {family for each in boards() if each.open_machine for family in each.npus}
    assert simulated == {"U55", "U65", "U85"} == {npu.family for npu in npus().values() if npu.modelled}


def test_a_board_may_come_with_single_sizes_of_an_npu() -> None:
    single = replace(board("corstone-310"), npus={"U55": (64,), "U65": ()}, hardware=None)
    assert single.npu_names == ("U55-64", "U65")
    assert single.has("U55", 64) and single.has("U65", 512)
    assert not single.has("U55", 128) and not single.has("U85", 256)
    assert single.sram is None


@pytest.mark.parametrize(
    ("family", "expected"), [("U55", "corstone-300"), ("U65", "corstone-300"), ("U85", "corstone-320")]
)
def test_every_npu_has_one_board_that_is_taken_unless_another_is_named(family: str, expected: str) -> None:
    assert default_board(family) == board(expected)
    assert [each.id for each in boards() if family in each.default_for] == [expected]
    assert family in board(expected).npus


def test_a_family_that_no_board_has_is_refused() -> None:
    with pytest.raises(BadInputError, match="no board has an Ethos-U99"):
        default_board("U99")


def test_firmware_can_be_rendered_for_every_corstone_by_its_files_name_or_its_own() -> None:
    assert firmware_board("corstone-300") == firmware_board("Corstone-300") == default_board("U55")
    assert firmware_board("corstone-320") == firmware_board(" Corstone-320 ") == default_board("U85")
    assert [each.name for each in firmware_boards()] == ["Corstone-300", "Corstone-310", "Corstone-320"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("corstone-999", "--board corstone-999: no such board"),
        ("bare", "--board bare: it is not known where firmware goes on Bare"),
    ],
)
def test_a_board_that_firmware_cannot_be_rendered_for_is_refused_with_those_that_it_can(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    bare = replace(board("corstone-310"), id="bare", name="Bare", hardware=None)
    known = (*boards(), bare)
    monkeypatch.setattr("deploy.hardware.boards.boards", lambda: known)
    with pytest.raises(BadInputError) as error:
        firmware_board(name)
    assert error.value.message == expected
    assert list(error.value.hints) == ["known: corstone-300, corstone-310, corstone-320"]


def test_corstone_310_and_320_are_as_zephyr_and_trusted_firmware_have_them() -> None:
    boards_memories = {"BRAM": 0x1100_0000, "DTCM": 0x3000_0000, "SRAM": 0x3100_0000, "DDR": 0x7000_0000}
    for name, bram, uart in (
        ("corstone-310", 0x1100_0000, 0x5930_3000),
        ("corstone-320", 0x1200_0000, 0x5820_3000),
    ):
        found = firmware_hardware(name)
        secure = {memory.name: memory.secure for memory in found.memories}
        assert {each: secure[each] for each in boards_memories} == {**boards_memories, "BRAM": bram}
        assert (found.npu.secure, found.npu.interrupt) == (0x5000_4000, 16)
        assert (found.uart.secure, found.uart.receive_interrupt) == (uart, 33)
        assert (found.code.base, found.data.base) == (bram, 0x3000_0000)
        # A reset takes stack and program from there.
        assert found.vectors.base == found.cpu.vectors == 0x1100_0000
