import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.corstone.access import advanced_xpsr, decode, disassembled, may_access

# Registers: r0 = 0x58102080, r1.. = distinct numbers, r3 = 2 (an index).
REGISTERS = [0x58102080, 0x11, 0x58102100, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x20000000, 14, 0x1000, 0x01000000]


def code(text):
    """Machine code from the halfwords as a listing shows them."""
    return b"".join(struct.pack("<H", int(text[i : i + 4], 16)) for i in range(0, len(text), 4))


@pytest.mark.parametrize(
    ("listing", "name", "load", "registers", "addresses", "write_back"),
    [
        ("6851", "ldr r1,[r2,#4]", True, (1,), [0x58102104], 0),
        ("6011", "str r1,[r2]", False, (1,), [0x58102100], 0),
        ("f8c21208", "str.w r1,[r2,#0x208]", False, (1,), [0x58102308], 0),
        ("f8521c04", "ldr r1,[r2,#-4]", True, (1,), [0x581020FC], 0),
        ("f8521b04", "ldr r1,[r2],#4", True, (1,), [0x58102100], 4),
        ("f8421904", "str r1,[r2],#-4", False, (1,), [0x58102100], -4),
        ("f8521f04", "ldr r1,[r2,#4]!", True, (1,), [0x58102104], 4),
        ("f8421d04", "str r1,[r2,#-4]!", False, (1,), [0x581020FC], -4),
        ("f8521023", "ldr r1,[r2,r3,lsl#2]", True, (1,), [0x58102108], 0),
        ("58d1", "ldr r1,[r2,r3]", True, (1,), [0x58102102], 0),
        ("7851", "ldrb r1,[r2,#1]", True, (1,), [0x58102101], 0),
        ("8051", "strh r1,[r2,#2]", False, (1,), [0x58102102], 0),
        ("f9921000", "ldrsb r1,[r2]", True, (1,), [0x58102100], 0),
        ("e9d20102", "ldrd r0,r1,[r2,#8]", True, (0, 1), [0x58102108, 0x5810210C], 0),
        ("e8e20102", "strd r0,r1,[r2],#8", False, (0, 1), [0x58102100, 0x58102104], 8),
        ("e9520102", "ldrd r0,r1,[r2,#-8]", True, (0, 1), [0x581020F8, 0x581020FC], 0),
        ("c806", "ldm r0!,{r1,r2}", True, (1, 2), [0x58102080, 0x58102084], 8),
        ("e8800106", "stm r0,{r1,r2,r8}", False, (1, 2, 8), [0x58102080, 0x58102084, 0x58102088], 0),
        ("e9300006", "ldmdb r0!,{r1,r2}", True, (1, 2), [0x58102078, 0x5810207C], -8),
        ("e9200006", "stmdb r0!,{r1,r2}", False, (1, 2), [0x58102078, 0x5810207C], -8),
        ("e8d21faf", "lda r1,[r2]", True, (1,), [0x58102100], 0),
        ("e8c21faf", "stl r1,[r2]", False, (1,), [0x58102100], 0),
        ("f8521e04", "ldrt r1,[r2,#4]", True, (1,), [0x58102104], 0),
        ("4801", "ldr r0,[pc,#4]", True, (0,), [0x1008], 0),
    ],
)
def test_loads_and_stores_are_decoded(listing, name, load, registers, addresses, write_back):
    instruction = decode(code(listing))
    assert instruction is not None, name
    assert instruction.load is load
    assert instruction.registers == registers
    assert instruction.addresses(REGISTERS) == addresses
    assert instruction.write_back == write_back
    assert instruction.length == len(listing) // 2


def test_every_16_bit_load_or_store_of_a_word_is_what_the_disassembler_says():
    for halfword in range(0x6000, 0x7000):
        instruction = struct.pack("<H", halfword)
        assert decode(instruction) == disassembled(instruction) is not None, f"{halfword:04x}"


@given(
    st.sampled_from([0xF8C0, 0xF8D0, 0xF840, 0xF850]),
    st.integers(0, 15),
    st.integers(0, 0xFFFF),
    st.sampled_from([0xFFFF, 0xF03F]),
)
def test_a_32_bit_load_or_store_of_a_word_is_what_the_disassembler_says(operation, base, rest, kept):
    instruction = struct.pack("<HH", operation | base, rest & kept)
    assert decode(instruction) == disassembled(instruction)


def test_a_driver_that_reads_and_writes_registers_needs_no_disassembler():
    code = (
        "import sys; from deploy.corstone.access import decode;"
        "assert all(map(decode, map(bytes.fromhex, ['5b68c3f3', '43f82210', 'd3f88c31'])));"
        "sys.exit('capstone' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_load_of_the_base_register_in_a_list_is_not_written_back():
    instruction = decode(code("c803"))  # ldm r0,{r0,r1}
    assert instruction is not None
    assert instruction.write_back == 0


@pytest.mark.parametrize(
    ("listing", "name"),
    [
        ("ed920a01", "vldr s0,[r2,#4]"),
        ("ed921f00", "vldrw.u32 q0,[r2]"),
        ("ecb20a02", "vldmia r2!,{s0,s1}"),
        ("e8521f00", "ldrex r1,[r2]"),
        ("e8c21fef", "ldaex r1,[r2]"),
        ("bf00", "nop"),
        ("4770", "bx lr"),
        ("dead", "udf"),
    ],
)
def test_what_is_not_an_integer_load_or_store_is_not_decoded(listing, name):
    assert decode(code(listing)) is None, name


@pytest.mark.parametrize(
    ("listing", "value", "loaded"),
    [
        ("7851", 0x1FF, 0xFF),  # ldrb
        ("f9921000", 0x80, 0xFFFFFF80),  # ldrsb
        ("f9b21000", 0x8000, 0xFFFF8000),  # ldrsh
        ("6851", 0xDEADBEEF, 0xDEADBEEF),  # ldr
    ],
)
def test_loaded_values_are_cut_and_extended(listing, value, loaded):
    instruction = decode(code(listing))
    assert instruction is not None
    assert instruction.loaded(value) == loaded


@given(st.binary(min_size=2, max_size=4))
def test_no_bytes_make_the_decoder_fail(content):
    instruction = decode(content)
    assert instruction is None or len(instruction.addresses(REGISTERS)) == len(instruction.registers)


def pack(state, rest=0x01000003):
    return rest | (state & 3) << 25 | (state & 0xFC) << 8


@given(st.integers(0, 255))
def test_the_it_state_advances_as_the_architecture_says(state):
    # ITAdvance() of the Armv8-M Architecture Reference Manual.
    expected = 0 if state & 7 == 0 else (state & 0xE0) | (state << 1 & 0x1F)
    if state & 0xF == 0:
        expected = state  # not in an IT block
    assert advanced_xpsr(pack(state)) == pack(expected)


@given(st.binary(min_size=4, max_size=4))
def test_whatever_is_a_load_or_store_may_access_memory(instruction):
    if disassembled(instruction) is not None:
        assert may_access(instruction)


@pytest.mark.parametrize(
    "listing", ["e7fe", "bf30", "4408", "2001", "b672", "beab", "f240", "f7ff", "eb01", "fb02"]
)
def test_branches_arithmetic_and_hints_access_no_memory(listing):
    assert not may_access(code(listing))


@pytest.mark.parametrize("listing", ["ed92", "ec90", "fd12", "e8d0", "b510", "bd10", "4801", "9801", "e8bd"])
def test_vector_loads_tables_of_branches_and_the_stack_access_memory(listing):
    assert may_access(code(listing))


def test_every_short_load_and_store_may_access_memory():
    for first in range(0x4800, 0xE800):
        short = struct.pack("<H", first)
        assert may_access(short) or disassembled(short) is None
