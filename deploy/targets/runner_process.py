"""Runs Arm's prebuilt runner on any simulator: a process for each run, with its memory in files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.corstone.applications import Range
from deploy.errors import TargetError
from deploy.files import private_folder
from deploy.processes.supervisor import Ended, Supervisor
from deploy.simulators.fvp_command import DataFile, DumpFile, FvpRun, command_line
from deploy.simulators.fvp_locate import environment
from deploy.simulators.fvp_process import simulators
from deploy.targets import runner_firmware as runner
from deploy.targets.runner_run import NOTHING, Boot, RunnerSettings, log_of, too_late

_GRACE_S = 15
_MAX_UART_BYTES = 8 * 1024 * 1024


class SimulatorRunner:
    """A boot of the simulator for each run."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings
        self._processes: Supervisor = simulators()

    def boot(
        self, model: Path, inputs: bytes, *, data: Mapping[int, bytes] = NOTHING, dumps: Sequence[Range] = ()
    ) -> Boot:
        """Boot once; see :class:`Boots`."""
        with private_folder("run") as folder:
            return self._boot(folder, model, {runner.INPUT_ADDRESS: inputs, **data}, dumps)

    def get_ready(self) -> None:
        """Nothing: it takes the inputs to start a simulator."""

    def cancel(self) -> None:
        """End all that runs, and start no more."""
        self._processes.cancel()

    def _boot(self, folder: Path, model: Path, data: Mapping[int, bytes], dumps: Sequence[Range]) -> Boot:
        settings, simulator = self._settings, self._settings.simulator
        # Short plain names: a user's may hold @ or commas, which the FVP splits at.
        links = {folder / "model.tflite": model, folder / "firmware.elf": settings.firmware}
        for link, target in links.items():
            link.symlink_to(target.resolve())
        names = {runner.INPUT_ADDRESS: "inputs.bin", runner.OUTPUT_ADDRESS: "preload.bin"}
        files = {address: folder / names.get(address, f"data{address:08x}.bin") for address in data}
        for address, file in files.items():
            file.write_bytes(data[address])
        dumped = [
            folder / ("outputs.bin" if place.address == runner.OUTPUT_ADDRESS else f"memory{number}.bin")
            for number, place in enumerate(dumps)
        ]
        uart = folder / "uart0.log"
        run = FvpRun(
            firmware=folder / "firmware.elf",
            macs=settings.macs,
            timing=settings.timing,
            uart_file=uart,
            data=(
                DataFile(folder / "model.tflite", runner.MODEL_ADDRESS),
                *(DataFile(file, address) for address, file in files.items()),
            ),
            dumps=tuple(
                DumpFile(file, place.address, place.size) for file, place in zip(dumped, dumps, strict=True)
            ),
            time_limit_s=max(1, round(settings.timeout_s)),
        )
        end = self._processes.run(
            command_line(simulator.command, run, simulator.fvp, simulator.release),
            timeout_s=settings.timeout_s + _GRACE_S,
            environment=environment(simulator.command[0]),
        )
        sent = _read_bounded(uart, _MAX_UART_BYTES) or b""
        log = log_of(sent, end.output)
        self._check_end(end, sent, log)
        return Boot(
            sent,
            log,
            tuple(_read_bounded(file, place.size + 1) for file, place in zip(dumped, dumps, strict=True)),
        )

    def _check_end(self, end: Ended, sent: bytes, log: tuple[str, ...]) -> None:
        limit = next((line.strip() for line in end.output.splitlines() if "Reason:" in line), None)
        if end.timed_out or (limit and b"\x04" not in sent):
            raise too_late(self._settings, log)
        if end.status < 0:
            raise TargetError(f"the simulator was killed by signal {-end.status}", log=log)
        if end.status != 0:
            raise TargetError(f"the simulator ended with exit status {end.status}", log=log)


def _read_bounded(path: Path, limit: int) -> bytes | None:
    """The first bytes of a file, none of one that cannot be read; None of one that is not there."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        return stream.read(limit)
    return b"" if path.exists() else None
