"""Semihosting: what a program asks its host for by BKPT 0xAB, answered here instead of by QEMU.

QEMU's own semihosting opens any file of the host and answers where heap and stack are by guessing. Operations and
their arguments: Semihosting for AArch32 and AArch64 (Arm, 2.0 of the release 2021Q3), chapters 4 and 6.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.corstone.host_folder import HostFolder, OutsideError
from deploy.corstone.messages import EndReason, StopRequest
from deploy.errors import TargetError

STDIN, STDOUT, STDERR = 0, 1, 2
_TERMINAL = ":tt"
_FEATURES = ":semihosting-features"
# Magic bytes, then: SYS_EXIT_EXTENDED is known; ":tt" opened for appending is the standard error (8.2).
_FEATURE_BYTES = b"SHFB\x03"
_APPLICATION_EXIT = 0x20026
_FAILED = 0xFFFFFFFF
_MAX_FILE = 4 << 30
_MAX_HANDLES = 256
_MAX_TEXT = 1 << 20
_PIECE = 1 << 20
_READ_PLUS = (os.O_RDONLY, os.O_RDWR)
_FLAGS = (
    *_READ_PLUS,
    *(how | os.O_CREAT | os.O_TRUNC for how in (os.O_WRONLY, os.O_RDWR)),
    *(how | os.O_CREAT | os.O_APPEND for how in (os.O_WRONLY, os.O_RDWR)),
)
"""By half of the mode: r, r+, w, w+, a, a+; the lower bit of a mode asks for binary, which is all there is."""


class Memory(Protocol):
    """The memory that a program hands over addresses in."""

    def read(self, address: int, size: int) -> bytes:
        """Read bytes."""

    def write(self, address: int, content: bytes) -> None:
        """Write bytes."""


@dataclass(frozen=True)
class Surroundings:
    """What a program is told.

    Attributes:
        command_line: its own name first.
        heap: tells base and limit of the heap, base and limit of the stack; 0 for what the program knows itself.
        clock_hz: ticks a second of :attr:`ticks`.
        ticks: how many there were since the start.
        flush: called before the program's output and input, so that what it sent otherwise comes first.
        report: called with a line about what was refused.
    """

    command_line: str
    heap: Callable[[], Sequence[int]]
    clock_hz: int
    ticks: Callable[[], int]
    flush: Callable[[], None]
    report: Callable[[str], None]


class _WaitsForInputError(Exception):
    """Nothing can be read from the standard input yet."""


class Semihosting:
    """Serves the calls of one program.

    Args:
        memory: of the machine.
        folder: that its files are in.
        surroundings: everything else.
    """

    def __init__(self, memory: Memory, folder: HostFolder, surroundings: Surroundings) -> None:
        self._memory = memory
        self._folder = folder
        self._told = surroundings
        self._files: dict[int, int | bytes] = {}
        self._positions: dict[int, int] = {}
        self._errno = 0
        self._refused: set[str] = set()

    def call(self, operation: int, argument: int) -> int | None:
        """Carry out an operation; returns the answer (32 bits), None while it waits for the standard input.

        Raises:
            StopRequest: the program ends.
            TargetError: its output cannot be written.
        """
        entry = _OPERATIONS.get(operation)
        if entry is None:
            self._refuse(f"semihosting operation 0x{operation:02x} is not known")
            return _FAILED
        count, carry_out = entry
        try:
            return carry_out(self, *self._arguments(argument, count)) & 0xFFFFFFFF
        except _WaitsForInputError:
            return None
        except OutsideError as error:
            self._refuse(f"semihosting: {error.filename!r} is not a file below the program's folder")
            return self._failed(error.errno)
        except OSError as error:
            return self._failed(error.errno)

    def put(self, descriptor: int, content: bytes) -> None:
        """Write all of it.

        Raises:
            OSError: the program's file cannot be written.
            TargetError: the standard output or error cannot.
        """
        if descriptor <= STDERR:
            self._told.flush()
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            if descriptor > STDERR:
                raise
            raise TargetError(f"semihosting output cannot be written: {error.strerror}") from error

    def close_files(self) -> None:
        """Close what the program left open."""
        for handle in list(self._files):
            self._close(handle)

    def close(self) -> None:
        """Close everything."""
        self.close_files()
        self._folder.close()

    def _arguments(self, argument: int, count: int) -> tuple[int, ...]:
        return (argument,) if count == 0 else self._words(argument, count)

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        content = self._read(address, 4 * count)
        return tuple(int.from_bytes(content[at : at + 4], "little") for at in range(0, 4 * count, 4))

    def _read(self, address: int, size: int) -> bytes:
        with _memory_faults():
            return self._memory.read(address, size)

    def _write(self, address: int, content: bytes) -> None:
        if content:
            with _memory_faults():
                self._memory.write(address, content)

    def _name(self, address: int, size: int) -> str:
        if size > _MAX_TEXT:
            raise OSError(errno.ENAMETOOLONG, "")
        name = os.fsdecode(self._read(address, size)) if size else ""
        if "\0" in name:
            raise OSError(errno.EINVAL, "")
        return name

    def _failed(self, number: int | None) -> int:
        self._errno = number or errno.EIO
        return _FAILED

    def _refuse(self, reason: str) -> None:
        if reason not in self._refused and len(self._refused) < _MAX_HANDLES:
            self._refused.add(reason)
            self._told.report(f"Warning: {reason}")

    def _file(self, handle: int) -> int | bytes:
        try:
            return self._files[handle]
        except KeyError:
            raise OSError(errno.EBADF, "") from None

    # The operations, in the order of their numbers.

    def _open(self, address: int, mode: int, size: int) -> int:
        name = self._name(address, size)
        if mode >= 2 * len(_FLAGS):
            raise OSError(errno.EINVAL, "")
        handle = next(number for number in range(1, _MAX_HANDLES + 2) if number not in self._files)
        if handle > _MAX_HANDLES:
            raise OSError(errno.EMFILE, "")
        if name == _TERMINAL:
            self._files[handle] = (STDIN, STDOUT, STDERR)[mode // 4]
        elif name == _FEATURES:
            if mode > 1:
                raise OSError(errno.EACCES, "")
            self._files[handle] = _FEATURE_BYTES
        else:
            self._files[handle] = self._folder.open(name, _FLAGS[mode // 2])
        self._positions[handle] = 0
        return handle

    def _close(self, handle: int) -> int:
        file = self._file(handle)
        del self._files[handle], self._positions[handle]
        if isinstance(file, int) and file > STDERR:
            os.close(file)
        return 0

    def _write_character(self, address: int) -> int:
        self.put(STDOUT, self._read(address, 1))
        return 0

    def _write_text(self, address: int) -> int:
        text = b""
        while b"\0" not in text and len(text) < _MAX_TEXT:
            text += self._read(address + len(text), min(64, 0x100 - (address + len(text)) % 0x100))
        self.put(STDOUT, text.partition(b"\0")[0])
        return 0

    def _write_file(self, handle: int, address: int, size: int) -> int:
        file = self._file(handle)
        if isinstance(file, bytes) or file == STDIN:
            raise OSError(errno.EBADF, "")
        if file > STDERR:
            # What is appended goes to the end, wherever the file stands.
            end = max(os.lseek(file, 0, os.SEEK_CUR), os.fstat(file).st_size)
            if end + size > _MAX_FILE:
                raise OSError(errno.EFBIG, "")
        left = size
        while left:
            content = self._read(address + size - left, min(left, _PIECE))
            try:
                self.put(file, content)
            except OSError as error:
                self._failed(error.errno)
                break
            left -= len(content)
        return left

    def _read_file(self, handle: int, address: int, size: int) -> int:
        file = self._file(handle)
        if isinstance(file, bytes):
            position = self._positions[handle]
            content = file[position : position + size]
            self._positions[handle] += len(content)
        elif file == STDIN:
            content = self._typed(size)
        else:
            left = size
            while left and (content := os.read(file, min(left, _PIECE))):
                self._write(address + size - left, content)
                left -= len(content)
            return left
        self._write(address, content)
        return size - len(content)

    def _read_character(self, _argument: int) -> int:
        return int.from_bytes(self._typed(1) or b"\xff\xff\xff\xff", "little")

    def _is_error(self, status: int) -> int:
        return int(status >> 31)

    def _is_terminal(self, handle: int) -> int:
        file = self._file(handle)
        return int(isinstance(file, int) and file <= STDERR)

    def _seek(self, handle: int, position: int) -> int:
        file = self._file(handle)
        if isinstance(file, bytes):
            self._positions[handle] = position
        elif file > STDERR:
            os.lseek(file, position, os.SEEK_SET)
        else:
            raise OSError(errno.ESPIPE, "")
        return 0

    def _length(self, handle: int) -> int:
        file = self._file(handle)
        if isinstance(file, bytes):
            return len(file)
        return os.fstat(file).st_size if file > STDERR else 0

    def _temporary_name(self, address: int, number: int, size: int) -> int:
        name = f"tmp-{number & 0xFF:02x}".encode() + b"\0"
        if len(name) > size:
            raise OSError(errno.ENAMETOOLONG, "")
        self._write(address, name)
        return 0

    def _remove(self, address: int, size: int) -> int:
        self._folder.remove(self._name(address, size))
        return 0

    def _rename(self, address: int, size: int, new_address: int, new_size: int) -> int:
        self._folder.rename(self._name(address, size), self._name(new_address, new_size))
        return 0

    def _clock(self, _argument: int) -> int:
        return self._told.ticks() * 100 // self._told.clock_hz

    def _time(self, _argument: int) -> int:
        return int(time.time())

    def _system(self, address: int, size: int) -> int:
        self._refuse(f"semihosting: the program asks to run {self._name(address, size)!r} on the host")
        raise OSError(errno.EPERM, "")

    def _last_error(self, _argument: int) -> int:
        return self._errno

    def _command_line(self, block: int) -> int:
        address, size = self._words(block, 2)
        text = os.fsencode(self._told.command_line)
        if len(text) >= size:
            raise OSError(errno.E2BIG, "")
        self._write(address, text + b"\0")
        self._write(block + 4, len(text).to_bytes(4, "little"))
        return 0

    def _heap_information(self, block: int) -> int:
        self._write(block, b"".join(word.to_bytes(4, "little") for word in self._told.heap()))
        return 0

    def _exit(self, reason: int) -> int:
        raise StopRequest(EndReason.EXIT, 0 if reason == _APPLICATION_EXIT else 1)

    def _exit_extended(self, reason: int, status: int) -> int:
        raise StopRequest(EndReason.EXIT, status & 0xFF if reason == _APPLICATION_EXIT else 1)

    def _elapsed(self, block: int) -> int:
        self._write(block, self._told.ticks().to_bytes(8, "little"))
        return 0

    def _tick_frequency(self, _argument: int) -> int:
        return self._told.clock_hz

    def _typed(self, size: int) -> bytes:
        """At least one byte of the standard input; none at its end.

        Raises:
            _WaitsForInputError: there is none yet.
        """
        self._told.flush()
        if not size:
            return b""
        try:
            if not select.select([STDIN], [], [], 0)[0]:
                raise _WaitsForInputError
            return os.read(STDIN, min(size, _PIECE))
        except (OSError, ValueError):  # closed
            return b""


_OPERATIONS: dict[int, tuple[int, Callable[..., int]]] = {
    0x01: (3, Semihosting._open),
    0x02: (1, Semihosting._close),
    0x03: (0, Semihosting._write_character),
    0x04: (0, Semihosting._write_text),
    0x05: (3, Semihosting._write_file),
    0x06: (3, Semihosting._read_file),
    0x07: (0, Semihosting._read_character),
    0x08: (1, Semihosting._is_error),
    0x09: (1, Semihosting._is_terminal),
    0x0A: (2, Semihosting._seek),
    0x0C: (1, Semihosting._length),
    0x0D: (3, Semihosting._temporary_name),
    0x0E: (2, Semihosting._remove),
    0x0F: (4, Semihosting._rename),
    0x10: (0, Semihosting._clock),
    0x11: (0, Semihosting._time),
    0x12: (2, Semihosting._system),
    0x13: (0, Semihosting._last_error),
    0x15: (0, Semihosting._command_line),
    0x16: (1, Semihosting._heap_information),
    0x18: (0, Semihosting._exit),
    0x20: (2, Semihosting._exit_extended),
    0x30: (0, Semihosting._elapsed),
    0x31: (0, Semihosting._tick_frequency),
}
"""Number of an operation -> words of its block of arguments (0: the register itself is the argument), and who
carries it out."""


@contextlib.contextmanager
def _memory_faults() -> Iterator[None]:
    """An address of the program's that is no memory is its own fault, not the machine's."""
    try:
        yield
    except TargetError as error:
        raise OSError(errno.EFAULT, error.message) from error
