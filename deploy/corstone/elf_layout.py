"""The tables of an ELF file of 32 bits, little-endian (System V ABI, chapter 4), as far as they are read here."""

from __future__ import annotations

import struct

FILE_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
PROGRAM_HEADER = struct.Struct("<IIIIIIII")
SECTION_HEADER = struct.Struct("<10I")
SYMBOL = struct.Struct("<IIIBBH")
ENTRY_OFFSET = 24
"""Where the entry point stands in the file."""
SEGMENT_ADDRESSES = 8
"""Where virtual and physical address stand in a program header."""
PT_LOAD = 1
SHT_SYMTAB, SHT_NOBITS = 2, 8
SHF_ALLOC, SHF_EXECINSTR = 2, 4
STT_OBJECT, STT_FUNC = 1, 2
