"""Where the QEMU process keeps the machine's memories: a random value is written into each, found and removed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.corstone.process_memory import ProcessMemory
from deploy.corstone.qtest import QtestConnection, write_line
from deploy.hardware.boards import BoardMemory

_MAGIC_SIZE = 16


@dataclass(frozen=True)
class Hosts:
    """Memories inside the QEMU process.

    Attributes:
        process: whose; to be closed.
        chips: name of a memory -> host address of each of its equal pieces, in order.
    """

    process: ProcessMemory
    chips: Mapping[str, tuple[int, ...]]


def find_hosts(blocks: Sequence[BoardMemory], qtest: QtestConnection, pid: int) -> Hosts | None:
    """Find the memories of a machine that stands still; nothing in them changes.

    Returns:
        None where they cannot be found, or somebody (a sandbox) lets us look but not write.

    Raises:
        TargetError: QEMU does not answer.
    """
    if sys.platform != "linux":
        return None
    try:
        process = ProcessMemory(pid)
    except OSError:
        return None
    chips: dict[str, tuple[int, ...]] = {}
    try:
        chips = _find(blocks, qtest, process, pid)
    finally:
        if not chips:
            process.close()
    return Hosts(process, chips) if chips else None


def _find(
    blocks: Sequence[BoardMemory], qtest: QtestConnection, process: ProcessMemory, pid: int
) -> dict[str, tuple[int, ...]]:
    """The host addresses, all or none."""
    chips = [(block, index) for block in blocks for index in range(block.open_size // block.open_piece)]
    ends = [
        (block.bases[-1] + (index + 1) * block.open_piece - _MAGIC_SIZE, _MAGIC_SIZE) for block, index in chips
    ]
    magics = [os.urandom(_MAGIC_SIZE) for _ in chips]
    before = qtest.exchange(ends)
    qtest.request(*(write_line(address, magic) for (address, _), magic in zip(ends, magics, strict=True)))
    found = _search(process, {block.open_piece for block in blocks}, set(magics), pid)
    if not (len(found) == len(magics) and _put_back(process, [found[each] for each in magics], before)) or (
        qtest.exchange(ends) != before
    ):
        qtest.request(*(write_line(address, old) for (address, _), old in zip(ends, before, strict=True)))
        return {}
    hosts: dict[str, tuple[int, ...]] = {}
    for (block, _), magic in zip(chips, magics, strict=True):
        hosts[block.name] = (*hosts.get(block.name, ()), found[magic] + _MAGIC_SIZE - block.open_piece)
    return hosts


def _put_back(process: ProcessMemory, places: Sequence[int], before: Sequence[bytes]) -> bool:
    """Write what the random values replaced, the direct way; returns whether that can be done."""
    try:
        for place, old in zip(places, before, strict=True):
            process.write(place, old)
    except OSError:
        return False
    return True


def _search(process: ProcessMemory, sizes: set[int], magics: set[bytes], pid: int) -> dict[bytes, int]:
    """Host address of each random value, which is at the end of a piece of memory."""
    found = {}
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123
            for line in maps:
                first, last = (int(part, 16) for part in line.split(" ", 1)[0].split("-"))
                if last - first in sizes and "rw" in line:
                    tail = process.read(last - _MAGIC_SIZE, _MAGIC_SIZE)
                    if tail in magics:
                        found[tail] = last - _MAGIC_SIZE
    except OSError:
        return {}
    return found
