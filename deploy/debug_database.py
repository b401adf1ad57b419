"""Vela's debug database: its schedule, the commands of the NPU, and where tensors lie.

Written by ``vela --enable-debug-db`` as CSV tables inside XML. What the tables say (observed in Vela 5.2.0):

- ``perf``: a row an operation of the schedule, in its order: the operator of the source model it stems from, its
  cycles (``op_cycles``) and those of each memory (``Sram_ac``, ``OffChipFlash_ac`` ...).
- ``source``: operator of the source model -> its index in the TFLite file (``ext_key``).
- ``group``: operations fused into another one, or on U85 chained to it; these have commands of their own.
- ``perf_debug``: ``time_index`` in the schedule, shape of the whole OFM (a command covers only a stripe of it),
  encoded weights, bytes moved by memory and purpose.
- ``perf_debug_main``: cycles of the MAC units and of the output unit.
- ``queue``: byte offset of a block operation in the command stream -> operation. Offsets count from the first
  command word (without the driver's payload header); DMA is not listed. ``cmdstream_id`` numbers the ``ethos-u``
  operators from 1 in the order of the file.
- ``tensors``: where tensors lie. ``start_time`` and ``end_time`` (both included) count in ``time_index``. ``id``
  is the index in the TFLite file for tensors that come from there (in the first compilation of a process).
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import BadInputError
from deploy.tflite import Model

MEMORIES = ("Sram", "Dram", "OnChipFlash", "OffChipFlash")
"""Vela's names of memories."""

PURPOSES = ("FeatureMap", "Weights", "Scales", "Lut")
"""Vela's names of what is moved."""

WEIGHT_BUFFER, CONSTANT = "OpBuffering", "Constant"
"""Vela's names of what a tensor is for, those of tensors that no operator computes."""

_MAX_BYTES = 256 * 1024 * 1024
_TABLE, _BEGIN, _END = '<table name="', "<![CDATA[", "]]>"


@dataclass(frozen=True)
class Scheduled:
    """An operation of the schedule.

    Attributes:
        source: index of the operator of the source model that it stems from; None when Vela does not say.
        result: index of the source operator that its OFM is the (perhaps partial) result of, after what is fused
            into it; None when Vela does not say.
        step: its time in the schedule; None when unknown.
        memory_cycles: memory (see :data:`MEMORIES`) -> cycles.
        traffic: (memory, purpose, ``read`` or ``write``) -> bytes, where any are moved.
        ofm_shape: height, width and depth of its whole OFM (batch folded into height); None when unknown.
    """

    number: int
    name: str
    source: int | None
    result: int | None
    step: int | None
    cycles: int
    macs: int
    mac_cycles: int
    output_cycles: int
    memory_cycles: Mapping[str, int]
    traffic: Mapping[tuple[str, str, str], int]
    weight_bytes: int
    ofm_shape: tuple[int, int, int] | None


@dataclass(frozen=True)
class Allocation:
    """A tensor in memory.

    Attributes:
        memory: see :data:`MEMORIES`.
        usage: what it is for, in Vela's words.
        address: first byte, an offset into its region.
        size: bytes; less than the whole tensor where only a window of it is kept (cascades).
        bricks: NHCWB16 instead of NHWC.
        first: step of the schedule from which it lives.
        last: step up to which it lives, included.
    """

    number: int
    name: str
    memory: str
    usage: str
    address: int
    size: int
    bricks: bool
    first: int
    last: int


class DebugDatabase:
    """The database; each table is parsed when it is first asked for, once.

    Cells that are no numbers count as 0, rows that make no sense are left out: Vela does not escape quotes in
    names. It is false where it has no tables.
    """

    def __init__(self, text: str, name: str = "debug database") -> None:
        self._tables = dict(_tables(text))
        self._name = name

    def __bool__(self) -> bool:
        return bool(self._tables)

    @functools.cached_property
    def operations(self) -> tuple[Scheduled, ...]:
        """The schedule, in the order of Vela's per-layer report."""
        sources = {row.get("id"): _index(row.get("ext_key")) for row in self._rows("source")}
        rows = self._rows("perf")
        owners = {row.get("id"): sources.get(row.get("source_id")) for row in rows}
        results = dict(owners)
        for whole, members in self._groups().items():
            # The operation's result is that of the last operation fused into it. A member with commands of its own
            # is chained to it (U85): what follows is fused into that one.
            into = whole
            for member in members:
                owner = owners.get(member)
                if member in self._commanded:
                    into = member
                elif owner is not None:
                    results[into] = max(owner, results.get(into) or 0)
        details = {row.get("id"): row for row in self._rows("perf_debug")}
        columns = next(iter(details.values()), {}).keys()
        moved = {
            (memory, purpose, way): column
            for memory in MEMORIES
            for purpose in PURPOSES
            for way in ("read", "write")
            if (column := f"{memory}{purpose}_{way}") in columns
        }
        units = {row.get("id"): row for row in self._rows("perf_debug_main")}
        found = []
        for row in rows:
            key = row.get("id")
            detail, unit = details.get(key, {}), units.get(key, {})
            shape = [_index(detail.get(f"ofm_shape_{axis}")) for axis in "nhwc"]
            batch, height, width, depth = (size or 0 for size in shape)
            found.append(
                Scheduled(
                    number=_integer(key),
                    name=row.get("name") or "",
                    source=owners[key],
                    result=results[key],
                    step=_index(detail.get("time_index")),
                    cycles=_integer(row.get("op_cycles")),
                    macs=_integer(row.get("mac_count")),
                    mac_cycles=_integer(unit.get("mac_cycles")),
                    output_cycles=_integer(unit.get("ao_cycles")),
                    memory_cycles={memory: _integer(row.get(f"{memory}_ac")) for memory in MEMORIES},
                    traffic={key: size for key, column in moved.items() if (size := _integer(detail.get(column)))},
                    weight_bytes=_integer(detail.get("weight_total_bytes")),
                    ofm_shape=None if None in shape else (batch * height, width, depth),
                )
            )
        return tuple(found)

    @functools.cached_property
    def commands(self) -> dict[tuple[int, int], Scheduled]:
        """(Number of the ``ethos-u`` operator from 0, byte offset of the command) -> operation.

        Raises:
            BadInputError: the table is damaged.
        """
        operations = {operation.number: operation for operation in self.operations}
        try:
            queue = [
                (int(row["cmdstream_id"]), int(row["offset"]), int(row["scheduled_id"])) for row in self._queue
            ]
        except (KeyError, ValueError, TypeError) as error:
            raise self._damaged(error) from error
        streams = sorted({stream for stream, _, _ in queue})
        return {
            (streams.index(stream), offset): operations[number]
            for stream, offset, number in queue
            if number in operations
        }

    @functools.cached_property
    def heads(self) -> dict[int, int]:
        """Number of an operation fused into or chained to another one -> number of the one that has its cycles."""
        return {
            _integer(member): _integer(whole) for whole, members in self._groups().items() for member in members
        }

    @functools.cached_property
    def allocations(self) -> tuple[Allocation, ...]:
        """Tensors in memory, those that Vela added among them."""
        found = []
        for row in self._rows("tensors"):
            try:
                allocation = Allocation(
                    number=int(row["id"]),
                    name=row["name"] or "",
                    memory=row["memory"],
                    usage=row["usage"],
                    address=int(row["start_address"], 16),
                    size=int(row["size"], 16),
                    bricks=row["format"] == "NHCWB16",
                    first=int(row["start_time"]),
                    last=int(row["end_time"]),
                )
            except (KeyError, ValueError, TypeError):
                continue
            found.append(allocation)
        return tuple(found)

    def located(self, source: Model) -> dict[int, Allocation]:
        """Where tensors of the source model lie: index -> the one place where a tensor is kept."""
        by_name: dict[str, list[int]] = {}
        for tensor in source.tensors:
            by_name.setdefault(tensor.name, []).append(tensor.index)
        found: dict[int, dict[tuple[int, int, bool], Allocation]] = {}
        for allocation in self.allocations:
            candidates = by_name.get(allocation.name, [])
            if allocation.usage in (WEIGHT_BUFFER, CONSTANT) or not candidates:
                continue
            # Ids go on counting when one process compiles twice; then only a name that is unique can tell.
            index = allocation.number if allocation.number in candidates else candidates[0]
            if index == allocation.number or len(candidates) == 1:
                place = allocation.address, allocation.size, allocation.bricks
                found.setdefault(index, {})[place] = allocation
        return {index: next(iter(places.values())) for index, places in found.items() if len(places) == 1}

    def _groups(self) -> dict[str | None, list[str | None]]:
        """Operation -> what is fused into it or chained to it, in the order of their numbers."""
        found: dict[str | None, list[str | None]] = {}
        for row in self._rows("group"):
            found.setdefault(row.get("group_id"), []).append(row.get("id"))
        return {whole: sorted(members, key=_integer) for whole, members in found.items()}

    @functools.cached_property
    def _commanded(self) -> frozenset[str | None]:
        """The operations that have commands."""
        return frozenset(row.get("scheduled_id") for row in self._queue)

    @functools.cached_property
    def _queue(self) -> list[dict[str, str]]:
        return self._rows("queue")

    def _rows(self, table: str) -> list[dict[str, str]]:
        try:
            return list(csv.DictReader(io.StringIO(self._tables.get(table, ""))))
        except csv.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> BadInputError:
        return BadInputError(
            f"{self._name}: Vela's debug database is damaged ({type(error).__name__}: {error})",
            hints=["run `deploy compile` again"],
        )


def read_debug_database(path: Path) -> DebugDatabase:
    """Read the database.

    Raises:
        BadInputError: the file is missing, no file, or too large.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise BadInputError(f"{path}: no file, or larger than the {_MAX_BYTES} bytes that are read")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot read Vela's debug database: {error.strerror}", hints=["run `deploy compile` again"]
        ) from error
    return DebugDatabase(text, str(path))


def _tables(text: str) -> Iterator[tuple[str, str]]:
    """Name and CSV of every table."""
    at = 0
    while True:
        start = text.find(_TABLE, at)
        begin = text.find(_BEGIN, start)
        at = text.find(_END, begin)
        if min(start, begin, at) < 0:
            return
        name, _, _ = text[start + len(_TABLE) : begin].partition('"')
        yield name, text[begin + len(_BEGIN) : at].lstrip("\n")


def _number(cell: str | None, default: int) -> int:
    try:
        return int(cell) if cell else default
    except ValueError:
        return default


def _integer(cell: str | None) -> int:
    return _number(cell, 0)


def _index(cell: str | None) -> int | None:
    number = _number(cell, -1)
    return number if number >= 0 else None
