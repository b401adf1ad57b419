"""Small bare-metal programs for the machine's tests: start-up, UART and registers around a test's C code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

COMPILER = "arm-none-eabi-gcc"

_LINKER_SCRIPT = """
ENTRY(reset)
SECTIONS {
  .text PLACE : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
  .ns 0x00040000 : { KEEP(*(.ns_vectors)) *(.ns_text*) }
  .sram 0x31010000 : { KEEP(*(.sram_text*)) }
  .ddr 0x70001000 : { KEEP(*(.ddr_text*)) }
  .data 0x20000000 : { *(.data*) *(.bss*) *(COMMON) }
}
"""

_PREAMBLE = r"""
#include <stdint.h>
#define REG(address) (*(volatile uint32_t *)(address))
#define NPU 0x58102000u
#define UART0 0x59303000u
#define NVIC_ISER1 REG(0xE000E104)
#define NVIC_ICER1 REG(0xE000E184)
#define NPU_IRQ_BIT (1u << 24)

extern int main(void);
static volatile uint32_t interrupts, ticks;

static void put(char c) { while (REG(UART0 + 4) & 1) { } REG(UART0) = (uint8_t)c; }
static void print(const char *s) { while (*s) put(*s++); }
static void hex(uint32_t value) {
  for (int i = 28; i >= 0; i -= 4) put("0123456789abcdef"[value >> i & 15]);
  put('\n');
}
static void uart_init(void) { REG(UART0 + 16) = 16; REG(UART0 + 8) = 3; }

/* Semihosting: operation and argument; the answer. */
static inline int host(int operation, const void *argument) {
  register int r0 __asm("r0") = operation;
  register const void *r1 __asm("r1") = argument;
  __asm volatile("bkpt #0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static void on_tick(void) { ticks++; }
static void on_npu(void) { interrupts++; REG(NPU + 8) = 2; }
static void fault(void) { print("FAULT\n\4"); for (;;) { } }

void reset(void) {
  REG(0xE000ED88) |= 0xFu << 20; /* CPACR: floating point and vector instructions */
  __asm volatile("dsb\nisb");
  uart_init();
  main();
  put(4);
  for (;;) { }
}

__attribute__((section(".vectors"), used)) void *const vectors[16 + 64] = {
  (void *)0x20008000, (void *)reset,
  [2 ... 7] = (void *)fault, [8 ... 14] = (void *)fault, (void *)on_tick,
  [16 + 56] = (void *)on_npu,
};
"""


def build_guest(folder: Path, source: str, name: str = "guest", place: int = 0) -> Path:
    """Compile C code that has a ``main``, for a place in memory; returns the ELF file.

    Without a cross compiler the test is skipped.
    """
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (apt-get install gcc-arm-none-eabi)")
    script, code, elf = folder / "guest.ld", folder / f"{name}.c", folder / f"{name}.elf"
    script.write_text(_LINKER_SCRIPT.replace("PLACE", hex(place)))
    code.write_text(_PREAMBLE + source)
    flags = ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-O1", "-ffreestanding", "-nostdlib", "-w"]
    done = subprocess.run(
        [COMPILER, *flags, "-T", script, "-o", elf, code], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return elf
