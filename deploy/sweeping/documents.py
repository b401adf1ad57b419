"""What a sweep writes: its points with their figures, as a versioned document."""

from __future__ import annotations

from typing import Literal

from deploy.build_folder import Answer, Document, Figure

SWEEP_SCHEMA_VERSION = 1
POINT_SCHEMA_VERSION = 1

Status = Literal["ok", "does not fit", "failed"]


class Skipped(Document):
    """A combination that does not exist.

    Attributes:
        npu: ``U55-128`` and so on.
        what: system configuration and memory mode, as far as they were named.
        reason: one sentence.
    """

    npu: str
    what: str
    reason: str


class PointResult(Document):
    """What compiling one network for one target gave; what the cache keeps.

    Attributes:
        schema_version: of this document.
        compiled_sha256: of Vela's output.
        figures: each labelled.
        cpu_operators: TFLite's names of the operators left on the CPU, in order.
        warnings: what a user should know, one sentence each.
        versions: tool name -> version, of the worker that compiled.
    """

    schema_version: int = POINT_SCHEMA_VERSION
    compiled_sha256: str
    figures: tuple[Figure, ...]
    cpu_operators: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    versions: dict[str, str]


class SweepPoint(Document):
    """One network on one target.

    Attributes:
        network: its name, options included.
        assignments: its options, ``KEY=VALUE`` each.
        npu: ``U55-128`` and so on.
        system_config: section of ``Arm/vela.ini``.
        memory_mode: section of ``Arm/vela.ini``.
        optimise: Vela's strategy.
        status: whether it compiled, and fits the SRAM that there is.
        reason: why not.
        pareto: whether no other point is better in one objective and as good in all others.
        figures: each labelled; accuracy among them where data was given.
        cpu_operators: TFLite's names of the operators left on the CPU.
        source_sha256: of the quantized model; empty where there is none.
        compiled_sha256: of Vela's output; empty where there is none.
        cached: whether it was known from an earlier sweep.
        command: compiles this point alone.
        warnings: what a user should know, one sentence each.
    """

    network: str
    assignments: tuple[str, ...]
    npu: str
    system_config: str
    memory_mode: str
    optimise: str
    status: Status
    reason: str | None = None
    pareto: bool = False
    figures: tuple[Figure, ...] = ()
    cpu_operators: tuple[str, ...] = ()
    source_sha256: str = ""
    compiled_sha256: str = ""
    cached: bool = False
    command: str = ""
    warnings: tuple[str, ...] = ()

    def value(self, name: str) -> float | None:
        """The value of a figure; None where it has none."""
        return next((figure.value for figure in self.figures if figure.name == name), None)


class Objective(Document):
    """A figure that points are compared by.

    Attributes:
        name: of the figure.
        unit: its unit.
        better: which values are.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"]


class SweepDocument(Answer):
    """``sweep.json``.

    Attributes:
        schema_version: of this document.
        model: as the user named it.
        objectives: what the Pareto-optimal points are optimal in.
        points: in the order of the axes.
        skipped: combinations that do not exist.
        warnings: of networks, one sentence each.
        workers: what ran it.
        versions: tool name -> version.
    """

    schema_version: int = SWEEP_SCHEMA_VERSION
    model: str
    objectives: tuple[Objective, ...]
    points: tuple[SweepPoint, ...]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    workers: str
    versions: dict[str, str]
