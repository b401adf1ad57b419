"""``--trace``: every operation of the NPU with its addresses and estimated cycles, as text or for Perfetto.

A file whose name ends with ``.json`` is in the Trace Event Format that Chrome and https://ui.perfetto.dev open;
any other is text, a line an operation. The NPU begins when the program starts it, or when it is ready with what it
was started for before; the program itself does not wait for it in this model.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import BadInputError, TargetError

if TYPE_CHECKING:
    from deploy.npu.registers import ObservedRun
    from deploy.npu.stream.operations import Operation
    from deploy.npu.timing.statistics import OperationRecord

_KERNELS, _TRANSFERS = 1, 2
_DMA = "DMA"
_TRACKS = {_KERNELS: "kernels", _TRANSFERS: "DMA"}


class NpuTrace:
    """Writes one trace file.

    Args:
        path: the file.
        npu: the NPU's name.
        frequency_hz: cycles a second, for the times of the JSON form.

    Raises:
        BadInputError: the file cannot be written.
    """

    def __init__(self, path: Path, npu: str, frequency_hz: int) -> None:
        try:
            self._file = path.open("w", encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise BadInputError(f"--trace {path}: cannot be written: {reason}") from error
        self._json = path.suffix.lower() == ".json"
        self._us = 1e6 / frequency_hz
        self._events = 0
        self._ready = 0
        self._runs = 0
        with self._writing():
            if self._json:
                self._file.write("[")
                self._event(ph="M", name="process_name", args={"name": f"Ethos-{npu} (estimated cycles)"})
                for track, name in _TRACKS.items():
                    self._event(ph="M", name="thread_name", tid=track, args={"name": name})
            else:
                self._file.write(f"# Ethos-{npu}; cycles are estimates; bytes by AXI port: 0, 1\n")
                self._file.write(
                    f"# {'run':>4} {'op':>5} {'offset':>8} {'begin':>12} {'cycles':>9} {'MACs':>11}  "
                    f"{'kind':20} {'read':19} {'written':19}  addresses\n"
                )

    def add(self, run: ObservedRun, now: int) -> None:
        """Add a run that the program starts now, in cycles since the start of the simulation.

        Raises:
            TargetError: the file cannot be written.
        """
        self._runs += 1
        self._ready = first = max(self._ready, now)
        statistics = run.finished.statistics
        with self._writing():
            if statistics is None or run.program is None:
                self._failed(run.finished.error or "")
            else:
                lines = zip(run.program.operations, statistics.records, statistics.visible_cycles, strict=True)
                for operation, record, added in lines:
                    self._ready += added
                    # A transfer has begun while the operation before it computed.
                    begin = max(self._ready - record.cycles, first)
                    self._operation(operation, record, begin, _addresses(operation, run.bases))
            self._file.flush()

    def close(self) -> None:
        """Complete the file.

        Raises:
            TargetError: it cannot be written.
        """
        with self._writing():
            if self._json:
                self._file.write("\n]\n")
            self._file.close()

    def _failed(self, reason: str) -> None:
        if self._json:
            self._event(
                ph="i", s="p", name="failed", tid=_KERNELS, ts=self._ready * self._us, args={"reason": reason}
            )
        else:
            self._file.write(f"  {self._runs:>4} failed: {reason}\n")

    def _operation(
        self, operation: Operation, record: OperationRecord, begin: int, addresses: dict[str, str]
    ) -> None:
        read, written = record.moved.read, record.moved.written
        if not self._json:
            self._file.write(
                f"  {self._runs:>4} {operation.index:>5} {operation.offset:>#8x} {begin:>12} {record.cycles:>9} "
                f"{record.macs:>11}  {record.kind:20} {read[0]:>9} {read[1]:>9} {written[0]:>9} {written[1]:>9}  "
                f"{', '.join(f'{name} {address}' for name, address in addresses.items())}\n"
            )
            return
        self._event(
            ph="X",
            name=record.kind,
            cat="npu",
            tid=_TRANSFERS if record.kind == _DMA else _KERNELS,
            ts=begin * self._us,
            dur=record.cycles * self._us,
            args={
                "run": self._runs,
                "operation": operation.index,
                "offset": operation.offset,
                "begin": begin,
                "cycles": record.cycles,
                "macs": record.macs,
                **addresses,
            },
        )
        for port in (0, 1):
            moved = {"read": read[port], "written": written[port]}
            self._event(ph="C", name=f"AXI{port} bytes", ts=begin * self._us, args=moved)

    def _event(self, **entries: object) -> None:
        self._file.write((",\n" if self._events else "\n") + json.dumps({"pid": 1, **entries}))
        self._events += 1

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TargetError(f"the trace cannot be written: {error.strerror}") from error


def _addresses(operation: Operation, bases: Mapping[int, int]) -> dict[str, str]:
    """Where what it reads and writes begins, by name: absolute, or the NPU's own memory."""
    return {
        place.name: "inside" if place.region is None else f"{bases.get(place.region, 0) + place.address:#010x}"
        for place in operation.places
    }
