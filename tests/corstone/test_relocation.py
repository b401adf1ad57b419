"""What of an image is moved, and what makes it doubtful whether that would be right."""

import struct
from dataclasses import replace

import pytest
from elf_files import (
    FUNC,
    HEADER,
    NONE,
    OBJECT,
    Part,
    content_of,
    elf,
    entry_of,
    segment_addresses,
    words,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.corstone.relocation import relocate
from deploy.corstone.stand_in import Move
from deploy.errors import BadInputError

MEMORY = Move("BRAM", 0x12000000, 0x200000, 0x11020000, 0x1E0000, memory=True)
UART = Move("UART0", 0x48203000, 0x1000, 0x49303000, 0x1000, memory=False)
MOVES = (MEMORY, UART)
SHIFT = MEMORY.to - MEMORY.first

NOP = b"\x00\xbf"
CODE = ("$t", 0, 0, NONE), ("main", 0, 8, FUNC)
POOL = ("$d", 8, 0, NONE)


def boot(*values: int) -> Part:
    """A vector table in memory that stays."""
    return Part(0x11000000, words(*values), [("$d", 0, 0, NONE)], executable=False)


def program(*pool: int, address: int = 0x12000000, code: bytes = NOP * 4, more: tuple = ()) -> Part:
    """Eight bytes of code and a pool of words behind it."""
    return Part(address, code + words(*pool), [*CODE, POOL, *more])


def pool_of(content: bytes, number: int = 0) -> list[int]:
    raw = content_of(content, number)[8:]
    return list(struct.unpack(f"<{len(raw) // 4}I", raw))


def moved(*parts: Part, entry: int = 0) -> bytes:
    return relocate(elf(*parts, entry=entry), MOVES).content


def test_segments_entry_and_the_words_that_name_a_place_in_the_image_move() -> None:
    content = moved(boot(0x30000400, 0x12000001), program(0x12000000, 7, 0x1200000D), entry=0x12000001)
    assert segment_addresses(content) == [(0x11000000, 0x11000000), (0x11020000, 0x11020000)]
    assert entry_of(content) == 0x11020001
    assert content_of(content, 0) == words(0x30000400, 0x11020001)
    assert pool_of(content, 1) == [0x11020000, 7, 0x1102000D]


def test_what_was_changed_is_counted_by_what_it_was_moved_for() -> None:
    found = relocate(elf(program(0x12000000, 0x48203010, 0x12000004)), MOVES)
    assert found.words == {MEMORY: 2, UART: 1}
    assert found.segments == {MEMORY: 1}


def test_devices_are_mapped_to_their_twins_and_neighbours_are_left() -> None:
    content = moved(program(0x48203000, 0x48203FFC, 0x48204000, 0x48202FFF))
    assert pool_of(content) == [0x49303000, 0x49303FFC, 0x48204000, 0x48202FFF]


def test_the_numbers_of_a_network_are_no_addresses_whatever_they_look_like() -> None:
    numbers = words(0x12000000, 0x48203000, *[5] * 2000)
    network = Part(0x70000000, numbers, [("$d", 0, 0, NONE), ("network_weights", 0, len(numbers), OBJECT)], False)
    content = moved(program(0x12000000), replace(network, name=".network_data"))
    assert content_of(content, 1) == numbers
    assert pool_of(content) == [0x11020000]
    with pytest.raises(BadInputError, match="network_weights"):
        moved(program(0x12000000), replace(network, name=".rodata"))


def test_words_in_code_are_instructions_whatever_they_look_like() -> None:
    # asrs r0, r0, #8 behind a NOP is the word 0x1200bf00.
    code = NOP + b"\x00\x12" + b"\x00\x00\x00\x12"
    content = moved(program(0x12000000, code=code))
    assert content_of(content, 0)[:8] == code


def test_a_place_beyond_what_the_image_takes_is_no_address_of_its_own() -> None:
    assert pool_of(moved(program(0x12100000, 0x02000000))) == [0x12100000, 0x02000000]


def test_memory_that_nothing_is_loaded_to_belongs_to_the_image() -> None:
    heap = Part(0x12080000, b"", executable=False, size=0x1000, kind=8, loaded=False)
    # The address behind the heap is where it ends.
    assert pool_of(moved(program(0x12080800, 0x12081000, 0x12081001), heap)) == [
        0x12080800 + SHIFT,
        0x12081000 + SHIFT,
        0x12081001,
    ]


def test_what_runs_elsewhere_than_it_is_loaded_moves_in_both() -> None:
    data = Part(0x31000000, words(0x12000000), [("$d", 0, 0, NONE)], executable=False, load=0x12000100)
    content = moved(program(0), data)
    assert segment_addresses(content)[1] == (0x31000000, 0x12000100 + SHIFT)
    assert content_of(content, 1) == words(0x12000000 + SHIFT)


def test_an_image_that_lies_where_qemu_has_memory_only_gets_its_devices_mapped() -> None:
    content = moved(program(0x48203000, 0x10000000, address=0x10000000), entry=0x10000001)
    assert segment_addresses(content) == [(0x10000000, 0x10000000)]
    assert (pool_of(content), entry_of(content)) == ([0x49303000, 0x10000000], 0x10000001)


def test_what_a_linker_script_writes_has_no_symbols_and_is_data() -> None:
    table = Part(0x12000100, words(0x12000000, 16), executable=False)
    assert content_of(moved(program(0), table), 1) == words(0x12000000 + SHIFT, 16)


def test_words_that_no_symbol_calls_code_or_data_are_refused() -> None:
    part = Part(0x12000000, NOP * 4 + words(0x12000000), [("main", 0, 8, FUNC)])
    with pytest.raises(BadInputError, match="0x12000000 at 0x12000008 may be an address: no mapping symbol"):
        moved(part)
    harmless = Part(0x12000000, NOP * 4 + words(7), [("main", 0, 8, FUNC)])
    assert segment_addresses(moved(harmless)) == [(0x11020000, 0x11020000)]


def test_words_among_code_that_are_part_of_no_function_are_refused() -> None:
    part = Part(0x12000000, NOP * 4 + words(0x12000000), [*CODE])
    with pytest.raises(BadInputError, match="part of no function"):
        moved(part)


MOVW_MOVT = struct.pack("<4H", 0xF240, 0x0310, 0xF2C1, 0x2300)  # movw r3, #0x10; movt r3, #0x1200
MOVT_ALONE = NOP * 2 + struct.pack("<2H", 0xF2C1, 0x2300)
MOV = NOP * 2 + struct.pack("<2H", 0xF04F, 0x5390)  # mov.w r3, #0x12000000
OTHER_REGISTER = struct.pack("<4H", 0xF240, 0x0410, 0xF2C1, 0x2300)


@pytest.mark.parametrize("code", [MOVW_MOVT, MOVT_ALONE, MOV, OTHER_REGISTER])
def test_an_address_that_code_makes_by_itself_is_refused(code: bytes) -> None:
    with pytest.raises(BadInputError, match=r"0x1200000\d makes an address in BRAM by itself"):
        moved(program(0, 0, 0, 0, 0, code=code))


def test_a_device_that_code_reaches_by_itself_is_refused_and_its_neighbour_is_not() -> None:
    pair = struct.pack("<4H", 0xF243, 0x0310, 0xF6C4, 0x0320)  # movw r3, #0x3010; movt r3, #0x4820
    with pytest.raises(BadInputError, match="an address in UART0 by itself"):
        moved(program(0, code=pair))
    pair = struct.pack("<4H", 0xF244, 0x0310, 0xF6C4, 0x0320)  # movw r3, #0x4010: another device
    assert content_of(moved(program(0, code=pair)), 0)[:8] == pair


def test_the_halves_of_other_instructions_are_no_instruction() -> None:
    # ldr.w r2, [pc, #0x2c1]'s second half and movs r3, r0: a MOVT only if read from the middle.
    code = struct.pack("<4H", 0xF8DF, 0xF2C1, 0x2300, 0xBF00)
    assert content_of(moved(program(0, code=code)), 0)[:8] == code


def test_a_large_array_in_which_something_looks_like_an_address_is_refused() -> None:
    array = [0x3C000000 + number for number in range(2000)]
    array[700] = 0x12000004
    part = program(*array, more=(("weights", 8, 8000, OBJECT),))
    with pytest.raises(BadInputError, match="1 of the 2000 words of weights at 0x12000008 look like addresses"):
        moved(part)
    table = program(*[0x12000001] * 2000, more=(("handlers", 8, 8000, OBJECT),))
    assert set(pool_of(moved(table))) == {0x12000001 + SHIFT}


FAR = 0x70000000
DISTANCE = struct.pack("<4H", 0x4B01, 0x447B, 0xBF00, 0xBF00)  # ldr r3, [pc, #4]; add r3, pc; the literal behind
WIDE = struct.pack("<4H", 0xF8DF, 0xC004, 0x44FC, 0xBF00)  # ldr.w ip, [pc, #4]; add ip, pc


def distance(address: int, target: int, add: int = 2) -> int:
    return target - (address + add + 4) & 0xFFFFFFFF


@pytest.mark.parametrize(("code", "add"), [(DISTANCE, 2), (WIDE, 4)])
def test_distances_between_code_that_moves_and_code_that_does_not_change(code: bytes, add: int) -> None:
    near = program(distance(0x12000000, FAR + 1, add), code=code)
    far = program(distance(FAR, 0x12000001, add), code=code, address=FAR)
    found = relocate(elf(near, far), MOVES)
    assert found.distances == 2
    assert pool_of(found.content, 0) == [distance(0x12000000 + SHIFT, FAR + 1, add)]
    assert pool_of(found.content, 1) == [distance(FAR, 0x12000001 + SHIFT, add)]


def test_distances_to_what_moves_along_stay() -> None:
    inside = distance(0x12000000, 0x1200000C)
    found = relocate(elf(program(inside, 5, code=DISTANCE), program(0, address=FAR)), MOVES)
    assert (found.distances, pool_of(found.content)) == (0, [inside, 5])


def test_a_load_in_the_middle_of_another_instruction_is_none() -> None:
    # The second half of the first instruction reads as ldr r3, [pc, #4]; the real load stands before it.
    code = struct.pack("<6H", 0x4B02, 0xF240, 0x4B01, 0x447B, 0xBF00, 0xBF00)
    part = Part(
        0x12000000,
        code + words(distance(0x12000000, FAR, 6), 0),
        [("$t", 0, 0, NONE), ("main", 0, 12, FUNC), ("$d", 12, 0, NONE)],
    )
    found = relocate(elf(part, program(0, address=FAR)), MOVES)
    assert content_of(found.content, 0)[12:] == words(distance(0x12000000 + SHIFT, FAR, 6), 0)


def test_code_that_branches_may_reach_and_that_moves_otherwise_is_refused() -> None:
    with pytest.raises(BadInputError, match="0x11000000 and 0x12000000 would be moved by different distances"):
        moved(program(0, address=0x11000000), program(0))


def test_an_image_that_takes_more_than_qemu_has_is_refused() -> None:
    heap = Part(0x121D0000, b"", executable=False, size=0x20000, kind=8, loaded=False)
    with pytest.raises(
        BadInputError, match="takes BRAM up to 0x121f0000; QEMU's machine has room up to 0x121e0000"
    ):
        moved(program(0), heap)


GOOD = elf(boot(0x30000400, 0x12000001), program(0x12000000, 0x48203000), entry=0x12000001)


@settings(max_examples=400, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(0, len(GOOD) - 1))
def test_random_damage_gives_an_image_of_the_same_size_or_our_refusal(damage: bytes, position: int) -> None:
    content = bytearray(GOOD)
    content[position : position + len(damage)] = damage
    try:
        found = relocate(bytes(content), MOVES)
    except BadInputError as error:
        assert error.message
    else:
        assert len(found.content) == len(content)


@pytest.mark.parametrize("size", [HEADER, HEADER + 20, HEADER + 64, len(GOOD) - 130, len(GOOD) - 1])
def test_a_file_that_is_cut_off_is_refused(size: int) -> None:
    with pytest.raises(BadInputError, match="broken ELF file"):
        relocate(GOOD[:size], MOVES)


def test_a_file_without_symbols_is_refused_where_it_holds_addresses() -> None:
    part = Part(0x12000000, NOP * 4 + words(0x12000000))
    with pytest.raises(BadInputError, match="no mapping symbol"):
        moved(part)
