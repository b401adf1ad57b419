"""Where a UART's output goes, when it asks for the end of the simulation, and how its input gets into QEMU."""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path
from typing import Protocol

from deploy.corstone.gdb_remote import ConnectionLostError
from deploy.errors import BadInputError, TargetError

EOT = 0x04
STDOUT = 1
ESCAPE = 0x1D
"""QEMU's multiplexer, which stands before every UART, sends this byte on where it comes twice."""
# A command that the multiplexer does not know: it hands over what it keeps, and then takes no notice of these.
_NOTHING = bytes((ESCAPE, 0))
# While a program prints, QEMU hands over single bytes: looking once a millisecond spares a wake-up for each.
_INTERVAL_S = 0.001


class Peer(Protocol):
    """Who is at the other end of a UART: a TCP terminal, or a wire within this process. Never blocks."""

    @property
    def reading(self) -> list[int]:
        """Descriptors to wait for."""

    @property
    def writing(self) -> list[int]:
        """Descriptors that output waits for."""

    def send(self, data: bytes) -> None:
        """Send the UART's output, now or later."""

    def flush(self) -> None:
        """Pass on what is taken."""

    def receive(self) -> bytes:
        """What was typed; called when there is something to read."""

    def close(self) -> None:
        """Pass on the rest and close."""


class Uart:
    """One UART of the machine: QEMU's end, where the output goes, and a terminal if there is one.

    Args:
        output: descriptor that QEMU's output is read from, non-blocking.
        input_: descriptor that input is written to.
        sink: where the output goes.
        terminal: who is at the other end; None for nobody.

    Attributes:
        has_input: whether something was typed: QEMU may have some of it that the program has not taken.
    """

    def __init__(self, output: int, input_: int, sink: UartSink, terminal: Peer | None = None) -> None:
        os.set_blocking(input_, False)
        self._output = output
        self._input = input_
        self._sink = sink
        self._terminal = terminal
        self._typed = b""
        self._due = 0.0
        self._ended = self._closed = False
        self.has_input = False

    def waiting(self, now: float) -> tuple[list[int], list[int], float]:
        """What to wait for: descriptors to read, descriptors to write, and for how long at most."""
        reading, writing, timeout = [], [], 3600.0
        if self._closed:
            pass
        elif now >= self._due:
            reading.append(self._output)
        else:
            timeout = self._due - now
        if self._terminal is not None:
            writing += self._terminal.writing
            if self._typed:
                writing.append(self._input)
            else:
                reading += self._terminal.reading
        return reading, writing, timeout

    def service(self, readable: list[int], writable: list[int]) -> bool:
        """Handle what is ready.

        Returns:
            Whether the output asked for the end of the simulation.

        Raises:
            TargetError: the output cannot be written.
        """
        if self._terminal is not None:
            self._service_terminal(self._terminal, readable, writable)
        return self._output in readable and self.collect()

    def nudge(self) -> None:
        """Have QEMU's multiplexer hand over what it keeps, if anything was typed; the program notices nothing.

        It does so by itself only when the program takes a byte, or another one is typed: what it holds as a
        receiver is switched on would stay there.
        """
        if self.has_input and not self._typed:
            self._typed = _NOTHING
            self._hand_over()

    def collect(self) -> bool:
        """Pass on what has been sent, without waiting for more; returns as :meth:`service`.

        Raises:
            TargetError: the output cannot be written.
        """
        if self._closed:
            return False
        try:
            data = os.read(self._output, 1 << 20)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            # QEMU has ended. Why, and whether that is an error, its gdb connection tells.
            self._closed = True
            return False
        self._due = time.monotonic() + _INTERVAL_S
        return self.feed(data)

    def feed(self, data: bytes) -> bool:
        """Pass output on; returns whether it asked for the end of the simulation. Nothing follows such an end."""
        if self._ended:
            return True
        passed = self._sink.feed(data)
        self._ended = passed is not None
        if self._terminal is not None:
            self._terminal.send(data if passed is None else passed)
        return self._ended

    def drain(self, limit_s: float = 1.0) -> None:
        """Pass on what a CPU that stands still, or a QEMU that has ended, has left in the channel."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and select.select([self._output], [], [], 0)[0]:
            data = os.read(self._output, 1 << 20)
            if not data or self.feed(data):
                break

    def discard(self) -> None:
        """Forget what a CPU that stands still has left in the channel.

        Raises:
            TargetError: QEMU has ended.
        """
        with contextlib.suppress(BlockingIOError):
            while os.read(self._output, 1 << 20):
                pass
            raise ConnectionLostError("QEMU closed a UART")

    def close(self) -> None:
        """Close the file and the terminal."""
        self._sink.close()
        if self._terminal is not None:
            self._terminal.close()

    def _service_terminal(self, terminal: Peer, readable: list[int], writable: list[int]) -> None:
        if any(descriptor in writable for descriptor in terminal.writing):
            terminal.flush()
        if not self._typed and any(descriptor in readable for descriptor in terminal.reading):
            self._typed = terminal.receive().replace(bytes((ESCAPE,)), bytes((ESCAPE, ESCAPE)))
        if self._typed:
            self.has_input = True
            self._hand_over()

    def _hand_over(self) -> None:
        # The UART holds one character, and the multiplexer 32: QEMU takes more only as the program reads.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            self._typed = self._typed[os.write(self._input, self._typed) :]


class UartSink:
    """Passes a UART's bytes on at once and watches for what ends the simulation.

    Args:
        out_file: ``-`` for the standard output, a file, or "" for nowhere.
        shutdown_on_eot: EOT (0x04) ends the simulation.
        shutdown_tag: this text ends the simulation; "" for none.

    Raises:
        BadInputError: the file cannot be written.
    """

    def __init__(self, out_file: str, *, shutdown_on_eot: bool = False, shutdown_tag: str = "") -> None:
        self._shutdown_on_eot = shutdown_on_eot
        self._tag = shutdown_tag.encode()
        self._line_tail = b""
        self._descriptor: int | None = None
        self._owned = False
        if out_file == "-":
            self._descriptor = STDOUT
        elif out_file:
            try:
                self._descriptor = os.open(out_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise BadInputError(f"UART output file {Path(out_file)}: cannot be written: {reason}") from error
            self._owned = True

    def feed(self, data: bytes) -> bytes | None:
        """Pass bytes on; what follows an end mark is dropped, as on a machine that stops there.

        Returns:
            The bytes passed on if they end with an end mark, None if the simulation goes on.

        Raises:
            TargetError: the output cannot be written (disk full, reader gone).
        """
        end = self._end(data)
        passed = data if end is None else data[:end]
        self._write(passed)
        if self._tag:
            self._line_tail = (self._line_tail + passed)[-len(self._tag) :]
        return None if end is None else passed

    def close(self) -> None:
        """Close the file."""
        if self._owned and self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _end(self, data: bytes) -> int | None:
        """How many bytes belong to the output up to and with the first end mark."""
        ends = []
        if self._shutdown_on_eot and (position := data.find(EOT)) >= 0:
            ends.append(position + 1)
        if self._tag:
            # The tag may have begun in what came before.
            before = self._line_tail[-(len(self._tag) - 1) :] if len(self._tag) > 1 else b""
            if (position := (before + data).find(self._tag)) >= 0:
                ends.append(position + len(self._tag) - len(before))
        return min(ends, default=None)

    def _write(self, data: bytes) -> None:
        if self._descriptor is None:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise TargetError(f"UART output cannot be written: {error.strerror}") from error


class UartRecord(UartSink):
    """Keeps a UART's output in memory, and watches for what ends the simulation.

    Args:
        limit: bytes that are kept, the first ones.
        shutdown_on_eot: as for :class:`UartSink`.

    Attributes:
        sent: the output so far.
    """

    def __init__(self, limit: int, *, shutdown_on_eot: bool = False) -> None:
        super().__init__("", shutdown_on_eot=shutdown_on_eot)
        self._limit = limit
        self.sent = bytearray()

    def _write(self, data: bytes) -> None:
        self.sent += data[: self._limit - len(self.sent)]
