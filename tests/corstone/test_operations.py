"""Instructions that reach no memory: which are known, and when a branch is taken."""

import pytest

from deploy.corstone.operations import FLAGS, Operation, operation


# nop; bx lr; lsls r1, r3, #2; movs.w r2, #0x80000000 (sets the carry flag); add pc, r1; add.w r2, r2, r3, lsl #2
@pytest.mark.parametrize("code", ["00bf", "7047", "9900", "5ff00042", "8f44", "02eb8302"])
def test_what_no_loop_of_stores_needs_is_left_to_the_cpu(code):
    assert operation(bytes.fromhex(code)) is None


@pytest.mark.parametrize(
    ("condition", "flags"),
    [
        ("eq", "Z"), ("ne", ""), ("hs", "C"), ("lo", ""), ("mi", "N"), ("pl", ""), ("vs", "V"), ("vc", ""),
        ("hi", "C"), ("ls", "CZ"), ("ge", "NV"), ("lt", "N"), ("gt", "NV"), ("le", "V"), ("le", "NVZ"),
    ],
)  # fmt: skip
def test_a_branch_is_taken_by_its_condition(condition, flags):
    registers = [0] * 18
    registers[FLAGS] = sum(1 << "VCZN".index(flag) + 28 for flag in flags)
    opposite = {"eq": "ne", "hs": "lo", "mi": "pl", "vs": "vc", "hi": "ls", "ge": "lt", "gt": "le"}
    opposite |= {other: one for one, other in opposite.items()}
    for name, taken in ((condition, True), (opposite[condition], False)):
        branch = Operation("b", 2, value=0x20, condition=name)
        assert branch.carry_out(registers) == taken
        assert branch.next_place(0x1000, taken) == (0x1020 if taken else 0x1002)
