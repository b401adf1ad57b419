"""When a run has lasted long enough: in the host's time, in simulated time, in cycles."""

from __future__ import annotations

import time

from deploy.corstone.command_line import MachineOptions
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.messages import Ending, EndReason

_INTERVAL_S = 0.02


class RunLimits:
    """The limits of one run.

    Args:
        options: the command line, which says the simulated ones.
        clock: the CPU's.
        wall_s: seconds of the host's time, from now on.
    """

    def __init__(self, options: MachineOptions, clock: CoreClock, wall_s: float) -> None:
        self._options = options
        self._clock = clock
        self._deadline = time.monotonic() + wall_s

    @property
    def keep_time(self) -> bool:
        """Whether somebody wants to know how much simulated time passes."""
        return self._options.stat or self._simulated_s() is not None

    @property
    def wait_s(self) -> float:
        """Seconds after which to look at the clock: simulated ones may pass faster."""
        wall_s = self._deadline - time.monotonic()
        return min(max(wall_s, 0.0), _INTERVAL_S if self.keep_time else 3600.0)

    def reached(self) -> Ending | None:
        """The end of a run that has reached one of them."""
        if time.monotonic() >= self._deadline:
            return Ending(EndReason.WALL_TIME)
        limit = self._simulated_s()
        if limit is None or self._clock.simulated_s < limit:
            return None
        return Ending(EndReason.SIMULATED_TIME if limit == self._options.simulated_limit_s else EndReason.CYCLES)

    def _simulated_s(self) -> float | None:
        options = self._options
        limits = [options.simulated_limit_s] if options.simulated_limit_s is not None else []
        if options.cycle_limit is not None:
            limits.append(options.cycle_limit / self._clock.frequency_hz)
        return min(limits, default=None)
