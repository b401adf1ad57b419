"""The board's system timers where instructions are counted: programs go on whatever they compare with."""

import pytest
from guest import build_guest
from simulator import run_guest

from deploy.corstone.system_timers import rounded

TIMER = r"""
#define T(offset) REG(TIMER_BASE + (offset))
#define COUNTER REG(0x58100000)
static volatile uint32_t due;
static void wait(void) { while (!(T(0x2c) & 4)) { } }
"""


def guest(folder, source, timer=0x58000000):
    return build_guest(folder, f"#define TIMER_BASE {timer:#x}u\n{TIMER}{source}")


def test_a_time_is_rounded_up_to_a_multiple_of_4_and_never_stays_never():
    assert [rounded(ticks) for ticks in (0, 1, 4, 1001, 0xFFFFFFFC)] == [0, 4, 4, 1004, 0xFFFFFFFC]
    assert [rounded(ticks) for ticks in (0xFFFFFFFD, 0xFFFFFFFF)] == [0xFFFFFFFC, 0xFFFFFFFC]


@pytest.mark.system
@pytest.mark.parametrize("timer", [0x58000000, 0x48002000])
def test_a_timer_expires_whatever_it_compares_with_and_not_too_early(tmp_path, timer):
    source = r"""
    int main(void) {
      uint32_t early = 0, late = 0;
      COUNTER = 1; T(0x24) = 0; T(0x2c) = 1;
      for (int k = 1; k < 200; k++) {
        uint32_t at = T(0) + 2000000 + k; T(0x20) = at;
        late += T(0x20) - at > 3;
        T(0x20) = at = T(0) + 700 + k;
        wait(); early += (int32_t)(T(0) - at) < 0;
      }
      print("early "); hex(early); print("late "); hex(late);
    }"""
    done = run_guest(guest(tmp_path, source, timer))
    assert done.errors == ""
    assert done.value("early") == done.value("late") == 0


@pytest.mark.system
def test_a_timer_expires_whatever_it_counts_down_from(tmp_path):
    source = r"""
    int main(void) {
      uint32_t early = 0;
      COUNTER = 1; T(0x2c) = 1;
      for (int k = 1; k < 200; k++) {
        uint32_t at = T(0) + 701 + k; T(0x28) = 701 + k;
        wait(); early += (int32_t)(T(0) - at) < 0;
      }
      print("early "); hex(early);
    }"""
    assert run_guest(guest(tmp_path, source)).value("early") == 0


INTERRUPTS = r"""
static volatile uint32_t count;
static void start(void) {
  ((void *volatile *)vectors)[16 + 3] = on_timer;
  COUNTER = 1; REG(0xE000E100) = 1u << 3;
}
"""


@pytest.mark.system
@pytest.mark.parametrize("sleep", ["", '__asm volatile("wfi");'])
def test_interrupts_of_a_timer_come_whether_the_cpu_works_or_sleeps(tmp_path, sleep):
    source = (
        "static void on_timer(void);"
        + INTERRUPTS
        + r"""
    static void on_timer(void) { count++; due = T(0) + 400001 + count; T(0x20) = due; }
    int main(void) {
      start(); due = T(0) + 400001; T(0x20) = due; T(0x24) = 0; T(0x2c) = 1;
      while (count < 40) { SLEEP }
      T(0x2c) = 0;
      print("count "); hex(count);
    }"""
    )
    done = run_guest(guest(tmp_path, source.replace("SLEEP", sleep)))
    assert done.errors == ""
    assert done.value("count") == 40


@pytest.mark.system
@pytest.mark.parametrize(
    ("reload", "order"),
    [(400_000, "T(0x4c) = 1; T(0x2c) = 1;"), (400_003, "T(0x2c) = 3; T(0x4c) = 1; T(0x2c) = 1;")],
)
def test_a_timer_that_sets_its_own_times_goes_on(tmp_path, reload, order):
    source = (
        "static void on_timer(void);"
        + INTERRUPTS
        + r"""
    static void on_timer(void) { count++; T(0x4c) = 1; }
    int main(void) {
      start(); uint32_t before = T(0);
      T(0x48) = RELOAD; ORDER
      while (count < 40) { if (count & 8) __asm volatile("wfi"); }
      print("took "); hex(T(0) - before); print("due "); hex(T(0x40) - T(0)); print("reload "); hex(T(0x48));
    }"""
    )
    done = run_guest(guest(tmp_path, source.replace("RELOAD", str(reload)).replace("ORDER", order)))
    assert done.errors == ""
    assert done.value("took") >= 40 * reload
    assert done.value("due") <= reload
    assert done.value("reload") == reload


@pytest.mark.system
def test_a_timer_that_sets_its_own_times_adds_them_exactly_and_tells_them(tmp_path):
    source = r"""
    int main(void) {
      COUNTER = 1; T(0x20) = 0x1000; T(0x24) = 0x7000; T(0x48) = 30001; T(0x4c) = 1;
      print("off "); hex(T(0x4c)); T(0x2c) = 1;
      uint32_t first = T(0x40), wrong = 0;
      for (int k = 0; k < 50; k++) {
        wait(); wrong += T(0x4c) != 3;
        uint32_t now = T(0), at = T(0x40); wrong += (at - first) % 30001 != 0; wrong += (int32_t)(at - now) <= 0;
        T(0x4c) = 3; wrong += !(T(0x2c) & 4); T(0x4c) = 1; wrong += (T(0x40) - first) % 30001 != 0;
      }
      print("wrong "); hex(wrong); print("high "); hex(T(0x44));
      T(0x4c) = 0; print("compare "); hex(T(0x20)); print("above "); hex(T(0x24)); print("status "); hex(T(0x2c));
    }"""
    done = run_guest(guest(tmp_path, source))
    expected = {"off": 1, "wrong": 0, "high": 0, "compare": 0x1000, "above": 0x7000, "status": 1}
    assert {name: done.value(name) for name in expected} == expected


@pytest.mark.system
@pytest.mark.parametrize("before", ["COUNTER = 0; COUNTER = 1;", "REG(0x58100008) = 0x1001;", ""])
def test_timers_go_on_wherever_their_counter_started(tmp_path, before):
    source = r"""
    int main(void) {
      COUNTER = 1; T(0x2c) = 1;
      for (int k = 0; k < 150; k++) { if (k % 30 == 0) { BEFORE } T(0x28) = 500 + k; wait(); }
      print("done "); hex(1);
    }"""
    done = run_guest(guest(tmp_path, source.replace("BEFORE", before)))
    assert done.value("done") == 1


@pytest.mark.system
def test_a_store_to_a_timer_leaves_the_program_as_it_was(tmp_path):
    # Conditional, with write-back, of two words, and again and again: the code behind it is what it was.
    source = r"""
    uint32_t left[4];
    int main(void) {
      COUNTER = 1;
      __asm volatile(
        "ldr r0,=0x58000020\n ldr r1,=1001\n mov r2,#5\n movs r3,#0\n"
        "1: cmp r3,r3\n itt eq\n streq r1,[r0],#4\n addeq r2,#1\n sub r0,#4\n add r1,#1\n subs r2,#0\n"
        "cmp r2,#50\n bne 1b\n"
        "ldr r4,=left\n stm r4,{r0-r3}\n"
        "mov r5,#7\n mov r6,#0\n strd r5,r6,[r0]\n"
        : : : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "cc", "memory");
      print("r0 "); hex(left[0]); print("r1 "); hex(left[1]);
      print("r2 "); hex(left[2]); print("r3 "); hex(left[3]);
      print("compare "); hex(T(0x20)); print("high "); hex(T(0x24));
      T(0x20) = T(0x24) = 0xffffffff; T(0x2c) = 1; print("never "); hex(T(0x2c));
    }"""
    done = run_guest(guest(tmp_path, source))
    expected = {"r0": 0x58000020, "r1": 1046, "r2": 50, "r3": 0, "compare": 8, "high": 0, "never": 1}
    assert {name: done.value(name) for name in expected} == expected


@pytest.mark.system
def test_instructions_are_counted_as_those_of_the_program(tmp_path):
    source = r"""
    int main(void) {
      COUNTER = 1; T(0x24) = 1; REG(0xE000EDFC) |= 1u << 24; REG(0xE0001000) |= 1;
      uint32_t before = REG(0xE0001004);
      for (uint32_t k = 1; k < 101; k++) T(0x20) = k;
      print("spent "); hex(REG(0xE0001004) - before);
    }"""
    assert 300 <= run_guest(guest(tmp_path, source)).value("spent") <= 700


@pytest.mark.system
def test_a_timer_that_is_not_open_to_non_secure_code_stays_so(tmp_path):
    source = r"""
    __attribute__((section(".ns_text"), noinline)) static void ns_main(void) {
      T(0x20) = 12345; T(0x28) = 1; T(0x4c) = 1; REG(0x20040000) = T(0x20) + 1;
      __asm volatile("bkpt #0xab" : : "r"(0));
      for (;;) { }
    }
    static void sau(int n, uint32_t base, uint32_t limit) {
      REG(0xE000EDD8) = n; REG(0xE000EDDC) = base; REG(0xE000EDE0) = (limit & ~31u) | 1;
    }
    int main(void) {
      COUNTER = 1; REG(0x58000020) = 77;
      sau(0, 0x00040000, 0x0007ffff); sau(1, 0x20040000, 0x2007ffff); sau(2, 0x40000000, 0x4fffffff);
      REG(0xE000EDD0) = 1;
      REG(0x20040000) = 0;
      __asm volatile("msr msp_ns,%0\n dsb\n isb\n bxns %1" : : "r"(0x20050000), "r"((uint32_t)ns_main & ~1u));
    }"""
    words = ["--dump", f"{tmp_path}/seen@0x20040000,4", "--timelimit", "3"]
    counted = run_guest(guest(tmp_path, source, 0x48000000), *words)
    seen = (tmp_path / "seen").read_bytes()
    plain = run_guest(guest(tmp_path, source, 0x48000000), *words, "-C", "ethosu.extra_args=--fast")
    assert (counted.status, counted.output, counted.errors) == (plain.status, plain.output, plain.errors)
    assert seen == (tmp_path / "seen").read_bytes()


@pytest.mark.system
def test_without_counting_nothing_is_rounded(tmp_path):
    source = 'int main(void) { COUNTER = 1; T(0x24) = 1; T(0x20) = 1001; print("compare "); hex(T(0x20)); }'
    elf = guest(tmp_path, source)
    assert run_guest(elf).value("compare") == 1004
    assert run_guest(elf, "-C", "ethosu.extra_args=--fast").value("compare") == 1001
