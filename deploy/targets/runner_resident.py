"""Runs Arm's prebuilt runner on the open machine within this process: a machine is reset for its next run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.corstone.applications import Range
from deploy.corstone.resident import ResidentMachine
from deploy.errors import DeployError, TargetError
from deploy.targets import runner_firmware as runner
from deploy.targets.open_machine import open_machine
from deploy.targets.runner_run import NOTHING, Boot, RunnerSettings, log_of, too_late


class ResidentRunner:
    """The open machine in this process: as many as run at a time, each reset for the next run."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: list[ResidentMachine] = []
        self._busy: set[ResidentMachine] = set()
        self._cancelled = False
        self._starting: threading.Thread | None = None

    def get_ready(self) -> None:
        """Start a machine beside what the caller does."""
        with self._lock:
            machine = self._made()
            self._idle.append(machine)  # whoever takes it waits for it

        def start() -> None:
            with contextlib.suppress(DeployError):  # the first run tries again, and says what is wrong
                machine.prepare()

        self._starting = threading.Thread(target=start, daemon=True)
        self._starting.start()

    def boot(
        self, model: Path, inputs: bytes, *, data: Mapping[int, bytes] = NOTHING, dumps: Sequence[Range] = ()
    ) -> Boot:
        """Run once; see :class:`Boots`."""
        machine = self._taken()
        try:
            loads = {runner.MODEL_ADDRESS: model.read_bytes(), runner.INPUT_ADDRESS: inputs, **data}
            finished = machine.run(loads, self._settings.timeout_s)
            log = log_of(finished.sent, "\n".join(finished.reports))
            if finished.ending.reason.limit:
                raise too_late(self._settings, log)
            boot = Boot(finished.sent, log, tuple(machine.read(place.address, place.size) for place in dumps))
        except BaseException:
            self._returned(machine, whole=False)
            raise
        self._returned(machine, whole=True)
        return boot

    def cancel(self) -> None:
        """End all that runs, and start no more."""
        with self._lock:
            self._cancelled = True
            idle, self._idle = self._idle, []
            for machine in (*self._busy, *idle):
                machine.kill()  # whoever runs it closes it
        if self._starting is not None:
            self._starting.join()
        for machine in idle:
            machine.close()

    def _taken(self) -> ResidentMachine:
        with self._lock:
            if self._cancelled:
                raise TargetError("the machines were ended")
            machine = self._idle.pop() if self._idle else self._made()
            self._busy.add(machine)
        return machine

    def _returned(self, machine: ResidentMachine, *, whole: bool) -> None:
        with self._lock:
            self._busy.discard(machine)
            if whole and not self._cancelled:
                self._idle.append(machine)
                return
        machine.close()

    def _made(self) -> ResidentMachine:
        made = self._settings
        return open_machine(made.simulator, made.firmware, made.macs, timing=made.timing, shutdown_on_eot=True)
