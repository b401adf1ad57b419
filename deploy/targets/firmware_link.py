"""A conversation with firmware that speaks the protocol: requests and replies over a line, every wait bounded.

``socket://host:port`` reaches a simulator's terminal, anything else is a serial port of this computer.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import TargetError
from deploy.targets import protocol
from deploy.targets.frames import DOORBELL, HEADER_BYTES, Frame, FrameReader, encode
from deploy.targets.lines import DEFAULT_BAUD, Line, SerialLine
from deploy.targets.mailbox import PROOF_BYTES, FileMailbox, Mailbox, SharedMemory
from deploy.targets.protocol import ErrorCode, Hello, Result, Type
from deploy.targets.target_text import shown

_GREET_S = 15.0
_HELLO_AGAIN_S, _MOST_S = 1.0, 4.0
"""A hello may get lost while firmware boots; on a slow line or a busy host its answer may just take long."""

_BYE_TIMEOUT_S = 1.0
_MAX_STRAY_BYTES = 256 * 1024
_LOG_LINES = 12


class FirmwareLink:
    """One connection to one target. Use as a context manager, which says bye and closes.

    Args:
        port: pyserial's name of the port; or a line that is there already.
        baud: bits per second of a serial port.
        waiting: called now and then during waits; may raise a TargetError to end them.
        broken: called when the connection breaks; may raise a TargetError that knows more.

    Attributes:
        hello: what the firmware said about itself, after ``greet``.

    Raises:
        TargetError: the port cannot be opened.
        BadInputError: pyserial does not know such a port.
    """

    def __init__(
        self,
        port: str | Line,
        baud: int = DEFAULT_BAUD,
        *,
        waiting: Callable[[], None] = lambda: None,
        broken: Callable[[], None] = lambda: None,
    ) -> None:
        self._waiting = waiting
        self._broken = broken
        self._reader = FrameReader()
        self._texts: list[str] = []
        self._sequence = 0
        self._awaited: set[int] = set()
        self._stray = 0
        self.hello: Hello | None = None
        self._mailbox: Mailbox | FileMailbox | None = None
        self._line: Line = SerialLine(port, baud) if isinstance(port, str) else port

    def __enter__(self) -> FirmwareLink:
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        if kind is None and self.hello is not None:
            with contextlib.suppress(TargetError):
                self.request(Type.BYE, b"", Type.BYE_REPLY, _BYE_TIMEOUT_S)
        self.close()

    def close(self) -> None:
        """Close the port without a word."""
        self._line.close()

    def greet(self, timeout_s: float = _GREET_S) -> Hello:
        """Ask the firmware who it is, again and again, less and less often, until it answers any of the questions.

        Args:
            timeout_s: how long the answer may take.

        Raises:
            TargetError: it does not answer, refuses, or speaks no protocol.
        """
        deadline = time.monotonic() + timeout_s
        pause, again = _HELLO_AGAIN_S, time.monotonic()
        self._awaited.clear()
        self.hello, self._mailbox = None, None
        try:
            while self.hello is None:
                if time.monotonic() >= again:
                    self._stray = 0
                    self._ask(Type.HELLO, protocol.hello_request(), deadline)
                    again = time.monotonic() + pause
                    pause = min(2 * pause, _MOST_S)
                for frame in self._receive(deadline):
                    reply = self._sort(frame, Type.HELLO_REPLY)
                    if reply is not None:
                        self.hello = protocol.parse_hello(reply)
                        break
        except _NoAnswerError as error:
            raise self._silent(timeout_s) from error
        return self.hello

    def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> Result:
        """Run one inference.

        Args:
            inputs: per input of the firmware's table, by name.
            timeout_s: how long the answer may take, transfers included.

        Raises:
            TargetError: no whole answer, or the firmware reports a failure.
        """
        assert self.hello is not None, "greet comes first"  # noqa: S101
        payload = b"".join(np.ascontiguousarray(inputs[tensor.name]).tobytes() for tensor in self.hello.inputs)
        kind, sent = Type.INFER, payload
        if self._mailbox is None and len(short := protocol.packed(payload)) < len(payload):
            kind, sent = Type.INFER_PACKED, short
        reply = self.request(kind, sent, Type.RESULT, timeout_s)
        return protocol.parse_result(reply, self.hello.outputs)

    def use_mailbox(self, memory: SharedMemory) -> None:
        """Exchange frames in memory from now on, where the firmware can do that; over the line, where it cannot.

        Raises:
            TargetError: the firmware does not answer whole.
        """
        try:
            reply = self.request(Type.MAILBOX, b"", Type.MAILBOX_REPLY, _GREET_S)
        except _UnknownRequestError:
            return  # rendered by an earlier version, which knew of none
        self._mailbox = Mailbox(memory, protocol.parse_mailbox(reply))

    def use_files(self, folder: Path) -> None:
        """Exchange frames in files from now on, where the firmware reaches them; over the line, where it does not.

        It does where it writes what it was given to read.

        Args:
            folder: that the target's simulator serves to it.

        Raises:
            TargetError: the firmware does not answer whole.
        """
        proof = os.urandom(PROOF_BYTES)
        FileMailbox(folder, protocol.MailboxPlace(0, 0, PROOF_BYTES, PROOF_BYTES)).put(proof)
        try:
            reply = self.request(Type.FILES, b"", Type.FILES_REPLY, _GREET_S)
        except _UnknownRequestError:
            return  # rendered by an earlier version, or nobody serves files to it
        mailbox = FileMailbox(folder, protocol.parse_mailbox(reply))
        if mailbox.take() == proof:
            self._mailbox = mailbox

    def reset(self) -> None:
        """Put the model into its initial state.

        Raises:
            TargetError: the firmware cannot do that.
        """
        try:
            self.request(Type.RESET, b"", Type.RESET_REPLY, _GREET_S)
        except TargetError as error:
            raise TargetError(
                f"the firmware cannot reset the model's state: {error.message}",
                hints=["`deploy firmware BUILD --build` renders and builds firmware that can"],
                log=error.log,
            ) from error

    def stop_after(self, words: int) -> None:
        """Have the NPU stop, in the next inference, after so many words of its command stream.

        Raises:
            TargetError: the firmware cannot do that.
        """
        try:
            self.request(Type.STOP_AFTER, protocol.stop_request(words), Type.STOP_REPLY, _GREET_S)
        except TargetError as error:
            raise TargetError(
                f"the firmware cannot stop within the network: {error.message}",
                hints=["`deploy firmware BUILD --build` renders and builds `npu` firmware that can"],
                log=error.log,
            ) from error

    def read(self, region: int, offset: int, size: int, timeout_s: float) -> bytes:
        """Bytes of one of the NPU's regions, as the last inference left them.

        Raises:
            TargetError: no whole answer, or the firmware has no such memory.
        """
        answer = self.request(Type.READ, protocol.read_request(region, offset, size), Type.MEMORY, timeout_s)
        if len(answer) != size:
            raise self._error(f"the target sent {len(answer)} bytes of memory, {size} were asked for")
        return answer

    def request(self, kind: Type, payload: bytes, answer: Type, timeout_s: float) -> bytes:
        """Send a request and return the payload of its reply.

        Raises:
            TargetError: no whole answer in time, or the firmware refuses the request.
        """
        try:
            return self._exchange(kind, payload, answer, timeout_s)
        except _NoAnswerError as error:
            raise self._error(
                f"no answer within {timeout_s:g} s", hints=["`--timeout SECONDS` allows more"]
            ) from error

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of text that the firmware sent, in frames or between them."""
        noise = bytes(self._reader.noise).decode("utf-8", "replace")
        lines = [*self._texts, *noise.replace("\r", "").split("\n")]
        said = [shown(line, 200) for line in lines]
        return tuple([line for line in said if line.strip(" .\ufffd")][-_LOG_LINES:])

    def _exchange(self, kind: Type, payload: bytes, answer: Type, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        self._awaited.clear()
        self._stray = 0
        self._ask(kind, payload, deadline)
        while True:
            for frame in self._receive(deadline):
                reply = self._sort(frame, answer)
                if reply is not None:
                    return reply

    def _ask(self, kind: Type, payload: bytes, deadline: float) -> None:
        """Send a request; its answer is one of those that are waited for."""
        self._sequence = self._sequence % 255 + 1  # 0 is what the firmware sends unasked
        self._awaited.add(self._sequence)
        self._send(encode(kind, self._sequence, payload), deadline)

    def _sort(self, frame: Frame, answer: Type) -> bytes | None:
        """The reply's payload if the frame is the one that is waited for; raises what cannot be waited out."""
        if frame.type == Type.LOG:
            self._texts += frame.payload.decode("utf-8", "replace").splitlines()
            del self._texts[:-_LOG_LINES]
        elif frame.type == Type.ERROR and frame.sequence in (0, *self._awaited):
            raise self._refused(frame)
        elif frame.type == answer and frame.sequence in self._awaited:
            return frame.payload
        elif frame.type == Type.HELLO_REPLY and frame.sequence == 0 and self.hello is not None:
            raise self._error("the target was reset while it worked on a request: it announced itself again")
        return None  # a late reply to an earlier request, or something a later version sends

    def _refused(self, frame: Frame) -> TargetError:
        code, text = protocol.parse_error(frame.payload)
        if code == ErrorCode.FAULT:
            return self._error(f"the firmware crashed: {text}")
        if code in (ErrorCode.DAMAGED, ErrorCode.TRUNCATED):
            return self._error(
                f"the target says: {text}", hints=["check the cable and the baud rate", "run it again"]
            )
        if code == ErrorCode.UNKNOWN_REQUEST:
            return _UnknownRequestError(f"the target says: {text}", log=self.log)
        return self._error(f"the target says: {text}")

    def _send(self, frame: bytes, deadline: float) -> None:
        self._check(deadline)
        try:
            if self._mailbox is not None and self._mailbox.holds(frame):
                self._mailbox.put(frame)
                frame = bytes((DOORBELL,))
            self._line.write(frame, deadline - time.monotonic())
        except TimeoutError as error:
            raise self._error("the target does not take the request: the connection is stuck") from error
        except OSError as error:
            self._broken()
            raise self._error(f"the connection to the target broke while a request was sent: {error}") from error

    def _receive(self, deadline: float) -> list[Frame]:
        """Read once, for at most a slice of time."""
        self._check(deadline)
        missing = self._reader.missing
        wanted = missing[1] - missing[0] if missing else HEADER_BYTES + 4
        stray, rung = self._reader.stray, self._reader.rung
        try:
            received = self._line.read(wanted if self._mailbox is None else 1)
            frames = self._frames(self._reader, received)
            if self._mailbox is not None and self._reader.rung != rung:
                frames += self._frames(FrameReader(), self._mailbox.take())
        except OSError as error:
            self._broken()
            raise self._error(f"the connection to the target broke: {error}") from error
        self._stray += self._reader.stray - stray
        if self._stray > _MAX_STRAY_BYTES:
            raise self._error(f"the target floods the UART: {self._stray} bytes that belong to no frame")
        return frames

    def _frames(self, reader: FrameReader, received: bytes) -> list[Frame]:
        damaged = reader.damaged
        frames = reader.feed(received)
        if reader.too_long:
            raise self._error("the target announces a reply that is longer than any could be")
        if reader.damaged != damaged:
            raise self._error(
                "a reply arrived damaged (CRC-32 differs)",
                hints=["check the cable and the baud rate", "run it again"],
            )
        return frames

    def _check(self, deadline: float) -> None:
        if time.monotonic() < deadline:
            self._waiting()
            return
        missing = self._reader.missing
        if missing:
            raise self._error(f"a reply ended after {missing[0]} of {missing[1]} bytes")
        raise _NoAnswerError

    def _silent(self, timeout_s: float) -> TargetError:
        said = "it sends text, but no frames" if self.log else "it sends nothing"
        return self._error(
            f"the firmware does not speak deploy's protocol: no hello within {timeout_s:g} s ({said})",
            hints=[
                "firmware from `deploy firmware BUILD` speaks it; firmware/server.c describes it",
                "on a board: the right port and baud rate? was it reset?",
            ],
        )

    def _error(self, message: str, hints: tuple[str, ...] | list[str] = ()) -> TargetError:
        return TargetError(message, hints=hints, log=self.log)


class _UnknownRequestError(TargetError):
    """The firmware does not know such a request."""


class _NoAnswerError(Exception):
    """The time for an answer is over."""
