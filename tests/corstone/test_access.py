import functools
import struct

import capstone
import pytest
from capstone import arm
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.corstone.access import advanced_xpsr, decode

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
        ("f8d2f000", "ldr pc,[r2]"),
        ("f892f000", "pld [r2]"),
        ("e8928001", "ldm r2,{r0,pc}"),
        ("e97fe97f", "sg"),
        ("e89f0003", "clrm {r0,r1}"),
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


# Every integer load and store that capstone names, by what comes before the suffixes .w and .n.
SIZES = {"b": 1, "h": 2, "sb": 1, "sh": 2, "": 4, "d": 4}
SINGLE = {f"{stem}{suffix}{t}" for stem in ("ldr", "str") for suffix in SIZES for t in ("", "t")}
SINGLE |= {f"{stem}{suffix}" for stem in ("lda", "stl") for suffix in ("", "b", "h")}
MULTIPLE = {"ldm", "ldmdb", "stm", "stmdb"}


@functools.cache
def disassembler():
    made = capstone.Cs(
        capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
    )
    made.detail = True
    return made


def described(instruction):
    """Registers, base, index, displacement and write-back as capstone sees them; None for other instructions."""
    numbers = {getattr(arm, f"ARM_REG_R{n}"): n for n in range(13)}
    numbers |= {arm.ARM_REG_SP: 13, arm.ARM_REG_LR: 14, arm.ARM_REG_PC: 15}
    name = instruction.mnemonic.split(".")[0]
    listed = [op.reg for op in instruction.operands if op.type == arm.ARM_OP_REG]
    if name not in SINGLE | MULTIPLE or any(register not in numbers for register in listed):
        return None
    registers = tuple(numbers[register] for register in listed)
    size = SIZES[name.rstrip("t")[3:].removeprefix("a")] if name in SINGLE and name[:3] in ("ldr", "str") else None
    if name in MULTIPLE:
        base, registers = registers[0], registers[1:]
        step = -4 * len(registers) if name.endswith("db") else 4 * len(registers)
        return registers, base, None, 0, min(step, 0), step if instruction.writeback else 0, 4
    memory = next(op for op in instruction.operands if op.type == arm.ARM_OP_MEM)
    displacement, back = memory.mem.disp, 0
    if instruction.writeback:
        after = [op.imm for op in instruction.operands if op.type == arm.ARM_OP_IMM]
        displacement, back = (0, after[0]) if after else (displacement, displacement)
    index = numbers[memory.mem.index] if memory.mem.index else None
    shift = memory.shift.value if index is not None else 0
    return registers, numbers[memory.mem.base], index, shift, displacement, back, size


@settings(max_examples=3000, deadline=None)
@given(
    st.one_of(
        st.integers(0x4800, 0x9FFF),
        st.integers(0xC000, 0xCFFF),
        st.integers(0xE800, 0xE9FF),
        st.integers(0xF800, 0xF9FF),
    ),
    st.one_of(st.integers(0, 0xFFFF), st.integers(0, 15).map(lambda target: target << 12 | 0xFAF)),
)
def test_a_disassembler_agrees_on_every_encoding(first, second):
    content = struct.pack("<HH", first, second)
    ours = decode(content)
    theirs = next(disassembler().disasm(content, 0, count=1), None)
    expected = None if theirs is None else described(theirs)
    if expected is None or 15 in expected[0]:
        return  # not decodable, no integer load or store, or a branch
    registers, base, index, shift, displacement, back, size = expected
    if ours is None:
        # Registers in places where the architecture leaves the effect open.
        assert 13 in registers or 15 in (base, index) or not registers
        return
    if base in registers and theirs.mnemonic.startswith("ldm"):
        back = 0
    assert (ours.registers, ours.base, ours.index, ours.index_shift) == (registers, base, index, shift)
    assert (ours.displacement, ours.write_back, ours.length) == (displacement, back, theirs.size)
    assert size in (None, ours.size)
    assert ours.load == theirs.mnemonic.startswith("ld")
    assert ours.signed == ("rs" in theirs.mnemonic)
