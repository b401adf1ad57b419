"""The machine with small programs on its CPU: registers, interrupt, memory, faults."""

import re
import subprocess

import pytest
from guest import build_guest
from simulator import run_guest, simulate

pytestmark = pytest.mark.system

ACCESSES = r"""
int main(void) {
  uint32_t a, b, c, d;
  print("id "); hex(REG(NPU)); print("alias "); hex(REG(0x48102000));
  REG(NPU + 0x80) = 0x11111111; REG(NPU + 0x84) = 0x22222222;
  __asm volatile("ldrd %0,%1,[%2]" : "=r"(a), "=r"(b) : "r"(NPU + 0x80));
  print("ldrd0 "); hex(a); print("ldrd1 "); hex(b);
  c = NPU + 0x88;
  __asm volatile("mov r4,#0x33\n mov r5,#0x44\n stmia %0!,{r4,r5}" : "+r"(c) : : "r4", "r5", "memory");
  print("stm0 "); hex(REG(NPU + 0x88)); print("stm1 "); hex(REG(NPU + 0x8c)); print("stm! "); hex(c);
  c = NPU + 0x80;
  __asm volatile("ldmia %0!,{r4,r5}\n add %1,r4,r5" : "+r"(c), "=r"(a) : : "r4", "r5");
  print("ldm "); hex(a); print("ldm! "); hex(c);
  c = NPU + 0x80; __asm volatile("ldr %0,[%1],#4" : "=&r"(a), "+r"(c));
  print("post "); hex(a); print("post! "); hex(c);
  c = NPU + 0x80; __asm volatile("ldr %0,[%1,#4]!" : "=&r"(a), "+r"(c));
  print("pre "); hex(a); print("pre! "); hex(c);
  __asm volatile("strb %0,[%1,#1]" : : "r"(0xEE), "r"(NPU + 0x84)); print("strb "); hex(REG(NPU + 0x84));
  a = 1; b = 7; c = 9; d = 5;
  __asm volatile("cmp %3,#5\n ittee eq\n ldreq %0,[%4]\n addeq %1,%1,#1\n ldrne %2,[%4]\n addne %1,%1,#9"
                 : "+r"(b), "+r"(c), "+r"(a) : "r"(d), "r"(NPU + 0x80) : "cc");
  print("it0 "); hex(b); print("it1 "); hex(c); print("it2 "); hex(a);
  return 0;
}
"""


def test_every_way_to_load_and_store_reaches_the_registers(tmp_path):
    done = run_guest(build_guest(tmp_path, ACCESSES))
    assert done.status == 0, done.errors
    expected = {
        **{"id": 0x10064001, "alias": 0x10064001, "ldrd0": 0x11111111, "ldrd1": 0x22222222},
        **{"stm0": 0x33, "stm1": 0x44, "stm!": 0x58102090, "ldm": 0x33333333, "ldm!": 0x58102088},
        **{"post": 0x11111111, "post!": 0x58102084, "pre": 0x22222222, "pre!": 0x58102084},
        **{"strb": 0x2222EE22, "it0": 0x11111111, "it1": 10, "it2": 1},
    }
    assert {name: done.value(name) for name in expected} == expected


RUN = r"""
static const uint32_t stream[] = { /* DMA of 32 bytes from region 0 + 0 to region 1 + 16, then stop */
  0x00000130, 0x00010131, 0x00004030, 0, 0x00004031, 16, 0x00004032, 32, 0x00000010, 0xffff0000 };
static volatile uint32_t *const queue = (void *)0x31001000;
static volatile uint32_t *const source = (void *)0x60100000, *const target = (void *)0x31000100;
#ifndef RESET_TO
#define RESET_TO 1 /* Secure, privileged */
#endif
static void prepare(uint32_t base) {
  REG(NPU + 0x0c) = RESET_TO; while (REG(NPU + 4) & 8) { }
  REG(NPU + 0x10) = base; REG(NPU + 0x20) = sizeof stream; REG(NPU + 0x1c) = 2;
  REG(NPU + 0x80) = (uint32_t)source; REG(NPU + 0x88) = (uint32_t)target; REG(NPU + 0x3c) = 3;
  for (int i = 0; i < 10; i++) queue[i] = stream[i];
}
"""


def test_a_run_raises_interrupt_56_once_and_wakes_the_cpu(tmp_path):
    source = (
        RUN
        + r"""
    int main(void) {
      for (int i = 0; i < 8; i++) source[i] = 0x100 + i;
      prepare(0x31001000);
      REG(NPU + 0x180) = 1; REG(NPU + 0x184) = 0x80000001; REG(NPU + 0x380) = 0x182;
      NVIC_ISER1 = NPU_IRQ_BIT;
      REG(NPU + 8) = 1;
      while (!interrupts) __asm volatile("wfi");
      for (volatile int i = 0; i < 10000; i++) { }
      print("interrupts "); hex(interrupts); print("status "); hex(REG(NPU + 4));
      print("first "); hex(target[4]); print("last "); hex(target[11]); print("next "); hex(target[12]);
      print("qread "); hex(REG(NPU + 0x18));
      print("cycles "); hex(REG(NPU + 0x1a0)); print("beats "); hex(REG(NPU + 0x300));
    }"""
    )
    done = run_guest(build_guest(tmp_path, source), "--stat")
    assert done.value("interrupts") == 1
    assert done.value("status") == 0x20
    assert (done.value("first"), done.value("last"), done.value("next")) == (0x100, 0x107, 0)
    assert done.value("qread") == 40
    assert done.value("cycles") > 0
    assert done.value("beats") == 4  # 32 bytes through port 1, 8 bytes a beat
    assert "1 complete, 0 failed" in done.output


def test_the_interrupt_line_is_a_level_that_polling_programs_can_follow(tmp_path):
    source = (
        RUN
        + r"""
    int main(void) {
      prepare(0x31001000);
      REG(NPU + 8) = 1; while (!(REG(NPU + 4) & 2)) { }
      print("pending "); hex(REG(0xE000E204)); REG(0xE000E284) = NPU_IRQ_BIT;
      REG(NPU + 8) = 2; REG(0xE000E284) = NPU_IRQ_BIT; print("after "); hex(REG(0xE000E204));
    }"""
    )
    done = run_guest(build_guest(tmp_path, source))
    assert done.value("pending") == 1 << 24
    assert done.value("after") == 0


@pytest.mark.parametrize(
    ("change", "bit", "reason"),
    [
        ("prepare(0x20000000);", 1 << 2, "does not reach its command stream at 0x20000000"),
        ("prepare(0x31001000); queue[8] = 0x3f;", 1 << 4, "unknown command"),
        ("prepare(0x31001000); queue[5] = 0x7fffffff;", 1 << 2, "outside the region"),
        ("prepare(0x31001000); REG(NPU + 0x20) = 0x7fffffff;", 1 << 2, "does not fit"),
    ],
)
def test_a_run_that_fails_sets_its_status_bit_and_tells_the_user_why(tmp_path, change, bit, reason):
    source = RUN + "int main(void) { " + change + ' REG(NPU + 8) = 1; print("status "); hex(REG(NPU + 4)); }'
    done = run_guest(build_guest(tmp_path, source))
    assert done.value("status") == bit | 2
    assert reason in done.errors
    assert "Ethos-U55-128" in done.errors


def test_raw_data_is_loaded_and_dumped_from_every_memory(tmp_path):
    content = bytes(range(256)) * 16
    (tmp_path / "data.bin").write_bytes(content)
    places = [0x0007E000, 0x11000010, 0x30001000, 0x211FF800, 0x60000123, 0xDFFFF000]
    elf = build_guest(tmp_path, "int main(void) { REG(0x21000000) = 0x12345678; return 0; }")
    words = []
    for place in places:
        words += ["--data", f"{tmp_path}/data.bin@{place:#x}"]
        words += ["--dump", f"cpu0={tmp_path}/dump-{place:x}@Memory:{place:#x},{len(content)}"]
    words += ["--dump", f"{tmp_path}/word@0x31000000,4"]
    done = run_guest(elf, *words)
    assert done.status == 0, done.errors
    for place in places:
        assert (tmp_path / f"dump-{place:x}").read_bytes() == content
    assert (tmp_path / "word").read_bytes() == bytes.fromhex("78563412")


def test_a_locked_up_cpu_ends_with_the_reason(tmp_path):
    # With all faults masked there is no handler left to take this one.
    source = 'int main(void) { __asm volatile("cpsid f\\n udf #0"); }'
    done = run_guest(build_guest(tmp_path, source))
    assert done.status == 4
    assert "QEMU died" in done.errors
    assert "Lockup" in done.errors


def test_a_vector_access_to_the_registers_ends_with_its_place(tmp_path):
    source = 'int main(void) { __asm volatile("vldr s0,[%0]" : : "r"(NPU)); }'
    done = run_guest(build_guest(tmp_path, source))
    assert done.status == 4
    assert "only integer loads and stores" in done.errors


def test_without_an_npu_access_the_npu_is_never_touched(tmp_path):
    done = run_guest(build_guest(tmp_path, 'int main(void) { print("hello\\n"); }'), "--stat")
    assert done.output.startswith("hello\n\x04")
    assert re.search(r"register accesses *: 0 in", done.output)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--timelimit", "1"), "CPU time has been exceeded"),
        (("--simlimit", "0.3"), "Simulated time has been exceeded"),
        (("--cyclelimit", "5000000"), "Cycle limit has been exceeded"),
    ],
)
def test_each_limit_ends_the_simulation_with_status_0_and_still_dumps(tmp_path, words, reason):
    elf = build_guest(tmp_path, "int main(void) { REG(0x31000000) = 7; for (;;) { } }")
    done = simulate("-a", elf, *words, "--dump", f"{tmp_path}/word@0x31000000,4")
    assert done.status == 0
    assert reason in done.output
    assert (tmp_path / "word").read_bytes() == b"\7\0\0\0"


def test_an_rtos_style_program_sleeps_between_ticks_and_npu_interrupts(tmp_path):
    source = (
        RUN
        + r"""
    int main(void) {
      REG(0xE000E014) = 25000; REG(0xE000E018) = 0; REG(0xE000E010) = 7; /* SysTick */
      prepare(0x31001000);
      NVIC_ISER1 = NPU_IRQ_BIT;
      for (uint32_t run = 1; run <= 20; run++) {
        source[0] = run;
        REG(NPU + 8) = 1;
        while (interrupts < run) __asm volatile("wfi");
        if (target[4] != run) { print("FAULT\n"); return 1; }
        for (uint32_t until = ticks + 2; ticks < until;) __asm volatile("wfi");
      }
      print("interrupts "); hex(interrupts); print("ticks "); hex(ticks);
    }"""
    )
    done = run_guest(build_guest(tmp_path, source))
    assert done.value("interrupts") == 20
    assert done.value("ticks") >= 40


NON_SECURE = r"""
#define NS __attribute__((section(".ns_text"), noinline))
NS void ns_npu(void) { (*(volatile uint32_t *)0x20040004)++; REG(0x48102008) = 2; }
NS void ns_main(void) {
  REG(0x48102080) = 0x1234;                      /* BASEP0, read back */
  REG(0x20040000) = REG(0x48102080);
  REG(0x2004000c) = REG(0x48102024);             /* PROT */
  REG(0x48102080) = (uint32_t)0x60100000;
  REG(0x48102008) = 1;
  if (STARTS) while (!REG(0x20040004)) __asm volatile("wfi");
  if (!STARTS) REG(0x4810200c) = 1;              /* asks for a Secure NPU */
  REG(0x20040010) = REG(0x48102024); REG(0x20040014) = REG(0x48102080);
  struct { uint32_t reason, code; } exit = { 0x20026, REG(0x20040000) == 0x1234 ? REG(0x20040004) + 40 : 1 };
  host(0x20, &exit);
  for (;;) { }
}
__attribute__((section(".ns_vectors"), used)) void *const ns_vectors[16 + 64] = {
  (void *)0x20050000, (void *)ns_main, [16 + 56] = (void *)ns_npu };
static void sau(int n, uint32_t base, uint32_t limit) {
  REG(0xE000EDD8) = n; REG(0xE000EDDC) = base; REG(0xE000EDE0) = (limit & ~31u) | 1;
}
int main(void) {
  prepare(0x31001000);
  sau(0, 0x00040000, 0x0007ffff); sau(1, 0x20040000, 0x2007ffff); sau(2, 0x40000000, 0x4fffffff);
  REG(0xE000EDD0) = 1;                           /* SAU on */
  REG(0xE000E384) = NPU_IRQ_BIT;                 /* NVIC_ITNS1: the interrupt is non-secure */
  NVIC_ISER1 = NPU_IRQ_BIT; REG(0xE002E104) = NPU_IRQ_BIT;
  REG(0x20040000) = REG(0x20040004) = 0;
  target[4] = 0x55555555;
  REG(0xE002ED08) = 0x00040000;                  /* VTOR_NS */
  __asm volatile("msr msp_ns,%0\n dsb\n isb\n bxns %1" : : "r"(0x20050000), "r"((uint32_t)ns_main & ~1u));
}
"""


def words_of(path):
    return [int.from_bytes(path.read_bytes()[at : at + 4], "little") for at in range(0, path.stat().st_size, 4)]


def run_non_secure(folder, head):
    elf = build_guest(folder, head + RUN + NON_SECURE)
    dumps = ["--dump", f"{folder}/seen@0x20040000,24", "--dump", f"{folder}/target@0x31000110,4"]
    done = run_guest(elf, "-C", "cpu0.semihosting-enable=1", *dumps)
    return done, words_of(folder / "seen"), words_of(folder / "target")[0]


def test_non_secure_code_drives_a_non_secure_npu_through_its_alias(tmp_path):
    done, seen, target = run_non_secure(tmp_path, "#define RESET_TO 3\n#define STARTS 1\n")
    assert done.errors == ""
    assert done.status == 41
    assert seen[3] == 3  # PROT: Non-secure, privileged
    assert target != 0x55555555


def test_non_secure_code_cannot_start_a_secure_npu_nor_make_one(tmp_path):
    done, seen, target = run_non_secure(tmp_path, "#define RESET_TO 1\n#define STARTS 0\n")
    assert "a Non-secure access to the Secure NPU was ignored" in done.errors
    assert done.status == 1
    assert seen[0] == 0  # what it wrote is not there
    assert seen[3] == 0  # PROT reads as zero
    assert target == 0x55555555  # nothing ran
    # Its RESET takes effect, but a driver that has asked for Secure finds PROT Non-secure, and fails.
    assert seen[4] == 3
    assert seen[5] == 0


GATEWAY = r"""
#define NS __attribute__((section(".ns_text"), noinline))
__attribute__((naked, aligned(32))) void gateway(void) {
  __asm volatile("sg\n adds r0,#1\n bxns lr\n .balign 32"); }
NS void ns_main(void) {
  register int r0 __asm("r0") = 41;
  __asm volatile("blx %1" : "+r"(r0) : "r"((uint32_t)gateway | 1) : "lr", "cc");
  struct { uint32_t reason, code; } exit = { 0x20026, r0 };
  host(0x20, &exit);
  for (;;) { }
}
__attribute__((section(".ns_vectors"), used)) void *const ns_vectors[16] = { (void *)0x20050000, (void *)ns_main };
static void sau(int n, uint32_t base, uint32_t limit, int callable) {
  REG(0xE000EDD8) = n; REG(0xE000EDDC) = base; REG(0xE000EDE0) = (limit & ~31u) | callable << 1 | 1;
}
int main(void) {
  uint32_t before = REG(0xE000ED14), place = (uint32_t)gateway & ~1u, set = before | 1 << 20 | 1 << 8;
  __asm volatile("str %1,[%0]" : : "r"(0xE000ED14), "r"(set) : "memory");
  if (set != (before | 1 << 20 | 1 << 8)) print("register changed\n");
  print("set "); hex(REG(0xE000ED14) ^ before);
  REG(0xE000ED24) |= 7u << 16;
  sau(0, 0x00040000, 0x0007ffff, 0); sau(1, 0x20040000, 0x2007ffff, 0); sau(2, place, place, 1);
  REG(0xE000EDD0) = 1;
  __asm volatile("msr psp,%0\n msr control,%1\n isb" : : "r"(0x20007000), "r"(2));
  REG(0xE002ED08) = 0x00040000;
  __asm volatile("msr msp_ns,%0\n dsb\n isb\n bxns %1" : : "r"(0x20050000), "r"((uint32_t)ns_main & ~1u));
}
"""


def test_a_privileged_secure_thread_that_must_not_be_entered_again_is_called_as_on_a_board(tmp_path):
    done = run_guest(build_guest(tmp_path, GATEWAY), "-C", "cpu0.semihosting-enable=1")
    assert "FAULT" not in done.output
    assert "register changed" not in done.output
    assert done.value("set") == 1 << 8  # BFHFNMIGN; TRD is not
    assert done.status == 42


def test_secure_code_may_use_both_addresses_of_the_npu(tmp_path):
    source = r"""
    int main(void) {
      REG(0x4810200c) = 1; print("prot "); hex(REG(0x48102024)); print("alias "); hex(REG(0x58102024));
      REG(0x48102080) = 0x1234; print("base "); hex(REG(0x58102080));
      REG(0x5810200c) = 3; print("nonsecure "); hex(REG(0x58102024)); print("cleared "); hex(REG(0x58102080));
      REG(0x5810200c) = 1; print("secure "); hex(REG(0x48102024));
      REG(0xE000EDD0) = 1; /* SAU on: the alias without bit 28 is Non-secure */
      print("hidden "); hex(REG(0x48102000)); print("seen "); hex(REG(0x58102000));
    }"""
    done = run_guest(build_guest(tmp_path, source))
    expected = {"prot": 1, "alias": 1, "base": 0x1234, "nonsecure": 3, "cleared": 0, "secure": 1}
    expected |= {"hidden": 0, "seen": 0x10064001}
    assert {name: done.value(name) for name in expected} == expected


SEMIHOSTING = r"""
int main(void) {
  static char buffer[80];
  struct { char *text; int size; } command_line = { buffer, 80 };
  host(0x04, "written\n");
  host(0x15, &command_line); host(0x04, buffer); host(0x04, "\n");
  struct { const char *name; int mode, length; } file = { "made.txt", 4, 8 };
  struct { int handle; const char *data; int size; } write = { host(0x01, &file), "data", 4 };
  host(0x05, &write); host(0x02, &write.handle);
  print("uart\n");
  struct { uint32_t reason, code; } exit = { 0x20026, 7 };
  host(0x20, &exit);
  for (;;) { }
}
"""


def test_semihosting_prints_knows_its_command_line_writes_files_and_exits(tmp_path):
    folder = tmp_path / "host folder"
    folder.mkdir()
    words = ["-C", "cpu0.semihosting-enable=1", "-C", "cpu0.semihosting-cmd_line=program one two"]
    words += ["-C", f"cpu0.semihosting-cwd={folder}", "-C", f"mps3_board.uart0.out_file={tmp_path}/uart.txt"]
    done = run_guest(build_guest(tmp_path, SEMIHOSTING), *words)
    assert done.status == 7
    assert done.output == "written\nprogram one two\n"
    assert (tmp_path / "uart.txt").read_text() == "uart\n"
    assert (folder / "made.txt").read_text() == "data"


def test_without_semihosting_its_breakpoint_is_a_fault_and_no_file_is_made(tmp_path):
    done = simulate(
        "-q",
        *("-a", build_guest(tmp_path, SEMIHOSTING), "-C", "mps3_board.uart0.out_file=-"),
        *("-C", "mps3_board.uart0.shutdown_on_eot=1", "--timelimit", 20),
        cwd=tmp_path,
    )
    assert done.status == 0
    assert done.output == "FAULT\n\x04"
    assert not (tmp_path / "made.txt").exists()


QUIET = r"""
static const uint32_t places[] = {
  0x4FEE0000, 0x4FEF0000, 0x4FF00000, 0x4FF70040, 0x4FF7FFFC, 0x41400000, 0x414FFFFC, 0x41700000, 0x41801000,
  0x4930A000, 0x49200000, 0x49207000 + 0x1000, 0x49302000,
};
int main(void) {
  for (int i = 0; i < 9; i++)
    for (uint32_t at = places[i]; at == places[i] || at == (places[i] | 0x10000000); at += 0x10000000) {
      REG(at) = 0x1234567; *(volatile uint16_t *)(at + 2) = 7; *(volatile uint8_t *)at = 9;
      if (REG(at)) print("kept\n");
    }
  for (int i = 9; i < 13; i++) REG(places[i]);
  print("done\n");
}
"""


@pytest.mark.parametrize("board", ["corstone-300", "corstone-310"])
def test_peripherals_that_nothing_models_read_zero_and_take_any_write(tmp_path, board):
    elf = build_guest(tmp_path, QUIET)
    words = ["--board", board, "-C", "cpu0.INITSVTOR=0"]
    assert run_guest(elf, *words).output == "done\n\x04"


STARTS = r"""
int main(void) { print("vtor "); hex(REG(0xE000ED08)); REG(0xE000ED14) |= 1 << 4; __asm volatile("udf #0"); }
"""


@pytest.mark.parametrize(
    ("board", "begin", "vtor"),
    [
        ("corstone-300", 0x70000000, 0x70000000),
        ("corstone-300", 0x11000000, 0x11000000),
        ("corstone-300", 0x01000000, 0x11000000),
        ("corstone-300", 0x38000000, 0x38000000),
        ("corstone-310", None, 0x11000000),
    ],
)
def test_a_program_begins_where_its_vector_table_is_named_and_its_faults_find_it(tmp_path, board, begin, vtor):
    place = 0x11000000 if begin is None else begin
    words = [] if begin is None else ["-C", f"cpu0.INITSVTOR={begin:#x}"]
    elf = build_guest(tmp_path, STARTS, place=place)
    done = run_guest(elf, "--board", board, *words)
    assert done.value("vtor") == vtor
    assert done.output.endswith("FAULT\n\x04")


def test_the_nonsecure_vector_table_is_where_it_is_named_until_a_program_moves_it(tmp_path):
    source = r"""
    int main(void) {
      print("before "); hex(REG(0xE002ED08)); REG(0xE002ED08) = 0x00300000; print("after "); hex(REG(0xE002ED08));
    }"""
    done = run_guest(build_guest(tmp_path, source), "-C", "cpu0.INITNSVTOR=0x00200000")
    assert (done.value("before"), done.value("after")) == (0x200000, 0x300000)


def test_a_program_in_intel_hex_boots_beside_another_image(tmp_path):
    second = build_guest(tmp_path, "int main(void) { }", "second", place=0x21000000)
    elf = build_guest(tmp_path, 'int main(void) { print("reset "); hex(REG(0x21000004)); }')
    for path in (elf, second):
        command = ["arm-none-eabi-objcopy", "-O", "ihex", "-j", ".text", path, path.with_suffix(".hex")]
        subprocess.run(command, check=True)
    done = run_guest(elf.with_suffix(".hex"), "-a", f"cpu0*={second.with_suffix('.hex')}")
    assert 0x21000000 < done.value("reset") < 0x21001000


def test_start_names_the_first_instruction(tmp_path):
    source = """
    __attribute__((section(".ns"), naked)) void other(void) { __asm volatile("bl elsewhere"); }
    void elsewhere(void) { uart_init(); print("elsewhere\\n\\4"); for (;;) { } }
    int main(void) { print("main\\n"); }"""
    elf = build_guest(tmp_path, source.replace(".ns", ".ns_text"))
    assert run_guest(elf, "--start", "cpu0=0x40000").output == "elsewhere\n\x04"


def test_qspi_holds_what_is_loaded_and_what_is_written(tmp_path):
    (tmp_path / "data").write_bytes(bytes(range(8)))
    source = r"""int main(void) {
      print("first "); hex(REG(0x28000100)); print("second "); hex(REG(0x38000104));
      REG(0x38000104) = 1; print("now "); hex(REG(0x28000104)); }"""
    words = ["--data", f"{tmp_path}/data@S:0x38000100"]
    words += ["--dump", f"mps3_board.qspi_sram={tmp_path}/dump@0x104,4"]
    done = run_guest(build_guest(tmp_path, source), *words)
    assert [done.value(name) for name in ("first", "second", "now")] == [0x03020100, 0x07060504, 1]
    assert (tmp_path / "dump").read_bytes() == bytes([1, 0, 0, 0])


@pytest.mark.parametrize("gate", [0xE001E500, 0xE001E600])
def test_the_gates_of_the_tightly_coupled_memories_are_there_and_keep_what_is_written(gate, tmp_path):
    source = """int main(void) {
      print("is "); hex(REG(GATE + 4)); REG(GATE + 0x10) = 0xffff; REG(GATE + 0x4c) = 7; REG(GATE + 4) = 0;
      print("first "); hex(REG(GATE + 0x10)); print("last "); hex(REG(GATE + 0x4c));
      print("still "); hex(REG(GATE + 4)); }"""
    done = run_guest(build_guest(tmp_path, source.replace("GATE", hex(gate))))
    is_, first, last, still = (done.value(name) for name in ("is", "first", "last", "still"))
    blocks, size = 1 << (is_ >> 8 & 0xF), 32 << (is_ & 0xF)
    assert (is_ >> 31, blocks * size) == (1, 512 * 1024)
    assert blocks <= 16 * 32  # what the look-up table has bits for
    assert (first, last, still) == (0xFFFF, 7, is_)


def test_every_store_to_qspi_arrives_whatever_its_size_and_place(tmp_path):
    source = r"""int main(void) {
      volatile uint8_t *flash = (void *)0x38700000;
      for (int i = 0; i < 64; i++) flash[i] = 0xff;
      flash[1] = 0x11; *(volatile uint16_t *)(flash + 3) = 0x2233; *(volatile uint32_t *)(flash + 6) = 0x44556677;
      __asm volatile("mov r4, #8\n mov r5, #9\n mov r6, #10\n stmia %0!, {r4-r6}\n strd r4, r5, [%0, #4]"
                     :: "r"(flash + 12) : "r4", "r5", "r6", "memory");
      *(volatile uint32_t *)0x287ffffc = 0x89abcdef; print("last "); hex(REG(0x387ffffc));
      for (int i = 0; i < 36; i += 4) hex(REG(flash + i)); }"""
    done = run_guest(build_guest(tmp_path, source))
    assert done.value("last") == 0x89ABCDEF
    words = [int(line, 16) for line in done.output.splitlines()[1:10]]
    content = bytearray(b"\xff" * 36)
    content[1], content[3:5], content[6:10] = 0x11, b"\x33\x22", bytes.fromhex("77665544")
    content[12:36] = b"".join(value.to_bytes(4, "little") for value in (8, 9, 10, 0xFFFFFFFF, 8, 9))
    assert b"".join(word.to_bytes(4, "little") for word in words) == content


def test_code_in_qspi_that_was_overwritten_is_new_code(tmp_path):
    source = r"""int main(void) {
      volatile uint16_t *code = (void *)0x38010000;
      for (int i = 1; i < 3; i++) {
        code[0] = 0x2000 + i; code[1] = 0x4770; /* movs r0, #i; bx lr */
        __asm volatile("dsb\nisb");
        hex(((int (*)(void))((uint32_t)code | 1))());
      } }"""
    assert run_guest(build_guest(tmp_path, source)).output.split() == ["00000001", "00000002", "\x04"]


def test_the_npu_reads_and_writes_qspi(tmp_path):
    (tmp_path / "data").write_bytes(bytes(range(64)))
    run = r"""
    int main(void) {
      prepare(0x31001000);
      PLACE
      REG(NPU + 8) = 1; print("status "); hex(REG(NPU + 4)); print("first "); hex(target[4]);
      REG(NPU + 8) = 2; REG(NPU + 8) = 1; print("second "); hex(target[5]);
    }"""
    words = ["--data", f"{tmp_path}/data@0x38000000"]
    done = run_guest(build_guest(tmp_path, RUN + run.replace("PLACE", "REG(NPU + 0x80) = 0x38000000;")), *words)
    assert (done.value("status"), done.value("first"), done.value("second")) == (0x22, 0x03020100, 0x07060504)
    run = run.replace("hex(target[4])", "hex(REG(0x28000010))").replace("hex(target[5])", "hex(REG(0x38000030))")
    run = run.replace("PLACE", "source[0] = 9; REG(NPU + 0x88) = 0x38000000;")
    done = run_guest(build_guest(tmp_path, RUN + run), *words)
    assert (done.value("status"), done.value("first"), done.value("second")) == (0x22, 9, 0x33323130)


def test_the_npu_sees_what_the_cpu_writes_to_qspi_between_two_runs(tmp_path):
    run = r"""
    int main(void) {
      prepare(0x31001000); REG(NPU + 0x80) = 0x38000000;
      for (int i = 1; i < 3; i++) { REG(0x38000000) = i; REG(NPU + 8) = 1; REG(NPU + 8) = 2; hex(target[4]); }
    }"""
    assert run_guest(build_guest(tmp_path, RUN + run)).output.split() == ["00000001", "00000002", "\x04"]


def test_memories_are_loaded_and_dumped_by_the_fvps_names(tmp_path):
    (tmp_path / "data").write_bytes(bytes(range(8)))
    source = "int main(void) { REG(0x111ffff0) = REG(0x311f0004); REG(0x70000000) = REG(0x311f0000); }"
    sram = "mps3_board.sse300.iotss3_internal_sram1"
    words = ["--data", f"{sram}={tmp_path}/data@0x1f0000", "--dump", f"{sram}={tmp_path}/sram@0x1f0004,4"]
    words += ["--dump", f"mps3_board.sram={tmp_path}/bram@0x1ffff0,4"]
    words += ["--dump", f"FVP_MPS3_Corstone_SSE_300.mps3_board.ddr={tmp_path}/ddr@N:0x10000000,4"]
    assert run_guest(build_guest(tmp_path, source), *words).status == 0
    assert (tmp_path / "sram").read_bytes() == (tmp_path / "bram").read_bytes() == bytes(range(4, 8))
    assert (tmp_path / "ddr").read_bytes() == bytes(range(4))


def test_warnings_are_told_on_the_standard_output_and_not_with_q(tmp_path):
    elf = build_guest(tmp_path, "int main(void) { }")
    words = ["-a", elf, "-C", "mps3_board.uart0.out_file=-", "-C", "mps3_board.uart0.shutdown_on_eot=1"]
    words += ["-I", "-C", "cpu0.MVE=1", "-C", "cpu0.IRQLVL=4", "--timelimit", 30]
    done = simulate(*words)
    assert done.errors == ""
    assert [line for line in done.output.splitlines() if line.startswith("Warning")] == [
        "Warning: --iris-server: no debug server is started: --gdb PORT lets a debugger attach",
        "Warning: parameter 'cpu0.MVE': the processor here has all of it (2)",
        "Warning: without effect in this functional model: cpu0.IRQLVL=0x4",
    ]
    assert simulate("-q", *words).output == "\x04"
