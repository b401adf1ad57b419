"""The C driver, compiled for this computer, against the register model of ``deploy.npu``."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import numpy as np
import pytest
from host_compiler import FIRMWARE, HERE, compile_for_host

from deploy.npu import NpuError, parse_payload
from deploy.npu import registers as reg
from deploy.npu.architecture import Architecture
from deploy.npu.registers import RegisterFile

COP1 = int.from_bytes(b"COP1", "little")
# DMA of 32 bytes from region 0 + 0 to region 1 + 16, then stop.
DMA = [0x130, 0x10131, 0x4030, 0, 0x4031, 16, 0x4032, 32, 0x10, 0xFFFF0000]
TIMEOUT_MS = 5000
# As Vela writes them into a payload.
ARCHITECTURES = {"U55": 0x10066001, "U65": 0x10066001, "U85": 0x20007000}
AXI_LIMITS = (0x40, 0x44, 0x48, 0x4C)


class HostMemory:
    """Blocks of this process's memory, found by the low 32 bits of their addresses as a U55 would see them."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []

    def new(self, size: int, fill: int = 0) -> np.ndarray:
        raw = np.full(size + 16, fill, np.uint8)
        block = raw[-raw.ctypes.data % 16 :][:size]
        self.blocks.append(block)
        return block

    def window(self, address: int) -> np.ndarray | None:
        for block in self.blocks:
            base = block.ctypes.data & 0xFFFFFFFF
            if base <= address & 0xFFFFFFFF < base + block.size:
                return block[(address & 0xFFFFFFFF) - base :]
        return None

    def commit(self) -> None:
        pass


class Rig:
    """Driver, registers and memory, and the faults that a test wants."""

    def __init__(self, library: ctypes.CDLL, family: str = "U55", macs: int = 128) -> None:
        self.c = library
        self.memory = HostMemory()
        self.npu = RegisterFile(Architecture(family, macs), self.memory)
        self.now = 0
        self.written: list[tuple[int, int]] = []
        self.cleaned: list[tuple[int, int]] = []
        self.status_bits = 0  # faults that the model cannot have: bits that are added to STATUS
        self.status_mask = 0xFFFFFFFF
        self.overrides: dict[int, int] = {}
        self.interrupt_connected = True
        self.weights = self.memory.new(64)
        self.weights[:] = np.arange(64)
        self.arena = self.memory.new(256)
        self._callbacks = (
            ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)(self._read),
            ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32)(self._write),
            ctypes.CFUNCTYPE(ctypes.c_uint32)(self._time),
            ctypes.CFUNCTYPE(None)(self._wait),
            ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64)(lambda a, n: self.cleaned.append((a, n))),
        )
        library.harness_start(*self._callbacks)

    def _read(self, offset: int) -> int:
        if offset in self.overrides:
            return self.overrides[offset]
        value = self.npu.read(offset)
        return (value | self.status_bits) & self.status_mask if offset == reg.STATUS else value

    def _write(self, offset: int, value: int) -> None:
        self.written.append((offset, value))
        self.npu.write(offset, value)

    def _time(self) -> int:
        self.now += 1
        return self.now

    def _wait(self) -> None:
        if self.npu.irq and self.interrupt_connected:
            self.c.ethosu_irq_handler(self.c.harness_driver())
        else:
            self.now += 1000

    def init(self, fast_memory: np.ndarray | None = None, secure: int = 1, privileged: int = 1) -> int:
        pointer = None if fast_memory is None else fast_memory.ctypes.data
        size = 0 if fast_memory is None else fast_memory.size
        return self.c.harness_init(pointer, size, secure, privileged)

    def payload(self, words: list[int]) -> np.ndarray:
        block = self.memory.new(4 * len(words))
        block[:] = np.array(words, "<u4").view(np.uint8)
        return block

    def actions(self, stream: list[int] | None = None, config: int | None = None) -> list[int]:
        """A payload as Vela writes it: configuration, NOPs up to the alignment, command stream."""
        stream = DMA if stream is None else stream
        config = self.npu.read(reg.CONFIG) if config is None else config
        return [
            COP1,
            1,
            config,
            ARCHITECTURES[self.npu.architecture.family],
            5,
            5,
            5,
            2 | len(stream) << 16,
            *stream,
        ]

    def invoke(
        self, words: list[int] | None = None, bases: list[int] | None = None, sizes: list[int] | None = None
    ) -> int:
        block = self.payload(self.actions() if words is None else words)
        bases = bases or [self.weights.ctypes.data, self.arena.ctypes.data, self.arena.ctypes.data]
        sizes = sizes or [64, 256, 256][: len(bases)]
        count = len(bases)
        return self.c.ethosu_invoke_v3(
            self.c.harness_driver(),
            ctypes.c_void_p(block.ctypes.data),
            block.size,
            (ctypes.c_uint64 * count)(*bases),
            (ctypes.c_size_t * count)(*sizes),
            count,
            None,
        )

    @property
    def message(self) -> str:
        return self.c.harness_message().decode()

    def value_written(self, offset: int) -> list[int]:
        return [value for where, value in self.written if where == offset]


def driver(folder: Path, family: str) -> ctypes.CDLL:
    """The driver for a family, as a firmware project has it."""
    names = ("ethosu_driver.c", "ethosu_message.c", "message.c")
    sources = [HERE / "driver_harness.c", *(FIRMWARE / name for name in names)]
    flags = ["-shared", "-fPIC", "-DETHOSU_REGISTERS_EXTERNAL"]
    shutil.copy(FIRMWARE / f"ethosu_family_{family}.h", folder / "ethosu_family.h")
    c = ctypes.CDLL(str(compile_for_host(folder / "driver.so", sources, includes=[folder], flags=flags)))
    c.harness_driver.restype = ctypes.c_void_p
    c.harness_message.restype = ctypes.c_char_p
    c.harness_init.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32]
    c.ethosu_irq_handler.argtypes = [ctypes.c_void_p]
    c.ethosu_reserve_driver.restype = ctypes.c_void_p
    c.ethosu_release_driver.argtypes = [ctypes.c_void_p]
    c.ethosu_check_payload.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    c.ethosu_invoke_v3.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
    ]
    return c


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return driver(tmp_path_factory.mktemp("driver"), "u55")


@pytest.fixture(scope="session")
def u85_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return driver(tmp_path_factory.mktemp("driver85"), "u85")


@pytest.fixture
def u85(u85_library: ctypes.CDLL) -> Rig:
    return Rig(u85_library, "U85", 256)


@pytest.fixture
def rig(library: ctypes.CDLL) -> Rig:
    return Rig(library)


def test_a_command_stream_runs_to_its_end(rig: Rig) -> None:
    assert rig.init() == 0
    assert rig.invoke() == 0
    np.testing.assert_array_equal(rig.arena[16:48], np.arange(32))
    assert rig.message == "NPU: no error"


# Another 16 bytes to the end of the arena.
TWO = [*DMA[:-1], 0x4031, 240, 0x4032, 16, 0x10, 0xFFFF0000]


def stop_after(rig: Rig, words: int, room: int = 64) -> np.ndarray:
    part = rig.memory.new(4 * room)
    rig.c.ethosu_stop_after.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t]
    rig.c.ethosu_stop_after(rig.c.harness_driver(), words, part.ctypes.data, room)
    return part


def test_a_stream_can_be_stopped_after_an_operation(rig: Rig) -> None:
    rig.init()
    part = stop_after(rig, len(DMA) - 1)
    rig.cleaned.clear()
    assert rig.invoke(rig.actions(TWO)) == 0
    assert rig.arena[16:48].tolist() == list(range(32))
    assert not rig.arena[240:].any()
    # What it runs ends with its stop, so that the NPU sees the end of its queue; and it reaches memory.
    assert rig.value_written(reg.QSIZE) == [4 * (len(DMA) - 1 + 3)]
    assert (part.ctypes.data, 4 * (len(DMA) - 1 + 3)) in rig.cleaned
    assert part.view("<u4")[len(DMA) - 1 :][:3].tolist() == [0x12, 0x11, 0xFFFF0000]


def test_nothing_of_a_stream_can_be_run_and_all_of_it(rig: Rig) -> None:
    rig.init()
    stop_after(rig, 0)
    assert rig.invoke(rig.actions(TWO)) == 0
    assert not rig.arena.any()
    for words in (len(TWO), 1000, 0xFFFFFFFF):
        rig.arena[:] = 0
        stop_after(rig, words)
        assert rig.invoke(rig.actions(TWO)) == 0
        assert rig.arena[240:].any()


@pytest.mark.parametrize("room", [0, 2, len(DMA) + 1])
def test_a_part_that_has_no_room_is_refused(rig: Rig, room: int) -> None:
    rig.init()
    stop_after(rig, len(DMA) - 1, room)
    rig.written.clear()
    assert rig.invoke(rig.actions(TWO)) == -1
    assert reg.CMD not in [offset for offset, _ in rig.written]


def test_every_run_begins_with_a_reset_and_ends_with_clock_and_power_given_back(rig: Rig) -> None:
    rig.init()
    rig.written.clear()
    rig.invoke()
    assert rig.written[0] == (reg.RESET, 1)  # secure, privileged
    assert rig.written[-1] == (reg.CMD, 0xC)
    assert [rig.value_written(offset) for offset in AXI_LIMITS] == [[0x0F1F0020]] * 4
    commands = rig.value_written(reg.CMD)
    assert commands == [0, reg.CMD_RUN, reg.CMD_CLEAR_IRQ, 0xC]
    assert rig.value_written(reg.QCONFIG) == [2]
    assert rig.value_written(reg.REGIONCFG) == [0x5553]


def test_the_caches_are_written_back_before_and_after_a_run(rig: Rig) -> None:
    rig.init()
    rig.invoke()
    arena, weights = (rig.arena.ctypes.data, 256), (rig.weights.ctypes.data, 64)
    assert rig.cleaned.count(arena) == 4  # as regions 1 and 2, before and after
    assert rig.cleaned.count(weights) == 2


@pytest.mark.parametrize(
    ("family", "macs", "name"),
    [
        ("U55", 32, "Ethos-U55-32"),
        ("U55", 256, "Ethos-U55-256"),
        ("U65", 256, "Ethos-U65-256"),
        ("U65", 512, "Ethos-U65-512"),
    ],
)
def test_a_model_for_another_npu_is_refused_before_it_runs_and_both_are_named(
    library: ctypes.CDLL, family: str, macs: int, name: str
) -> None:
    rig = Rig(library, family, macs)
    assert rig.init() == 0
    assert rig.invoke(rig.actions(config=0x1807)) == -1
    assert "compiled for Ethos-U55-128" in rig.message
    assert f"this is {name}" in rig.message
    assert reg.CMD_RUN not in rig.value_written(reg.CMD)
    assert rig.invoke() == 0  # its own configuration runs


def test_a_payload_can_be_checked_without_running_it(rig: Rig) -> None:
    rig.init()
    good, bad = rig.payload(rig.actions()), rig.payload(rig.actions(config=0x3008))
    assert rig.c.ethosu_check_payload(rig.c.harness_driver(), good.ctypes.data, good.size) == 0
    assert rig.c.ethosu_check_payload(rig.c.harness_driver(), bad.ctypes.data, bad.size) == -1
    assert "Ethos-U55-256 (48 KB SHRAM" in rig.message
    assert reg.CMD_RUN not in rig.value_written(reg.CMD)


def test_another_architecture_version_is_refused(rig: Rig) -> None:
    rig.init()
    words = rig.actions()
    words[3] = 0x20000000
    assert rig.invoke(words) == -1
    assert "architecture 0x20000000, this NPU has 0x10064001" in rig.message


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({reg.ID: 0, reg.CONFIG: 0}, "no Ethos-U55 or U65 answers at this address: ID 0x00000000"),
        ({reg.CONFIG: 0x20001807}, "CONFIG 0x20001807"),
        ({reg.STATUS: 8}, "does not come out of reset: STATUS 0x00000008"),
        ({reg.PROT: 2}, "other rights: asked for 0x00000001, PROT is 0x00000002"),
    ],
)
def test_hardware_that_is_not_usable_is_reported_at_start_up(
    rig: Rig, overrides: dict[int, int], expected: str
) -> None:
    rig.overrides = overrides
    assert rig.init() == -1
    assert expected in rig.message
    rig.overrides = {}
    assert rig.invoke() == -1  # a driver that did not initialise never starts anything


def test_rights_are_what_was_asked_for(rig: Rig) -> None:
    assert rig.init(secure=0, privileged=0) == 0
    assert rig.value_written(reg.RESET) == [2]


def test_an_interrupt_that_never_comes_ends_in_a_message_with_the_queue_position(rig: Rig) -> None:
    rig.init()
    rig.interrupt_connected = False
    rig.overrides = {reg.QREAD: 24}
    assert rig.invoke() == -1
    assert rig.message.startswith(f"NPU: no interrupt within {TIMEOUT_MS} ms")
    assert rig.message.endswith("QREAD 24 of 40 bytes of command stream")
    assert 1 << 4 in rig.value_written(reg.CMD)  # it was asked to stop
    rig.interrupt_connected = True
    assert rig.invoke() == 0  # and works again afterwards


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (1 << 2 | 1 << 11 | 5 << 12, "bus error on AXI port 1, channel 5; STATUS 0x00005826"),
        (1 << 4, "the command stream cannot be parsed; STATUS 0x00000032"),
        (1 << 7, "the weight stream cannot be decoded; STATUS 0x000000a2"),
        (1 << 8, "ECC error in the NPU's memory; STATUS 0x00000122"),
    ],
)
def test_every_error_status_becomes_words(rig: Rig, bits: int, expected: str) -> None:
    rig.init()
    rig.status_bits = bits
    assert rig.invoke() == -1
    assert expected in rig.message
    assert "of 40 bytes of command stream" in rig.message


def test_a_run_that_stops_early_is_no_success(rig: Rig) -> None:
    rig.init()
    rig.status_mask = ~reg.STATUS_END & 0xFFFFFFFF
    assert rig.invoke() == -1
    assert "stopped before the end of the command stream" in rig.message


def test_the_models_own_bus_error_is_reported(rig: Rig) -> None:
    rig.init()
    outside = rig.arena.ctypes.data ^ 0x40000000
    assert rig.invoke(bases=[outside, outside]) == -1
    assert "bus error" in rig.message


def test_a_stream_that_the_npu_cannot_parse_is_reported(rig: Rig) -> None:
    rig.init()
    assert rig.invoke(rig.actions([0x3FE, 0xFFFF0000])) == -1
    assert "cannot be parsed" in rig.message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([0x12345678, 5], "word 0 is 0x12345678"),
        ([COP1], "word 0 is"),
        ([COP1, 1], "word 1 is 0x00000001"),
        ([COP1, 5, 5, 5], "word 4 is"),
        ([COP1, 9, 5], "word 1 is 0x00000009"),
        ([COP1, 5, 2 | 100 << 16, 0], "word 2 is"),
        ([COP1, 5, 2, 0], "word 2 is"),
        ([COP1, 5, 5, 2 | 1 << 16, 0xFFFF0000, 9], "word 5 is 0x00000009"),
        ([COP1, 5, 5, 2 | 1 << 16, 0xFFFF0000, 5, 2 | 1 << 16, 0xFFFF0000], "word 6 is 0x00010002"),
    ],
)
def test_a_damaged_payload_is_refused_at_the_word_concerned(rig: Rig, words: list[int], expected: str) -> None:
    rig.init()
    assert rig.invoke(words) == -1
    assert expected in rig.message
    assert reg.CMD_RUN not in rig.value_written(reg.CMD)


@pytest.mark.parametrize(
    "tail",
    [
        [],
        [5],
        [0],
        [9],
        [2],
        [2 | 5 << 16, 1],
        [2 | 1 << 16, 0xFFFF0000],
        [1, 0x1807, 0x10066001],
        [1, 0x3008, 0x10066001],
        [1, 0x1807],
    ],
)
@pytest.mark.parametrize("streams", [0, 1])
def test_driver_and_parser_take_and_refuse_the_same_payloads(rig: Rig, streams: int, tail: list[int]) -> None:
    rig.init()
    head = rig.actions() if streams else [COP1, 1, rig.npu.read(reg.CONFIG), 0x10066001]
    block = rig.payload([*head, *tail])
    taken = rig.c.ethosu_check_payload(rig.c.harness_driver(), block.ctypes.data, block.size) == 0
    try:
        parse_payload(block.tobytes())
    except NpuError:
        assert not taken
    else:
        assert taken


def test_a_command_stream_off_its_alignment_is_refused(rig: Rig) -> None:
    rig.init()
    assert rig.invoke([COP1, 5, 2 | len(DMA) << 16, *DMA]) == -1
    assert "limit or alignment 0x00000010" in rig.message


def test_a_base_address_off_its_alignment_is_refused(rig: Rig) -> None:
    rig.init()
    assert rig.invoke(bases=[rig.weights.ctypes.data + 4, rig.arena.ctypes.data]) == -1
    assert "base address" in rig.message


def test_more_than_eight_base_addresses_are_refused(rig: Rig) -> None:
    rig.init()
    assert rig.invoke(bases=[rig.arena.ctypes.data] * 9, sizes=[256] * 9) == -1


def test_dedicated_memory_stands_in_for_region_2(rig: Rig) -> None:
    fast = rig.memory.new(128)
    rig.init(fast)
    assert rig.invoke(sizes=[64, 256, 128]) == 0
    assert rig.value_written(reg.BASEP0 + 16) == [fast.ctypes.data & 0xFFFFFFFF]
    assert rig.invoke(sizes=[64, 256, 129]) == -1
    assert "needs 129 bytes of fast memory, there are 128" in rig.message


def test_u65_gets_the_high_words_of_its_addresses(library: ctypes.CDLL) -> None:
    rig = Rig(library, "U65", 256)
    rig.init()
    assert rig.invoke() == 0
    assert rig.value_written(reg.BASEP0 + 12) == [rig.arena.ctypes.data >> 32]
    (low,), (high,) = rig.value_written(reg.QBASE0), rig.value_written(reg.QBASE1)
    payload = rig.memory.blocks[-1].ctypes.data
    assert high << 32 | low == payload + 4 * (len(rig.actions()) - len(DMA))


@pytest.mark.parametrize("macs", [128, 256, 512, 1024, 2048])
def test_a_u85_runs_a_command_stream_to_its_end(u85_library: ctypes.CDLL, macs: int) -> None:
    rig = Rig(u85_library, "U85", macs)
    assert rig.init() == 0
    assert rig.invoke() == 0, rig.message
    np.testing.assert_array_equal(rig.arena[16:48], np.arange(32))
    assert rig.value_written(reg.BASEP0 + 12) == [rig.arena.ctypes.data >> 32]
    assert rig.value_written(reg.QBASE1) == [rig.memory.blocks[-1].ctypes.data >> 32]


def test_a_u85_is_told_how_memory_is_reached_after_every_reset(u85: Rig) -> None:
    u85.init()
    u85.written.clear()
    u85.invoke()
    settings = [
        (0x38, 0),
        (0x40, 0x20),
        (0x44, 0x20),
        (0x48, 0x24),
        (0x4C, 0x24),
        (0x50, 0x20F0B),
        (0x54, 0x21F3F),
    ]
    assert u85.written[: len(settings) + 1] == [(reg.RESET, 1), *settings]
    assert u85.value_written(reg.QCONFIG) == [2]
    assert u85.value_written(reg.CMD) == [0, reg.CMD_RUN, reg.CMD_CLEAR_IRQ, 0xC]


def test_a_stream_of_a_u85_can_be_stopped_after_an_operation(u85: Rig) -> None:
    u85.init()
    stop_after(u85, len(DMA) - 1)
    assert u85.invoke(u85.actions(TWO)) == 0
    assert u85.arena[16:48].tolist() == list(range(32))
    assert not u85.arena[240:].any()


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (0x20001119, "compiled for Ethos-U85-512 (config 0x20001119), this is Ethos-U85-256 (config 0x20000118)"),
        (0x10003008, "compiled for Ethos-U65-256 (48 KB SHRAM, config 0x10003008), this is Ethos-U85-256"),
        (0x20000108, "config 0x20000108"),  # another command stream version
    ],
)
def test_a_u85_refuses_a_model_for_another_npu_and_names_both(u85: Rig, config: int, named: str) -> None:
    u85.init()
    assert u85.invoke(u85.actions(config=config)) == -1
    assert named in u85.message
    assert reg.CMD_RUN not in u85.value_written(reg.CMD)


def test_a_driver_for_one_family_refuses_an_npu_of_another(library: ctypes.CDLL, u85_library: ctypes.CDLL) -> None:
    rig = Rig(library, "U85", 256)
    assert rig.init() == -1
    assert "no Ethos-U55 or U65 answers at this address: ID 0x20007000, CONFIG 0x20000118" in rig.message
    rig = Rig(u85_library, "U65", 256)
    assert rig.init() == -1
    assert "no Ethos-U85 answers at this address: ID 0x10064001, CONFIG 0x10003008" in rig.message


def test_a_branch_that_leads_out_of_a_u85s_stream_is_reported(u85: Rig) -> None:
    u85.init()
    u85.status_bits = 1 << 9
    assert u85.invoke() == -1
    assert "a branch of the command stream leads out of it; STATUS 0x00000222" in u85.message


def test_the_driver_is_given_to_one_user_at_a_time(rig: Rig) -> None:
    rig.init()
    first = rig.c.ethosu_reserve_driver()
    assert first == rig.c.harness_driver()
    assert rig.c.ethosu_reserve_driver() is None
    rig.c.ethosu_release_driver(first)
    assert rig.c.ethosu_reserve_driver() == first


def test_tflm_may_pass_on_a_driver_that_could_not_be_reserved(rig: Rig) -> None:
    bases = (ctypes.c_uint64 * 1)(0)
    assert rig.c.ethosu_invoke_v3(None, None, 0, bases, bases, 1, None) == -1
    rig.c.ethosu_release_driver(None)
