"""Time on the machine: the CPU's counters, its timers, and what limits and statistics make of them."""

import re

import pytest
from guest import build_guest
from simulator import run_guest, simulate

pytestmark = pytest.mark.system

SPEND = r"""
#define DWT_CTRL REG(0xE0001000)
#define CYCCNT REG(0xE0001004)
#define PMU(offset) REG(0xE0003000 + (offset))
#define SYSTICK_CTRL REG(0xE000E010)
#define SYSTICK_LOAD REG(0xE000E014)
#define SYSTICK_NOW REG(0xE000E018)
static void on(void) { REG(0xE000EDFC) |= 1u << 24; CYCCNT = 0; DWT_CTRL |= 1; }
static void spend(uint32_t rounds) { /* two instructions a round */
  __asm volatile("1: subs %0,#1\n bne 1b" : "+l"(rounds) : : "cc");
}
"""

COUNT = (
    SPEND
    + r"""
int main(void) {
  print("trace "); hex(REG(0xE000EDFC)); on(); print("enabled "); hex(REG(0xE000EDFC));
  print("dwt "); hex(DWT_CTRL);
  uint32_t first = CYCCNT; spend(50000); uint32_t second = CYCCNT;
  print("spent "); hex(second - first);
  DWT_CTRL &= ~1; first = CYCCNT; spend(50000); print("stopped "); hex(CYCCNT - first);
  SYSTICK_LOAD = 0xFFFFFF; SYSTICK_NOW = 0; SYSTICK_CTRL = 5; spend(100);
  uint32_t before = SYSTICK_NOW; spend(50000); uint32_t after = SYSTICK_NOW;
  print("systick "); hex(before - after);
  PMU(0x400) = 0x11; PMU(0x404) = 0x08; PMU(0x408) = 0x00; PMU(0x40c) = 0x1e; PMU(0x414) = 0x03;
  PMU(0xE04) = 7; PMU(0xC00) = 0x8000003f;
  spend(50000); PMU(0xCA0) = 4; PMU(0xCA0) = 4;
  PMU(0xC20) = 0x8000003f;
  print("ccntr "); hex(PMU(0x7c)); print("cycles "); hex(PMU(0x00)); print("instructions "); hex(PMU(0x04));
  print("software "); hex(PMU(0x08)); print("misses "); hex(PMU(0x14));
  print("overflown "); hex(PMU(0xC80)); PMU(0xC80) = ~0u; print("cleared "); hex(PMU(0xCC0));
  print("type "); hex(PMU(0xE00) & 0xff);
}
"""
)


def test_counters_of_the_cpu_follow_its_instructions_and_systick_goes_with_them(tmp_path):
    done = run_guest(build_guest(tmp_path, COUNT))
    assert done.status == 0, done.errors
    assert (done.value("trace"), done.value("enabled")) == (0, 1 << 24)
    assert done.value("dwt") & 0x02000001 == 1  # a cycle counter, enabled
    spent = 100_000 * 1.024
    assert done.value("spent") == pytest.approx(spent, abs=20)
    assert done.value("stopped") == 0
    assert done.value("systick") == pytest.approx(spent, abs=20)
    assert done.value("ccntr") == pytest.approx(spent, abs=40)
    assert done.value("cycles") == pytest.approx(spent - 0x10000, abs=40)  # 16 bits
    assert done.value("instructions") == pytest.approx(100_000 - 0x10000, abs=40)
    assert done.value("software") == 2
    assert done.value("misses") == 0
    assert done.value("overflown") == 0b11
    assert done.value("cleared") == 0
    assert done.value("type") == 8


def test_the_counts_of_a_program_are_the_same_every_time(tmp_path):
    elf = build_guest(tmp_path, COUNT)
    assert run_guest(elf).output == run_guest(elf).output


def test_two_counters_of_16_bits_are_chained_to_one_of_32(tmp_path):
    source = (
        SPEND
        + r"""
    int main(void) {
      PMU(0x400) = 0x11; PMU(0x404) = 0x1e; PMU(0xE04) = 7; PMU(0xC00) = 3;
      spend(200000); PMU(0xC20) = 3;
      print("count "); hex(PMU(4) << 16 | PMU(0));
    }"""
    )
    done = run_guest(build_guest(tmp_path, source))
    assert done.value("count") == pytest.approx(400_000 * 1.024, abs=40)


def test_delay_loops_end_whatever_they_count(tmp_path):
    source = (
        SPEND
        + r"""
    int main(void) {
      on();
      uint32_t start = CYCCNT, last = start, back = 0;
      while (CYCCNT - start < 25000000) { uint32_t now = CYCCNT; back += now - last > 0x80000000; last = now; }
      print("waited "); hex(CYCCNT - start); print("back "); hex(back);
      start = CYCCNT;
      while (CYCCNT - start < 2500) { }
      print("short "); hex(CYCCNT - start);
      SYSTICK_LOAD = 249999; SYSTICK_NOW = 0; SYSTICK_CTRL = 7;
      for (uint32_t until = ticks + 20; ticks < until;) { }
      print("ticks "); hex(ticks);
    }"""
    )
    done = run_guest(build_guest(tmp_path, source))
    assert done.status == 0
    assert 25_000_000 <= done.value("waited") < 26_600_000
    assert done.value("back") == 0
    assert 2500 <= done.value("short") < 2900
    assert done.value("ticks") >= 20


@pytest.mark.parametrize("words", [(), ("-C", "core_clk.mul=100000000")])
def test_simulated_time_is_counted_in_cycles_of_core_clk(tmp_path, words):
    # Ended by the program itself: after EOT it goes on until the host has seen that.
    elf = build_guest(tmp_path, SPEND + "int main(void) { spend(25000000); host(0x18, (void *)0x20026); }")
    done = run_guest(elf, "--stat", "-C", "cpu0.semihosting-enable=1", *words)
    seconds = float(re.search(r"Simulated time +: ([\d.]+)s", done.output)[1])
    assert seconds == pytest.approx(50_000_000 * 1.024 / (100e6 if words else 25e6), rel=0.01)


def test_a_program_that_sleeps_comes_to_its_limit_as_well(tmp_path):
    elf = build_guest(tmp_path, 'int main(void) { for (;;) __asm volatile("wfi"); }')
    done = simulate("-a", elf, "--simlimit", 0.5, "--stat")
    assert done.status == 0
    assert float(re.search(r"Simulated time +: ([\d.]+)s", done.output)[1]) >= 0.5


def test_limits_count_simulated_time_not_the_hosts(tmp_path):
    elf = build_guest(tmp_path, "int main(void) { for (;;) { } }")
    done = simulate("-a", elf, "--simlimit", 5, "--stat")
    assert done.status == 0
    assert "Simulated time has been exceeded" in done.output
    assert float(re.search(r"Simulated time +: ([\d.]+)s", done.output)[1]) >= 5


def test_without_cycle_accuracy_time_goes_on_as_the_cpu_runs(tmp_path):
    done = run_guest(build_guest(tmp_path, COUNT), "-C", "ethosu.extra_args='--fast'")
    assert done.status == 0
    assert done.value("spent") > 0
    assert done.value("stopped") == 0
