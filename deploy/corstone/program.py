"""What the machine has to know of the program before it runs: what its code may do that is not left to QEMU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.corstone.command_line import MachineOptions
from deploy.corstone.images import Images
from deploy.errors import BadInputError

_GATEWAY = bytes.fromhex("7fe97fe9")
"""SG, at which alone Non-secure code may enter Secure code (Armv8-M Architecture Reference Manual, C2.4)."""

_PIECE = 1024 * 1024
"""Bytes of a file that are looked through at a time: most of a large one is for debuggers."""


@dataclass(frozen=True)
class Program:
    """A program in all that is loaded.

    Attributes:
        calls: addresses of its semihosting calls; None without semihosting.
        gateways: whether Non-secure code may call Secure code.
    """

    calls: frozenset[int] | None
    gateways: bool


def program(options: MachineOptions, images: Images) -> Program:
    """Look through what is loaded.

    Data that looks like a gateway counts as one, and where a debugger may load another program there may be some.

    Raises:
        BadInputError: a file cannot be read.
    """
    loaded = [*images.applications, *(each.path for each in options.data)]
    try:
        calls = None
        if options.cpu_value("semihosting-enable"):
            from deploy.corstone.semihosting_calls import semihosting_calls

            calls = semihosting_calls(images.applications)
        return Program(calls, options.gdb_port is not None or any(map(_has_gateway, loaded)))
    except OSError as error:
        raise BadInputError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _has_gateway(content: Path | bytes) -> bool:
    if isinstance(content, bytes):
        return _GATEWAY in content
    last = b""
    with content.open("rb") as file:
        while piece := file.read(_PIECE):
            if _GATEWAY in last + piece:
                return True
            last = piece[1 - len(_GATEWAY) :]
    return False
