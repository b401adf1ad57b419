"""Programs with a C library whose files are the host's, by semihosting: newlib (rdimon), newlib-nano, picolibc."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from guest import COMPILER

# What a user's own board files hold: newlib brings neither a vector table nor a linker script for this memory.
_SCRIPT = """
ENTRY(Reset_Handler)
MEMORY { ITCM (rx) : ORIGIN = 0, LENGTH = 512K  DTCM (rw) : ORIGIN = 0x20000000, LENGTH = 512K }
SECTIONS {
  .text : {
    KEEP(*(.vectors)) *(.text*) KEEP(*(.init)) KEEP(*(.fini)) *(.rodata*)
    . = ALIGN(4);
    __preinit_array_start = .; KEEP(*(.preinit_array*)) __preinit_array_end = .;
    __init_array_start = .; KEEP(*(.init_array*)) __init_array_end = .;
    __fini_array_start = .; KEEP(*(.fini_array*)) __fini_array_end = .;
  } > ITCM
  .ARM.exidx : { __exidx_start = .; *(.ARM.exidx*) __exidx_end = .; } > ITCM
  .data : { __data_start = .; *(.data*) . = ALIGN(4); __data_end = .; } > DTCM AT > ITCM
  __data_from = LOADADDR(.data);
  .bss (NOLOAD) : { __bss_start__ = .; *(.bss*) *(COMMON) . = ALIGN(8); __bss_end__ = .; } > DTCM
  end = .; __end__ = .;
  __stack = ORIGIN(DTCM) + LENGTH(DTCM);
}
"""

_START = r"""
#include <stdint.h>
#include <string.h>
extern uint32_t __stack, __data_start, __data_end, __data_from;
extern void _start(void);
void Reset_Handler(void) {
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
  __asm volatile("dsb\nisb");
  memcpy(&__data_start, &__data_from, (char *)&__data_end - (char *)&__data_start);
  _start();
  for (;;) { }
}
static void fault(void) { for (;;) { } }
__attribute__((section(".vectors"), used)) const void *const vectors[16] = {
  &__stack, Reset_Handler, fault, fault, fault, fault, fault };
"""

_PICOLIBC_PLACES = "__flash=0,__flash_size=0x80000,__ram=0x20000000,__ram_size=0x80000,__stack_size=0x2000"
_WORDS = {
    "newlib": ["--specs=rdimon.specs"],
    "newlib-nano": ["--specs=rdimon.specs", "--specs=nano.specs"],
    "picolibc": [
        *("--specs=picolibc.specs", "--oslib=semihost", "--crt0=semihost", "-Tpicolibc.ld"),
        *(f"-Wl,--defsym={place}" for place in _PICOLIBC_PLACES.split(",")),
    ],
}
LIBRARIES = tuple(_WORDS)


def build_hosted(folder: Path, source: str, library: str = "newlib", *, stripped: bool = False) -> Path:
    """Compile a C program; returns the ELF file. Without compiler or library the test is skipped."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi)")
    flags = ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-O1", "-Wno-psabi"]
    if library == "picolibc" and not _has_picolibc():
        pytest.skip("picolibc is not installed (apt-get install picolibc-arm-none-eabi)")
    code, elf = folder / "program.c", folder / "program.elf"
    code.write_text(source)
    sources: list[object] = [code]
    if library != "picolibc":
        (folder / "start.c").write_text(_START)
        (folder / "program.ld").write_text(_SCRIPT)
        sources += [folder / "start.c", "-T", folder / "program.ld"]
    words = [COMPILER, *flags, *_WORDS[library], "-o", elf, *sources, *(["-s"] if stripped else [])]
    done = subprocess.run(list(map(str, words)), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return elf


def _has_picolibc() -> bool:
    words = [COMPILER, "--specs=picolibc.specs", "-print-file-name=crt0.o"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0
