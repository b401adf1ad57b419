"""Many iterations of a loop at once, by hand: what they leave, and where they end."""

import pytest

from deploy.corstone.access import Instruction
from deploy.corstone.loops import run_loop
from deploy.corstone.operations import Operation, Step

FLASH, SOURCE, SIZE = 0x1000, 0x8000, 0x100
CONTENT = bytes(range(100, 200))


def read(address, size):
    inside = address >= SOURCE and address + size <= SOURCE + len(CONTENT)
    return CONTENT[address - SOURCE : address - SOURCE + size] if inside else None


def transfer(name, register, base):
    return Instruction(name, 2, name == "ldr", 1, False, (register,), base, write_back=1)


# 0: ldrb r3,[r1],#1; strb r3,[r0],#1; subs r2,#1; bne 0
COPY = [
    Step(0, transfer("ldr", 3, 1), False),
    Step(2, transfer("str", 3, 0), False),
    Step(4, Operation("sub", 2, 2, 2, value=1, flags=True), False),
    Step(6, Operation("b", 2, value=-6, condition="ne"), True),
]


def run(left, most, path=COPY, target=FLASH, source=SOURCE):
    """What follows an iteration after which so many bytes are left."""
    before, state = [0] * 18, [0] * 18
    before[:3] = target - 1, source - 1, left + 1
    state[:3] = target, source, left
    return run_loop(path, before, state, most, [(FLASH, SIZE)], read)


def test_iterations_leave_what_they_leave_one_after_another():
    done = run(left=50, most=20)
    assert done.count == 20
    assert done.stored == [(FLASH, CONTENT[:20])]
    assert {number: done.changed[number] for number in range(4)} == {
        0: FLASH + 20, 1: SOURCE + 20, 2: 30, 3: CONTENT[19],
    }  # fmt: skip


def test_they_end_before_a_branch_that_leads_elsewhere():
    done = run(left=50, most=90)
    assert done.count == 49  # the 50th ends the loop
    assert done.changed[2] == 1
    assert done.stored == [(FLASH, CONTENT[:49])]


def test_they_end_before_a_store_to_something_else():
    assert run(left=50, most=50, target=FLASH + SIZE - 7).count == 7
    assert run(left=50, most=50, target=FLASH + SIZE).count == 0


def test_there_are_fewer_where_there_is_less_to_read():
    assert run(left=200, most=160).count == 40
    assert run(left=200, most=160, source=SOURCE + len(CONTENT) - 3) is None


def test_they_end_with_a_register_that_changes_otherwise_than_in_the_last_one():
    # 0: strb r2,[r0],#1; add r2,r2,r2; b 0
    doubling = [
        Step(0, transfer("str", 2, 0), False),
        Step(2, Operation("add", 2, 2, 2, second=2), False),
        Step(4, Operation("b", 2, value=-4), True),
    ]
    done = run(left=5, most=50, path=doubling)
    assert done.count == 1
    assert done.changed[2] == 10


@pytest.mark.parametrize("step", [1, 2, 3])
def test_only_what_was_stored_is_written(step):
    path = [
        Step(0, Instruction("str", 2, False, 1, False, (2,), 0), False),
        Step(2, Operation("add", 2, 0, 0, value=step), False),
        Step(4, Operation("b", 2, value=-4), True),
    ]
    before, state = [0] * 18, [0] * 18
    before[0], state[0], before[2], state[2] = FLASH, FLASH + step, 7, 7
    done = run_loop(path, before, state, 10, [(FLASH, SIZE)], read)
    expected = [(FLASH + step * number, b"\7") for number in range(1, 11)]
    assert done.stored == ([(FLASH + 1, b"\7" * 10)] if step == 1 else expected)
