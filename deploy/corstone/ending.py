"""The ways in which a simulation ends."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class EndReason(enum.Enum):
    """Why a simulation ended; limits with the words that the FVP has for them."""

    SHUTDOWN = "shut down"
    EXIT = "exit of the program"
    WALL_TIME = "CPU time has been exceeded."
    SIMULATED_TIME = "Simulated time has been exceeded."
    CYCLES = "Cycle limit has been exceeded."
    SIGNAL = "signal"

    @property
    def limit(self) -> bool:
        """Whether it is a limit of the command line."""
        return self in (EndReason.WALL_TIME, EndReason.SIMULATED_TIME, EndReason.CYCLES)


class StopRequest(Exception):  # noqa: N818 - a request, not an error
    """Raised by signal handlers to end the simulation from outside."""

    def __init__(self, reason: EndReason, status: int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Ending:
    """How a simulation ended."""

    reason: EndReason
    status: int = 0
