"""Arm's prebuilt runner, stopped early: it boots the first part of the compiled model, then memory is dumped.

Where the runner keeps its arena is found by a run of its own: the NPU copies random bytes to the beginning of each
region, and all of the memory that the firmware writes to is searched for them.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from deploy.corstone.applications import Range, writable_ranges
from deploy.errors import BadInputError, TargetError
from deploy.files import private_folder
from deploy.judging.samples import Sample
from deploy.npu.errors import NpuError
from deploy.npu.regions import ARENA, FAST
from deploy.npu.stream.changed_payload import copying, cut
from deploy.targets import runner_firmware
from deploy.targets.runner_run import Boots
from deploy.targets.stoppable import Memories, Stop, Wanted
from deploy.tflite import Model, load
from deploy.tflite.compiled import npu_operators
from deploy.tflite.prefix import prefix

_PIECE = 16
_PIECES = 4
"""Random bytes that the NPU copies to a region: in pieces, so that one that arrives wrong does no harm."""

_Dumped = Mapping[Range, NDArray[np.uint8]]


class StoppableRunner:
    """The runner with one input; see :class:`deploy.targets.stoppable.Stoppable`.

    Args:
        boots: boots the runner.
        firmware: the runner's ELF.
        model: compiled by Vela.
        sample: one array per input.
    """

    whole = True

    def __init__(self, boots: Boots, firmware: Path, model: Model, sample: Sample) -> None:
        self._boots, self._firmware, self._model = boots, firmware, model
        names = model.input_names().values()
        self._inputs = b"".join(np.ascontiguousarray(sample[name]).tobytes() for name in names)
        self._operators = {operator.index: operator for operator in npu_operators(model)}
        self._bases: dict[int, int] = {}
        self.runs = 0

    def __enter__(self) -> StoppableRunner:
        """Find where the runner keeps its memory.

        Raises:
            TargetError: the NPU did not write to any memory that was looked at.
            BadInputError: the compiled model leaves no room for what finds it.
        """
        self._bases = self._find_regions()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._boots.cancel()

    def address(self, region: int) -> int | None:
        """Where a region begins in the target's memory."""
        return self._bases.get(region)

    def memory_after(self, stop: Stop, wanted: Wanted) -> Memories:
        """Boot the model up to there, and dump the regions from their beginning to the last byte that is wanted.

        Raises:
            TargetError: the runner did not come to its end, or the dump is not whole.
            BadInputError: the compiled model cannot be stopped there.
        """
        contents = {}
        if stop.kept is not None:
            operator = self._operators[stop.operator]
            contents[operator.payload.index] = _changed(lambda: cut(operator.payload_bytes, stop.kept or 0))
        ends = {region: int(mask.nonzero()[0].max(initial=-1)) + 1 for region, mask in wanted.items()}
        places = {region: Range(self._bases[region], end) for region, end in ends.items() if end > 0}
        dumped = self._boot(stop.operator, contents, tuple(places.values()))
        memories = {region: np.zeros(mask.size, np.uint8) for region, mask in wanted.items()}
        for region, place in places.items():
            memories[region][: place.size] = dumped[place]
        return memories

    def _find_regions(self) -> dict[int, int]:
        first = next(iter(self._operators.values()))
        regions = (ARENA, FAST) if first.has_fast_memory else (ARENA,)
        marks = {region: [secrets.token_bytes(_PIECE) for _ in range(_PIECES)] for region in regions}
        if first.constants.data is None:
            raise BadInputError(
                "the compiled model has no constants, without which the runner's arena is not found",
                hints=["`--firmware npu` knows where its arena is"],
            )
        size = _PIECE * _PIECES
        copies = [(region, size * number, size) for number, region in enumerate(regions)]
        contents = {
            first.payload.index: _changed(lambda: copying(first.payload_bytes, copies)),
            first.constants.index: b"".join(piece for region in regions for piece in marks[region]),
        }
        dumped = self._boot(first.index, contents, writable_ranges(self._firmware))
        return {region: _place_of(marks[region], dumped) for region in regions}

    def _boot(self, operator: int, contents: Mapping[int, bytes], ranges: tuple[Range, ...]) -> _Dumped:
        """Run the first part of the model; returns what the ranges of memory hold at its end."""
        content = prefix(self._model, operator, contents)
        part = load(content, source="the first part of the compiled model")
        self.runs += 1
        with private_folder("run") as folder:
            path = folder / "part.tflite"
            path.write_bytes(content)
            boot = self._boots.boot(path, self._inputs, dumps=ranges)
        size = sum(tensor.nbytes for tensor in part.output_tensors)
        runner_firmware.read_report(boot.sent, expected_bytes=size, npu_expected=False)
        dumped = {}
        for place, raw in zip(ranges, boot.dumped, strict=True):
            if raw is None or len(raw) != place.size:
                raise TargetError(
                    f"the memory dump has {len(raw or b'')} bytes, {place.size} were asked for", log=boot.log
                )
            dumped[place] = np.frombuffer(raw, np.uint8)
        return dumped


def _place_of(pieces: Sequence[bytes], dumped: _Dumped) -> int:
    """The one address at which memory holds the pieces, one after another, or most of them."""
    votes = Counter[int]()
    for place, content in dumped.items():
        raw = content.tobytes()
        for number, piece in enumerate(pieces):
            at = raw.find(piece)
            if at >= 0:
                votes[place.address + at - number * len(piece)] += 1
    if not votes:
        raise TargetError("what the NPU wrote to its arena is nowhere in the firmware's memory")
    return votes.most_common(1)[0][0]


def _changed(change: Callable[[], bytes]) -> bytes:
    """A payload with another stream; what cannot be changed is the model's fault."""
    try:
        return change()
    except NpuError as error:
        raise BadInputError(f"the compiled model's command stream cannot be stopped early: {error}") from error
