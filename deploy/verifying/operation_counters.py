"""The counters of every NPU operation as a table: MACs, bytes through each AXI port, estimated cycles."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from deploy.debug_database import DebugDatabase
from deploy.npu import Statistics
from deploy.tflite import Model

COLUMNS = (
    "ethos_u_operator",
    "offset",
    "operation",
    "source_operator",
    "source_name",
    "macs",
    "axi0_read_bytes",
    "axi1_read_bytes",
    "axi0_written_bytes",
    "axi1_written_bytes",
    "estimated_cycles",
)


def counters_csv(counters: Sequence[Statistics], database: DebugDatabase, source: Model) -> str:
    """A line per operation, in execution order.

    MACs and bytes are exact counts of what one inference asks for (each byte of a feature map or stream once, by
    the port that the firmware's REGIONCFG gives its region in the build's memory mode); cycles are the NPU model's
    estimate for the operation alone, with the memories of the build's system configuration.

    Args:
        counters: of one inference, one per ``ethos-u`` operator.
        database: says which operator of the source model an operation computes.
        source: the model that was compiled.

    Returns:
        CSV with the header :data:`COLUMNS`.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for number, statistics in enumerate(counters):
        for record in statistics.records:
            scheduled = database.commands.get((number, record.offset))
            owner = None if scheduled is None else scheduled.result
            named: tuple[int | str, str] = ("", "")
            if owner is not None and owner < len(source.operators):
                named = owner, source.name_of(source.operators[owner])
            moved = record.moved
            cells = (*named, record.macs, *moved.read, *moved.written, record.cycles)
            table.writerow((number, record.offset, record.kind, *cells))
    return text.getvalue()
