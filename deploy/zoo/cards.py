"""Measures what a model project's card shows: ``python -m deploy.zoo.cards NAME`` writes results and tables.

``python -m deploy.zoo.cards --missing NAME`` measures only what ``project.toml`` asks for and the results lack,
such as further NPUs; what a card shows beside estimates stays as it was measured.

For each ``[[measured]]`` entry of its ``project.toml`` the network is built (with trained weights where the
project brings some), quantized, and compiled by Vela for a list of NPUs. The outcome is ``results.json`` beside
the card, and the tables between the card's markers; :func:`disagreement` is what a project's test calls.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy import tflite, zoo
from deploy.chatter import silenced
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.compiling.compiler import VELA
from deploy.errors import BadInputError
from deploy.files import write_text
from deploy.hardware.npus import npu_named, npus
from deploy.judging.versions import package_versions
from deploy.zoo import Measured, Project
from deploy.zoo.card_results import (
    CARD_FILE,
    RESULTS_FILE,
    CardResults,
    NetworkFigures,
    NpuFigures,
    into_card,
    npu_tables,
)
from deploy.zoo.quantized import quantize_network

DEFAULT_NPUS = tuple(npus())
"""All of them."""

MISSING = "--missing"
_NAMES = 0.01
"""Part of a quantized model that is names and what tools say about themselves, which may change."""

_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "ethos-u-vela")


def estimate(
    model: tflite.Model, options: CompileOptions, *, source: str, parts: Mapping[str, str] | None = None
) -> NpuFigures:
    """Vela's estimate of a quantized network on one NPU; ``parts`` as :class:`~deploy.zoo.Measured` has them.

    Raises:
        BadInputError: Vela cannot compile it.
        NotInstalledError: Vela is missing.
    """
    compiled = VELA.compile(model, options, source=source)
    return NpuFigures(
        npu=options.npu.name,
        system_config=options.system_config,
        memory_mode=options.memory_mode,
        optimise=options.optimise,
        cycles=int(compiled.figure("total_cycles")),
        milliseconds=round(compiled.figure("inference_time"), 6),
        sram_bytes=int(compiled.figure("sram_peak")),
        flash_bytes=int(compiled.figure("flash")),
        dram_bytes=int(compiled.figure("dram_peak")),
        macs=int(compiled.figure("macs")),
        cpu_operators=dict(Counter(op.code for op in compiled.model.operators if not op.on_npu)),
        parts={
            name: sum(
                layer.number("Op Cycles")
                for layer in compiled.layers
                if re.search(pattern, str(layer.cells["Name"]))
            )
            for name, pattern in (parts or {}).items()
        },
    )


def measure(
    project: Project,
    wanted: Sequence[Measured] = (),
    *,
    assignments: Sequence[str] = (),
    log: Callable[[str], None] = lambda line: None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> CardResults:
    """Build, quantize and compile networks of a project.

    A project with results of its own adds them: ``Results(**dict(measure(project)), accuracy=...)``.

    Args:
        project: whose networks.
        wanted: which ones, and on which NPUs; none for every ``[[measured]]`` entry of the project.
        assignments: further options of all of them, ``KEY=VALUE`` each.
        log: receives one line an NPU.
        advance: called with (NPUs done, NPUs in all).

    Raises:
        BadInputError: an unknown option or NPU, or a network that cannot be compiled.
        NotInstalledError: TensorFlow, Vela, or the data set of a trained network is missing.
    """
    work = [(item, _targets(item)) for item in wanted or project.measured]
    total, done = sum(len(targets) for _, targets in work), 0
    networks = []
    for item, targets in work:
        chosen = (*zoo.assignments_of(item.options), *assignments)
        with silenced():
            network = zoo.network(project.name, chosen)
            quantized = quantize_network(network, io=item.io, compare=0)
        document, rows = quantized.document, []
        for options in targets:
            advance(done, total)
            rows.append(estimate(quantized.model, options, source=project.name, parts=item.parts))
            done += 1
            log(f"{project.name}, {item.title}, {options.npu.name}: {rows[-1].cycles:,} cycles (estimate)")
        networks.append(
            NetworkFigures(
                title=item.title,
                options=chosen,
                parameters=network.model.count_params(),
                tflite_bytes=len(quantized.model.content),
                trained=network.trained,
                calibration=f"{document.calibration_samples} samples of {document.calibration}",
                npus=tuple(rows),
            )
        )
    return CardResults(networks=tuple(networks), versions=package_versions(*_PACKAGES))


def completed(project: Project, *, log: Callable[[str], None] = lambda line: None) -> CardResults:
    """The project's results with the estimates that they lack of those that its ``project.toml`` asks for.

    Raises:
        BadInputError: there are no results, or they were measured on another network or with other versions.
        NotInstalledError: as :func:`measure`.
    """
    old: CardResults = read(project)
    known = {(network.title, network.options): network for network in old.networks}
    networks = []
    for item in project.measured:
        has = known.get((item.title, tuple(zoo.assignments_of(item.options))))
        had = {figures.npu: figures for figures in has.npus} if has is not None else {}
        names = item.npus or DEFAULT_NPUS
        lacking = tuple(name for name in names if name not in had)
        if has is None or lacking:
            new = measure(project, [replace(item, npus=lacking)], log=log)
            [found] = new.networks
            _check_same(project, old, has, new, found)
            had |= {figures.npu: figures for figures in found.npus}
            has = (has or found).model_copy(update={"npus": tuple(had[name] for name in names)})
        networks.append(has)
    return old.model_copy(update={"networks": tuple(networks)})


def _check_same(
    project: Project, old: CardResults, has: NetworkFigures | None, new: CardResults, found: NetworkFigures
) -> None:
    """That figures measured apart may stand in one table."""
    others = {name: text for name, text in new.versions.items() if old.versions.get(name) != text}
    if others:
        raise BadInputError(
            f"{project.name}: the others were measured without {others}", hints=[_command(project)]
        )
    if has is None:
        return
    apart = abs(has.tflite_bytes - found.tflite_bytes)
    if has.parameters != found.parameters or apart > _NAMES * has.tflite_bytes:
        raise BadInputError(
            f"{project.name}, {has.title}: quantized anew it has {found.parameters:,} parameters in "
            f"{found.tflite_bytes:,} bytes, in {RESULTS_FILE} {has.parameters:,} in {has.tflite_bytes:,}",
            hints=[_command(project)],
        )


def _targets(wanted: Measured) -> list[CompileOptions]:
    return [
        compile_options(npu_named(name), memory_mode=wanted.memory_mode, optimise=wanted.optimise)
        for name in wanted.npus or DEFAULT_NPUS
    ]


def read(project: Project) -> Any:
    """The project's ``results.json``, as the document class that it names (:class:`CardResults` by default).

    Raises:
        BadInputError: the file is missing or damaged.
    """
    kind: Any = zoo.function(project, "results") if "results" in project.functions else CardResults
    file = project.folder / RESULTS_FILE
    try:
        return kind.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise BadInputError(
            f"{project.name}/{RESULTS_FILE}: cannot be read: {str(error).splitlines()[0]}",
            hints=[_command(project)],
        ) from error


def _command(project: Project) -> str:
    """What measures everything that the card shows."""
    own = "results" in project.functions
    return f"python -m {project.package}.evaluate" if own else f"python -m deploy.zoo.cards {project.name}"


def tables(project: Project, results: CardResults) -> str:
    """What stands between the card's markers: the project's own tables, or those of the estimates."""
    if "tables" in project.functions:
        return str(zoo.function(project, "tables")(results))
    return str(npu_tables(results))


def card(project: Project) -> str:
    """The text of the card.

    Raises:
        BadInputError: there is none.
    """
    try:
        return str((project.folder / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{project.name}/{CARD_FILE}: cannot be read: {error}") from error


def write(project: Project, results: CardResults) -> None:
    """Write ``results.json`` and the card's tables, in a checkout.

    Raises:
        BadInputError: a file cannot be written, or the card has lost its markers.
    """
    folder = Path(str(project.folder))
    changed = into_card(card(project), tables(project, results))
    write_text(folder / RESULTS_FILE, results.model_dump_json(indent=2) + "\n")
    write_text(folder / CARD_FILE, changed)


def disagreement(project: Project) -> str | None:
    """What of the card is not what ``results.json`` says; None when they agree. For tests.

    Raises:
        BadInputError: one of the two is missing or damaged.
    """
    found: str = card(project)
    expected: str = into_card(found, tables(project, read(project)))
    for number, (has, should) in enumerate(zip(found.splitlines(), expected.splitlines(), strict=False), start=1):
        if has != should:
            return f"{CARD_FILE}, line {number}: {has!r}, but {RESULTS_FILE} makes it {should!r}"
    return None if found == expected else f"{CARD_FILE}: lines are missing or left over"


def main(words: Sequence[str]) -> None:
    """Measure projects and write their results and cards.

    Args:
        words: names of projects; ``--missing`` among them keeps what is measured already.

    Raises:
        BadInputError: an unknown name, or a project whose card shows more than estimates.
    """

    def log(line: str) -> None:
        print(line, flush=True)

    for project in [zoo.find(word) for word in words if word != MISSING]:
        if MISSING in words:
            write(project, completed(project, log=log))
        elif "results" in project.functions:
            raise BadInputError(f"{project.name}: its card shows more than estimates", hints=[_command(project)])
        else:
            write(project, measure(project, log=log))


if __name__ == "__main__":
    main(sys.argv[1:])
