"""What a search writes: its settings, one record a candidate, and its result."""

from __future__ import annotations

from typing import Literal

from deploy.build_folder import Document, Figure
from deploy.models.mobilenetv4.blocks import UIB, Network
from deploy.searching.evolution import Individual

SEARCH_SCHEMA_VERSION = 1

CYCLES, ACCURACY = "total_cycles", "accuracy"
"""Names of the figures that networks are compared by."""

Status = Literal["trained", "too slow", "failed"]
OracleName = Literal["vela", "roofline"]


class BlockRecord(Document):
    """One universal inverted bottleneck.

    Attributes:
        kind: ``IB``, ``ConvNext``, ``ExtraDW`` or ``FFN``.
        start: kernel of the depthwise convolution before the expansion, 0 for none.
        middle: kernel of the one behind it, 0 for none.
        stride: 1 or 2.
        expansion: inner channels by input channels.
        channels: of the output.
    """

    kind: str
    start: int
    middle: int
    stride: int
    expansion: float
    channels: int


class NetworkRecord(Document):
    """A network; :meth:`network` gives what ``deploy.models.mobilenetv4.builder.build_network`` takes.

    Attributes:
        size: height and width of the input in pixels.
        stem: channels of the first convolution.
        stages: blocks, stage by stage.
        features: of the 1x1 layer between pooling and classifier.
    """

    size: int
    stem: int
    stages: tuple[tuple[BlockRecord, ...], ...]
    features: int

    @classmethod
    def of(cls, network: Network) -> NetworkRecord:
        """The record of a network."""
        stages = tuple(
            tuple(
                BlockRecord(
                    kind=block.kind,
                    start=block.start,
                    middle=block.middle,
                    stride=block.stride,
                    expansion=block.expansion,
                    channels=block.channels,
                )
                for block in stage
                if isinstance(block, UIB)
            )
            for stage in network.stages
        )
        return cls(size=network.size, stem=network.stem, stages=stages, features=network.features)

    def network(self) -> Network:
        """The network of a record."""
        stages = tuple(
            tuple(UIB(one.start, one.middle, one.stride, one.expansion, one.channels) for one in stage)
            for stage in self.stages
        )
        return Network(stem=self.stem, stages=stages, size=self.size, features=self.features)


class Settings(Document):
    """``settings.json``: all that a candidate's figures depend on, and so what a continued search must share.

    Attributes:
        schema_version: of the search's documents.
        seed: of the search, of weights and of the order of images.
        size: height and width of the input in pixels.
        samples: training images.
        epochs: passes over them.
        oracle: where cycles come from.
        npu: that they are for.
        limit_cycles: networks above are not trained; None for no limit.
        versions: tool name -> version.
    """

    schema_version: int = SEARCH_SCHEMA_VERSION
    seed: int
    size: int
    samples: int
    epochs: int
    oracle: OracleName
    npu: str
    limit_cycles: int | None
    versions: dict[str, str]


class Candidate(Document):
    """One line of ``candidates.jsonl``.

    Attributes:
        number: from 0, in the order in which they were tried.
        stage: 1 (widths) or 2 (blocks).
        genome: choices, see :mod:`deploy.searching.space`.
        network: what they stand for.
        status: whether it was trained, and why not.
        reason: why it was not.
        parameters: how many it has; None where it was not built.
        figures: each labelled.
        seconds: that it took on this computer.
    """

    number: int
    stage: Literal[1, 2]
    genome: tuple[int, ...]
    network: NetworkRecord
    status: Status
    reason: str | None = None
    parameters: int | None = None
    figures: tuple[Figure, ...] = ()
    seconds: float

    def value(self, name: str) -> float | None:
        """The value of a figure; None where it has none."""
        return next((figure.value for figure in self.figures if figure.name == name), None)

    @property
    def individual(self) -> Individual:
        """What the evolution knows of it."""
        cycles = self.value(CYCLES)
        failed = self.status == "failed" or cycles is None
        return Individual(self.genome, float("inf") if failed or cycles is None else cycles, self.value(ACCURACY))


class ResultEntry(Document):
    """A network of the front.

    Attributes:
        number: of the candidate.
        stage: that it was found in.
        network: what it is.
        parameters: how many it has.
        figures: each labelled.
        file: its ``.keras`` file in the folder of the search.
    """

    number: int
    stage: Literal[1, 2]
    network: NetworkRecord
    parameters: int
    figures: tuple[Figure, ...]
    file: str

    def value(self, name: str) -> float | None:
        """The value of a figure; None where it has none."""
        return next((figure.value for figure in self.figures if figure.name == name), None)


class SearchResult(Document):
    """``result.json``; the same for every run of the same settings and number of candidates.

    Attributes:
        schema_version: of this document.
        settings: of the search.
        candidates: how many were tried in stage 1 and stage 2.
        outcomes: how many were trained, too slow, failed.
        widths: channels of the stages that stage 1 chose; None where stage 2 did not begin.
        front: the networks that no other beats, fewest cycles first.
        best: number of the best one; None where no network was trained.
    """

    schema_version: int = SEARCH_SCHEMA_VERSION
    settings: Settings
    candidates: tuple[int, int]
    outcomes: dict[Status, int]
    widths: tuple[int, ...] | None
    front: tuple[ResultEntry, ...]
    best: int | None

    @property
    def best_entry(self) -> ResultEntry | None:
        """The best network."""
        return next((entry for entry in self.front if entry.number == self.best), None)
