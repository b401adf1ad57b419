"""A machine that is reset in place of a boot: it remembers nothing, ends when it has to, leaves nothing behind."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest import build_guest
from simulator import run_guest
from started import alive, qemus

from deploy.corstone import core_clock
from deploy.corstone.command_line import parse_options
from deploy.corstone.gdb_remote import GdbConnection
from deploy.corstone.messages import EndReason
from deploy.corstone.resident import ResidentMachine
from deploy.errors import BadInputError, TargetError

pytestmark = pytest.mark.system

INPUT = 0x92000000
PLACES = (
    0x00060000,
    0x11000000,
    0x010FFFF0,
    0x30060000,
    0x311FFFF0,
    0x313FFFF0,
    0x60000000,
    0x7FFFFFF0,
    0xDFFFFFF0,
)
"""In every memory, in each chip of SRAM and in blocks of both aliases of DDR."""


@pytest.fixture
def machines() -> Iterator[list[ResidentMachine]]:
    made: list[ResidentMachine] = []
    yield made
    for machine in made:
        machine.close()
    assert qemus(os.getpid()) == []


def machine_with(machines: list[ResidentMachine], application: Path, *words: str) -> ResidentMachine:
    silent = ["-C", "mps3_board.uart0.shutdown_on_eot=1"]
    silent += [f"-Cmps3_board.telnetterminal{number}.start_telnet=0" for number in (0, 1, 2, 5)]
    machines.append(ResidentMachine(parse_options(["-a", str(application), *silent, *words]), 1 << 20))
    return machines[-1]


STATE = r"""
static volatile uint32_t counter = 0x1234, zero;
__attribute__((noinline)) static int constant(void) { __asm volatile(""); return 42; }

static const uint32_t memories[] = {
  0x10040000, 0x1007fff0, 0x11000000, 0x111ffff0, 0x30040000, 0x3007fff0, 0x31000000, 0x311ffff0, 0x313ffff0,
  0x60000000, 0x70000000, 0xd0000010 };
static const uint32_t devices[] = {
  NPU, NPU + 4, NPU + 8, NPU + 0x10, NPU + 0x20, NPU + 0x24, NPU + 0x3c, NPU + 0x80, NPU + 0x180, NPU + 0x184,
  NPU + 0x190, NPU + 0x1a0, NPU + 0x300, NPU + 0x380,
  0xE000E010, 0xE000E014, 0xE000E104, 0xE000E204, 0xE000E304, 0xE000E420, 0xE000ED08, 0xE000ED0C, 0xE000ED14,
  0xE000ED18, 0xE000ED1C, 0xE000ED20, 0xE000ED24, 0xE000ED28, 0xE000ED94, 0xE000EDD0, 0x59304008, 0x59304010 };
#define EACH(list) for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
static const uint32_t stream[] = { /* DMA of 32 bytes from region 0 + 0 to region 1 + 16, then stop */
  0x00000130, 0x00010131, 0x00004030, 0, 0x00004031, 16, 0x00004032, 32, 0x00000010, 0xffff0000 };

int main(void) {
  uint32_t status;
  __asm volatile("mrs %0, control" : "=r"(status)); hex(status);
  __asm volatile("mrs %0, primask" : "=r"(status)); hex(status);
  __asm volatile("mrs %0, basepri" : "=r"(status)); hex(status);
  hex(counter); hex(zero); hex(constant()); hex(interrupts); hex(ticks);
  EACH(memories) hex(REG(memories[i]));
  EACH(devices) hex(REG(devices[i]));

  /* Now everything is left as no boot leaves it. */
  counter = 7; zero = 8;
  volatile uint16_t *code = (void *)((uint32_t)&constant & ~1u);
  for (int i = 0; i < 4; i++) if ((code[i] & 0xff00) == 0x2000) code[i] = 0x2007; /* movs r0, #7 */
  __asm volatile("dsb\nisb");
  if (constant() != 7) print("not overwritten\n");
  EACH(memories) REG(memories[i]) = 0xdeadbeef;
  for (int i = 0; i < 10; i++) REG(0x31001000 + 4 * i) = stream[i];
  REG(NPU + 0x0c) = 1; while (REG(NPU + 4) & 8) { }
  REG(NPU + 0x180) = 1; REG(NPU + 0x184) = 0x80000001; REG(NPU + 0x380) = 0x182;
  REG(NPU + 0x10) = 0x31001000; REG(NPU + 0x20) = sizeof stream; REG(NPU + 0x1c) = 2;
  REG(NPU + 0x80) = 0x60100000; REG(NPU + 0x88) = 0x31000100; REG(NPU + 0x3c) = 3;
  REG(NPU + 8) = 1;  /* the interrupt is raised, and nobody takes it */
  while (!(REG(NPU + 4) & 2)) { }
  REG(0xE000E420) = 0x80; REG(0xE000E014) = 50000; REG(0xE000E010) = 7;
  REG(0xE000ED08) = 0x10000000; REG(0xE000ED94) = 4; REG(0xE000ED24) |= 7u << 16;
  REG(0x59304010) = 32; REG(0x59304008) = 3;
  REG(0xE000ED20) = 0xC0000000; /* SysTick's priority, which BASEPRI masks */
  __asm volatile("msr basepri, %0" :: "r"(0x40));
  while (!(REG(0xE000ED04) & 1u << 26)) { } /* SysTick is pending */
}
"""


def test_every_run_begins_in_the_state_of_a_boot_whatever_the_one_before_left(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    guest = build_guest(tmp_path, STATE)
    again = machine_with(machines, guest)
    runs = [again.run({}, 30) for _ in range(4)]
    new = machine_with(machines, guest).run({}, 30)
    assert {run.ending.reason for run in runs} == {EndReason.SHUTDOWN}
    assert new.sent.endswith(b"\x04")
    assert b"not overwritten" not in new.sent
    assert [run.sent for run in runs] == [new.sent] * 4
    booted = run_guest(guest)  # here QEMU itself loads the application
    assert booted.output.encode() == new.sent


def test_memory_that_nothing_is_loaded_into_is_zero_and_what_is_loaded_is_there(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, "int main(void) { }"))
    code = None
    for chosen in (PLACES[::2], PLACES[1::2], (), PLACES):
        loads = {place: secrets.token_bytes(16) for place in chosen}
        machine.run(loads, 30)
        assert {place: machine.read(place, 16) for place in PLACES} == {
            place: loads.get(place, bytes(16)) for place in PLACES
        }
        code = code or machine.read(0, 1024)
        assert machine.read(0, 1024) == code != bytes(1024)


def test_what_a_program_wrote_to_qspi_is_gone_after_a_run(machines: list[ResidentMachine], tmp_path: Path) -> None:
    source = (
        "int main(void) { hex(REG(0x28000000)); hex(REG(0x387ffffc)); REG(0x38000000) = REG(0x387ffffc) = 7; }"
    )
    machine = machine_with(machines, build_guest(tmp_path, source))
    assert [machine.run({}, 30).sent for _ in range(2)] == [b"00000000\n00000000\n\x04"] * 2


GENERATED = r"""
int main(void) {  /* copies an instruction from the input to SRAM and to DDR, and runs it in both places */
  for (int i = 0; i < 2; i++) {
    volatile uint16_t *code = (void *)(i ? 0x70001000 : 0x31010000);
    code[0] = REG(0x92000000); code[1] = 0x4770;
    __asm volatile("dsb\nisb");
    hex(((int (*)(void))((uint32_t)code | 1))());
  }
}
"""


def test_code_that_a_program_made_is_made_anew(machines: list[ResidentMachine], tmp_path: Path) -> None:
    machine = machine_with(machines, build_guest(tmp_path, GENERATED))
    for number in (1, 2, 200):
        done = machine.run({INPUT: bytes((number, 0x20))}, 30)  # movs r0, #number
        assert done.sent.decode().split() == [f"{number:08x}", f"{number:08x}", "\x04"]


STALE = r"""
int main(void) {  /* in SRAM and in DDR; what is there is its own, or was loaded */
  for (int i = 0; i < 2; i++) {
    volatile uint16_t *code = (void *)(i ? 0x70001000 : 0x31010000);
    if (REG(0x92000000) == 1) { code[0] = 0x2001; code[1] = 0x4770; }
    __asm volatile("dsb\nisb");
    hex(((int (*)(void))((uint32_t)code | 1))());
  }
}
"""


def test_code_that_is_loaded_where_other_code_ran_is_the_code_that_runs(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, STALE))
    assert machine.run({INPUT: b"\1\0\0\0"}, 30).sent.split()[:2] == [b"00000001"] * 2
    for number in (2, 3):
        code = bytes((number, 0x20, 0x70, 0x47))  # movs r0, #number; bx lr
        done = machine.run({0x31010000: code, 0x70001000: code}, 30)
        assert done.sent.split()[:2] == [b"%08x" % number] * 2


OVERLAID = r"""
#define CODE(place, name, value) __attribute__((section(place), naked, aligned(64))) \
  static int name(void) { __asm volatile("movs r0, #" #value "\n bx lr"); }
CODE(".sram_text", in_sram, 1)
CODE(".sram_text", sram_copy, 1)
CODE(".sram_text", other, 2)
CODE(".ddr_text", in_ddr, 1)
CODE(".ddr_text", ddr_copy, 1)
static const uint32_t stream[] = { /* DMA of 4 bytes from region 0 to region 1, then stop */
  0x00000130, 0x00010131, 0x00004030, 0, 0x00004031, 0, 0x00004032, 4, 0x00000010, 0xffff0000 };
static void npu(int (*to)(void), int (*from)(void)) {
  for (int i = 0; i < 10; i++) REG(0x31001000 + 4 * i) = stream[i];
  REG(NPU + 0x0c) = 1; while (REG(NPU + 4) & 8) { }
  REG(NPU + 0x10) = 0x31001000; REG(NPU + 0x20) = sizeof stream; REG(NPU + 0x1c) = 2;
  REG(NPU + 0x80) = (uint32_t)from & ~1u; REG(NPU + 0x88) = (uint32_t)to & ~1u;
  REG(NPU + 8) = 1; while (!(REG(NPU + 4) & 2)) { } REG(NPU + 8) = 2;
}
int main(void) {
  int overlay = REG(0x92000000);
  if (overlay) { npu(in_sram, other); npu(in_ddr, other); }
  hex(in_sram()); hex(in_ddr());
  if (overlay) { npu(in_sram, sram_copy); npu(in_ddr, ddr_copy); }
}
"""


def test_code_that_the_npu_laid_over_the_programs_and_took_away_again_does_not_run_next_time(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, OVERLAID))
    assert machine.run({INPUT: b"\1\0\0\0"}, 30).sent.split() == [b"00000002"] * 2 + [b"\4"]
    assert machine.run({}, 30).sent.split() == [b"00000001"] * 2 + [b"\4"]


HANGING = r"""
int main(void) {
  print("begun\n"); hex(REG(NPU)); REG(0x48103010) = 5; hex(REG(0x48103010));
  switch (REG(0x92000000)) {
  case 1: for (;;) { }
  case 2: for (;;) __asm volatile("cpsid i\n wfi");
  case 3: for (;;) REG(NPU + 0x80) = REG(NPU + 4);
  case 4: for (;;) print("again and again\n");
  }
}
"""


@pytest.mark.parametrize("how", [1, 2, 3, 4])
def test_a_run_that_hangs_ends_with_its_time_and_the_next_one_is_well(
    machines: list[ResidentMachine], tmp_path: Path, how: int
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, HANGING))
    before = machine.run({}, 30)
    began = time.monotonic()
    for _ in range(3):  # wherever in its loop it is stopped
        hung = machine.run({INPUT: bytes((how, 0, 0, 0))}, 0.5)
        assert hung.ending.reason is EndReason.WALL_TIME
        assert hung.sent.startswith(b"begun\n10064001\n")
        assert machine.run({}, 30) == before
    assert time.monotonic() - began < 20


INTERRUPT = r"""
static const uint32_t stream[] = { 0xffff0000 };
int main(void) {
  NVIC_ISER1 = NPU_IRQ_BIT; __asm volatile("dsb\nisb"); hex(interrupts); NVIC_ICER1 = NPU_IRQ_BIT;
  REG(NPU + 0x10) = (uint32_t)0x31001000; REG(NPU + 0x20) = 4; REG(0x31001000) = stream[0];
  if (REG(0x92000000) == 0) NVIC_ISER1 = NPU_IRQ_BIT;
  REG(NPU + 8) = 1;
  while (REG(0x92000000) == 0 && !interrupts) __asm volatile("wfi");
  hex(interrupts);
}
"""


def test_an_interrupt_that_nobody_took_is_forgotten_and_the_next_one_comes(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, INTERRUPT))
    sent = [machine.run({INPUT: bytes((left, 0, 0, 0))}, 20).sent for left in (1, 0, 1, 1, 0)]
    assert sent == [b"00000000\n%08x\n\x04" % taken for taken in (0, 1, 0, 0, 1)]


POLLING = r"""
int main(void) {
  hex(REG(NPU));
  put(4);
  for (;;) (void)REG(NPU);
}
"""


def test_a_program_that_is_stopped_within_an_access_of_the_npu_has_its_first_one_answered_next_time(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, POLLING))
    for _ in range(12):
        assert machine.run({}, 20).sent == b"10064001\n\x04"


@pytest.mark.parametrize(
    ("begin", "kept"),
    [
        ("put(4);", True),
        ("REG(0xE000ED14) |= 1 << 8; put(4);", True),
        # QEMU must not have all of what is written to CCR where Non-secure code may call.
        ('if (REG(0xE000ED14) == 7) __asm volatile("sg"); REG(0xE000ED14) |= 1 << 8; put(4);', False),
    ],
)
def test_qemu_keeps_its_translated_code_where_nothing_was_carried_out_for_a_program(
    machines: list[ResidentMachine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: str, kept: bool
) -> None:
    asked: list[bytes] = []
    write = GdbConnection._write

    def recorded(connection: GdbConnection, data: bytes) -> None:
        asked.append(data)
        write(connection, data)

    monkeypatch.setattr(GdbConnection, "_write", recorded)
    machine = machine_with(machines, build_guest(tmp_path, f"int main(void) {{ {begin} for (;;) {{ }} }}"))
    for _ in range(3):
        assert machine.run({}, 20).sent == b"\x04"
    # It throws it away at a breakpoint and at a step.
    assert bool([each for each in asked if b"$Z0" in each or b"$s#" in each]) is not kept


GUARDED = r"""
int main(void) {
  static const uint32_t guards[] = { 0x57000000, 0x57002000 }; /* of BRAM and of DDR */
  hex(REG(0x11000000)); hex(REG(0x70000000));
  REG(0x11000000) = REG(0x70000000) = 0x5ec7e7;
  for (int k = 0; k < 2; k++)
    for (uint32_t i = 0; i <= REG(guards[k] + 0x10); i++) {
      REG(guards[k] + 0x18) = i; REG(guards[k] + 0x1c) = ~0u;
    }
}
"""


def test_what_a_program_kept_for_itself_is_forgotten_too(machines: list[ResidentMachine], tmp_path: Path) -> None:
    machine = machine_with(machines, build_guest(tmp_path, GUARDED))
    for _ in range(2):
        assert machine.run({}, 20).sent == b"00000000\n00000000\n\x04"
        assert machine.read(0x11000000, 4) == machine.read(0x70000000, 4) == b"\xe7\xc7\x5e\0"


def test_simulated_time_begins_anew_with_every_run(machines: list[ResidentMachine], tmp_path: Path) -> None:
    # The first line is what has passed since the start.
    source = r"""
    int main(void) { uint64_t passed; host(0x30, &passed); hex(passed); for (;;) { } }
    """
    words = ["--simlimit", "0.6", "-C", "cpu0.semihosting-enable=1"]
    machine = machine_with(machines, build_guest(tmp_path, source), *words)
    runs = [machine.run({}, 30) for _ in range(3)]
    assert {run.ending.reason for run in runs} == {EndReason.SIMULATED_TIME}
    passed = {int(run.sent.split()[0], 16) for run in runs}
    assert len(passed) == 1
    assert 0 < passed.pop() < 10_000


def test_a_machine_is_ended_by_another_thread_and_starts_no_more(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, HANGING))
    threading.Timer(1.0, machine.kill).start()
    with pytest.raises(TargetError):
        machine.run({INPUT: bytes((1, 0, 0, 0))}, 60)
    machine.close()
    with pytest.raises(TargetError, match="was ended"):
        machine.run({}, 30)
    unused = machine_with(machines, build_guest(tmp_path, HANGING))
    unused.kill()
    with pytest.raises(TargetError, match="was ended"):
        unused.run({}, 30)


def test_a_program_that_ends_the_machine_gets_a_new_one(machines: list[ResidentMachine], tmp_path: Path) -> None:
    source = r"""
    static volatile uint32_t times;
    int main(void) { print("run "); hex(times++); const uint32_t block[] = {0x20026, 3}; host(0x20, block); }
    """
    machine = machine_with(machines, build_guest(tmp_path, source), "-C", "cpu0.semihosting-enable=1")
    for _ in range(2):
        done = machine.run({}, 30)
        assert (done.ending.reason, done.ending.status, done.sent) == (EndReason.EXIT, 3, b"run 00000000\n")


def test_qemu_that_dies_is_told_of_and_nothing_of_it_is_left(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    machine = machine_with(machines, build_guest(tmp_path, HANGING))
    machine.run({}, 30)
    (running,) = qemus(os.getpid())
    os.kill(running, 9)
    with pytest.raises(TargetError):
        machine.run({}, 30)
    machine.close()
    assert not alive(running)


def test_an_application_that_is_none_is_refused(machines: list[ResidentMachine], tmp_path: Path) -> None:
    (tmp_path / "f.elf").write_bytes(b"no ELF")
    with pytest.raises(BadInputError, match="not an ELF file"):
        machine_with(machines, tmp_path / "f.elf").run({}, 30)


def test_a_machine_that_cannot_be_made_leaves_nothing_open(
    machines: list[ResidentMachine], tmp_path: Path
) -> None:
    guest = build_guest(tmp_path, 'int main(void) { __asm volatile("bkpt 0xab"); }')
    words = ["-C", "cpu0.semihosting-enable=1", "-C", f"cpu0.semihosting-cwd={tmp_path / 'missing'}"]
    left = []
    for _ in range(2):  # what guards processes is there from the first one on
        machine = machine_with(machines, guest, *words)
        with pytest.raises(BadInputError, match="there is no folder"):
            machine.run({}, 30)
        machine.close()
        left.append(len(list(Path("/proc/self/fd").iterdir())))
    assert left[1] == left[0]


def test_what_the_npu_refuses_is_reported_with_its_run(machines: list[ResidentMachine], tmp_path: Path) -> None:
    source = "int main(void) { if (REG(0x92000000)) { REG(NPU + 0x20) = 8; REG(NPU + 8) = 1; } }"
    machine = machine_with(machines, build_guest(tmp_path, source))
    reports = [machine.run({INPUT: bytes((bad, 0, 0, 0))}, 30).reports for bad in (1, 0, 1)]
    assert [len(found) for found in reports] == [1, 0, 1]
    assert "does not reach its command stream" in reports[0][0]


def test_only_so_much_of_what_a_uart_sends_is_kept(machines: list[ResidentMachine], tmp_path: Path) -> None:
    guest = build_guest(tmp_path, HANGING)
    machines.append(ResidentMachine(parse_options(["-a", str(guest), "-C", "mps3_board.uart0.out_file=-"]), 20))
    assert machines[-1].run({INPUT: bytes((4, 0, 0, 0))}, 1.0).sent == b"begun\n10064001\n00000"


def test_nobody_looks_whether_a_cpu_sleeps_that_stops_at_registers_or_prints(machines, tmp_path, monkeypatch):
    looks, looked = [], core_clock.CoreClock.look
    monkeypatch.setattr(core_clock.CoreClock, "look", lambda clock: (looks.append(1), looked(clock)))
    reading = "for (int i = 0; i < 400; i++) (void)REG(NPU + 4);"
    source = f'int main(void) {{ {reading} print("read\\n"); put(4); for (;;) {{ }} }}'
    finished = machine_with(machines, build_guest(tmp_path, source), "--simlimit", "60").run({})
    assert finished.sent.startswith(b"read")
    assert len(looks) < 200  # a slow computer may have time for some
