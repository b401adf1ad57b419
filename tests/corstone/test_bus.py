import struct

import pytest

from deploy.corstone.access import PC, XPSR
from deploy.corstone.bus import RegisterBus, StoredWords, Window
from deploy.errors import TargetError


class Device:
    """Registers that remember."""

    def __init__(self):
        self.values = {}
        self.log = []

    def read(self, offset):
        self.log.append(("read", offset))
        return self.values.get(offset, 0)

    def write(self, offset, value):
        self.log.append(("write", offset, value))
        self.values[offset] = value


def execute(listing, device, **registers):
    content = b"".join(struct.pack("<H", int(listing[i : i + 4], 16)) for i in range(0, len(listing), 4))
    state = [0] * 17
    state[PC], state[XPSR] = 0x1000, 0x01000000
    for name, value in registers.items():
        state[XPSR if name == "xpsr" else int(name[1:])] = value
    windows = [Window("the NPU", (0x48102000, 0x58102000), 0x1000, device)]
    windows.append(Window("CPUID", (0xE000ED00,), 4, StoredWords({0: 0x411FD230})))
    bus = RegisterBus(windows, lambda address: content.ljust(4, b"\0"))
    return bus.execute(state)


def test_a_store_writes_the_register_and_moves_on():
    device = Device()
    assert execute("6051", device, r1=7, r2=0x48102080) == {PC: 0x1002}  # str r1,[r2,#4]
    assert device.values == {0x84: 7}


def test_a_load_reads_the_register_in_both_aliases():
    device = Device()
    device.values[0x84] = 99
    for base in (0x48102080, 0x58102080):
        assert execute("6851", device, r2=base) == {1: 99, PC: 0x1002}


def test_a_byte_store_changes_its_byte_only():
    device = Device()
    device.values[0x84] = 0x11223344
    execute("7051", device, r1=0xAB, r2=0x58102084)  # strb r1,[r2,#1]
    assert device.values[0x84] == 0x1122AB44


def test_a_byte_load_takes_its_byte():
    device = Device()
    device.values[0x84] = 0x11223344
    assert execute("7891", device, r2=0x58102084)[1] == 0x22  # ldrb r1,[r2,#2]


def test_a_store_of_several_registers_writes_back():
    device = Device()
    changed = execute("c006", device, r0=0x58102080, r1=5, r2=6)  # stm r0!,{r1,r2}
    assert changed == {0: 0x58102088, PC: 0x1002}
    assert device.values == {0x80: 5, 0x84: 6}


def test_inside_an_it_block_the_condition_state_moves_on():
    changed = execute("6851", Device(), r2=0x58102000, xpsr=0x0100A000 | 0x0C00)
    assert XPSR in changed


def test_an_access_that_leaves_the_window_is_an_error():
    with pytest.raises(TargetError, match="leaves them at 0x58103000"):
        execute("c006", Device(), r0=0x58102FFC, r1=5, r2=6)


def test_a_vector_load_is_an_error_that_names_the_place():
    with pytest.raises(TargetError, match="0x00001000"):
        execute("ed920a01", Device(), r2=0x58102000)


def test_another_window_is_answered_by_its_own_words():
    assert execute("6851", Device(), r2=0xE000ECFC)[1] == 0x411FD230  # ldr r1,[r2,#4]


def test_words_keep_what_is_written_but_for_those_that_are_fixed():
    words = StoredWords({0: 0x1CDC0000})
    for offset in (0, 4):
        words.write(offset, 7)
    assert [words.read(offset) for offset in (0, 4, 8)] == [0x1CDC0000, 7, 0]


def test_an_access_outside_of_every_window_is_an_error():
    with pytest.raises(TargetError, match="0x40000000, which is not watched"):
        execute("6851", Device(), r2=0x3FFFFFFC)


def test_an_access_to_a_place_of_somebody_else_is_left_to_that():
    class Somebody:
        def covers(self, address):
            return address == 0x40

        def execute(self, instruction, registers):
            return {0: instruction.registers[0]}

    state = [0] * 17
    code = struct.pack("<H", 0x6011)  # str r1,[r2]
    bus = RegisterBus([Window("it", (0x80,), 4, StoredWords({}))], lambda address: code, [Somebody()])
    assert bus.execute([*state[:2], 0x40, *state[3:]]) == {0: 1}
    assert bus.execute([*state[:2], 0x80, *state[3:]]) == {PC: 2}
