"""What a search writes: its settings, one record a candidate, and its result."""

from __future__ import annotations

from typing import Any, Literal

from deploy.build_folder import Answer, Document, Figure
from deploy.searching.evolution import Individual

SEARCH_SCHEMA_VERSION = 2

CYCLES, ACCURACY = "total_cycles", "accuracy"
"""Names of the figures that networks are compared by."""

Status = Literal["trained", "too slow", "failed"]
OracleName = Literal["vela", "roofline"]


class Settings(Document):
    """``settings.json``: all that a candidate's figures depend on, and so what a continued search must share.

    Attributes:
        schema_version: of the search's documents.
        model: what is searched, ``models:NAME`` or ``FILE.py:function``.
        options: of its search, as ``--set`` takes them, defaults included.
        seed: of the search, of weights and of the order of images.
        oracle: where cycles come from.
        npu: that they are for.
        limit_cycles: networks above are not trained; None for no limit.
        versions: tool name -> version; of a user's file its SHA-256.
    """

    schema_version: int = SEARCH_SCHEMA_VERSION
    model: str
    options: dict[str, Any]
    seed: int
    oracle: OracleName
    npu: str
    limit_cycles: int | None
    versions: dict[str, str]


class Tried(Document):
    """A network that was estimated, and perhaps trained.

    Attributes:
        number: from 0, in the order in which they were tried.
        stage: that it is of, from 1.
        network: what it is, as the project describes it.
        columns: what tables show of it, heading -> text.
        figures: each labelled.
    """

    number: int
    stage: int
    network: dict[str, Any]
    columns: dict[str, str]
    figures: tuple[Figure, ...] = ()

    def value(self, name: str) -> float | None:
        """The value of a figure; None where it has none."""
        return next((figure.value for figure in self.figures if figure.name == name), None)


class Candidate(Tried):
    """One line of ``candidates.jsonl``.

    Attributes:
        genome: choices, see :mod:`deploy.searching.space`.
        status: whether it was trained, and why not.
        reason: why it was not.
        parameters: how many it has; None where it was not built.
        seconds: that it took on this computer.
    """

    genome: tuple[int, ...]
    status: Status
    reason: str | None = None
    parameters: int | None = None
    seconds: float

    @property
    def individual(self) -> Individual:
        """What the evolution knows of it."""
        cycles = self.value(CYCLES)
        failed = self.status == "failed" or cycles is None
        return Individual(self.genome, float("inf") if failed or cycles is None else cycles, self.value(ACCURACY))


class ResultEntry(Tried):
    """A network of the front.

    Attributes:
        parameters: how many it has.
        file: its ``.keras`` file in the folder of the search.
    """

    parameters: int
    file: str


class SearchResult(Answer):
    """``result.json``; the same for every run of the same settings and number of candidates.

    Attributes:
        schema_version: of this document.
        settings: of the search.
        stages: their names.
        candidates: how many were tried, stage by stage.
        outcomes: how many were trained, too slow, failed.
        chosen: what each stage chose that another one began after, as its column shows it.
        front: the networks that no other beats, fewest cycles first.
        best: number of the best one; None where no network was trained.
        legend: what the columns mean; empty where they say it themselves.
    """

    schema_version: int = SEARCH_SCHEMA_VERSION
    settings: Settings
    stages: tuple[str, ...]
    candidates: tuple[int, ...]
    outcomes: dict[Status, int]
    chosen: tuple[str, ...]
    front: tuple[ResultEntry, ...]
    best: int | None
    legend: str

    @property
    def best_entry(self) -> ResultEntry | None:
        """The best network."""
        return next((entry for entry in self.front if entry.number == self.best), None)
