"""Vela's debug database: which operator of the source model an NPU operation belongs to.

Written by ``vela --enable-debug-db`` as CSV tables inside XML. What the tables say (observed in Vela 5.2.0):

- ``queue``: byte offset of a block operation in the command stream -> scheduled operation. Offsets count from the
  first command word (without the driver's payload header); DMA is not listed. ``cmdstream_id`` numbers the
  ``ethos-u`` operators from 1 in the order of the file.
- ``perf``: scheduled operation -> operator of the source model; ``group``: operations fused into another one.
- ``source``: operator of the source model -> its index in the TFLite file (``ext_key``).
- ``perf_debug``: scheduled operation -> shape of its whole OFM (a command covers only a stripe of it).
- ``tensors``: where tensors lie. ``id`` is the index in the TFLite file for tensors that come from there (in the
  first compilation of a process).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.compiling.vela_reports import debug_table
from deploy.errors import BadInputError
from deploy.tflite.model import Model

_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Scheduled:
    """A scheduled operation.

    Attributes:
        number: Vela's id.
        source: index of the source operator that its OFM is the (perhaps partial) result of, after what is fused
            into it; None when Vela does not say.
        ofm_shape: height, width and depth of its whole OFM (batch folded into height); None when unknown.
    """

    number: int
    source: int | None
    ofm_shape: tuple[int, int, int] | None


@dataclass(frozen=True)
class Placed:
    """A tensor of the source model in memory.

    Attributes:
        start: first byte, an offset into its region.
        size: bytes; less than the whole tensor where only a window of it is kept (cascades).
        bricks: NHCWB16 instead of NHWC.
    """

    start: int
    size: int
    bricks: bool


@dataclass(frozen=True)
class DebugDatabase:
    """The parts of the database that a comparison needs.

    Attributes:
        commands: (number of the ``ethos-u`` operator from 0, byte offset of the command) -> scheduled operation.
        tensors: tensor index in the source model -> where it lies.
    """

    commands: dict[tuple[int, int], Scheduled]
    tensors: dict[int, Placed]


def read_debug_database(path: Path, source: Model) -> DebugDatabase:
    """Read the database.

    Args:
        path: Vela's ``*_debug.xml``.
        source: the model that was compiled.

    Raises:
        BadInputError: the file is missing, too large or damaged.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInputError(f"{path}: larger than the {_MAX_BYTES} bytes that are read")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot read Vela's debug database: {error.strerror}", hints=["run `deploy compile` again"]
        ) from error
    return parse_debug_database(text, source, str(path))


def parse_debug_database(text: str, source: Model, name: str = "debug database") -> DebugDatabase:
    """Parse the database; ``name`` names it in errors.

    Raises:
        BadInputError: it is damaged.
    """
    try:
        return DebugDatabase(_commands(text), _tensors(text, source))
    except (KeyError, ValueError, TypeError) as error:
        raise BadInputError(
            f"{name}: Vela's debug database is damaged ({type(error).__name__}: {error})",
            hints=["run `deploy compile` again"],
        ) from error


def _commands(text: str) -> dict[tuple[int, int], Scheduled]:
    keys = {row["id"]: int(row["ext_key"]) for row in debug_table(text, "source")}
    owner = {row["id"]: keys.get(row["source_id"]) for row in debug_table(text, "perf")}
    fused: dict[str, list[str]] = {}
    for row in debug_table(text, "group"):
        fused.setdefault(row["group_id"], []).append(row["id"])
    shapes = {
        row["id"]: (
            int(row["ofm_shape_n"]) * int(row["ofm_shape_h"]),
            int(row["ofm_shape_w"]),
            int(row["ofm_shape_c"]),
        )
        for row in debug_table(text, "perf_debug")
    }
    streams = sorted({int(row["cmdstream_id"]) for row in debug_table(text, "queue")})
    found = {}
    for row in debug_table(text, "queue"):
        number = row["scheduled_id"]
        # The operation's result is that of the last operation fused into it.
        chain = [owner.get(member) for member in (number, *fused.get(number, []))]
        sources = [index for index in chain if index is not None]
        found[streams.index(int(row["cmdstream_id"])), int(row["offset"])] = Scheduled(
            int(number), max(sources, default=None), shapes.get(number)
        )
    return found


def _tensors(text: str, source: Model) -> dict[int, Placed]:
    by_name: dict[str, list[int]] = {}
    for tensor in source.tensors:
        by_name.setdefault(tensor.name, []).append(tensor.index)
    found: dict[int, set[Placed]] = {}
    for row in debug_table(text, "tensors"):
        candidates = by_name.get(row["name"], [])
        if row["usage"] in ("OpBuffering", "Constant") or not candidates:
            continue
        # Ids go on counting when one process compiles twice; then only a name that is unique can tell.
        index = int(row["id"]) if int(row["id"]) in candidates else candidates[0]
        if index != int(row["id"]) and len(candidates) > 1:
            continue
        placed = Placed(int(row["start_address"], 16), int(row["size"], 16), row["format"] == "NHCWB16")
        found.setdefault(index, set()).add(placed)
    return {index: places.pop() for index, places in found.items() if len(places) == 1}
