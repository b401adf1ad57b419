"""``results.json`` of a model project, and the part of its card (``README.md``) that is made from it.

No number between the card's two markers is typed by hand: :mod:`deploy.zoo.cards` measures, writes the file and
renders the tables; tests compare the two. A project that measures more (accuracy, boxes) derives its document from
:class:`CardResults`, adds its own tables in front of :func:`npu_tables`, and names both in its ``project.toml``.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from deploy.build_folder import Document
from deploy.errors import BadInputError
from deploy.hardware.boards import default_board
from deploy.hardware.npus import npu_named

RESULTS_FILE: Final = "results.json"
CARD_FILE: Final = "README.md"
BEGIN: Final = "<!-- measured: made from results.json, not by hand -->"
END: Final = "<!-- end of measured -->"

_KIB = 1024


class NpuFigures(Document):
    """Vela's estimate of one network on one NPU.

    Attributes:
        npu: as ``--npu`` names it.
        system_config: section of Vela's configuration file.
        memory_mode: section of Vela's configuration file.
        optimise: Vela's strategy, ``Performance`` or ``Size``.
        cycles: of an inference, waits for memory included.
        milliseconds: of an inference at the system configuration's clock.
        sram_bytes: peak.
        flash_bytes: weights and commands, where they lie in flash.
        dram_bytes: peak; with a dedicated SRAM it holds the weights, and feature maps that the SRAM does not.
        macs: multiply-accumulates of an inference.
        cpu_operators: what is left on the CPU, operator type -> how many.
        parts: cycles of the network's parts, see ``Measured.parts``.
    """

    npu: str
    system_config: str
    memory_mode: str
    optimise: str
    cycles: int
    milliseconds: float
    sram_bytes: int
    flash_bytes: int
    dram_bytes: int
    macs: int
    cpu_operators: dict[str, int] = Field(default_factory=dict)
    parts: dict[str, int] = Field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether it fits into the SRAM of the board that is meant for the NPU, as far as that is known."""
        sram = default_board(npu_named(self.npu).family).sram
        return sram is None or self.sram_bytes <= sram.size


class NetworkFigures(Document):
    """One network of the family with its estimates.

    Attributes:
        title: of its table.
        options: as ``--set`` takes them; those that are not set are the defaults.
        parameters: weights that are stored, those of batch normalization's averages included.
        tflite_bytes: size of the quantized model.
        trained: what its weights were trained on, empty for random ones.
        calibration: what its quantization ranges come from.
        npus: estimates.
    """

    title: str
    options: tuple[str, ...]
    parameters: int
    tflite_bytes: int
    trained: str
    calibration: str
    npus: tuple[NpuFigures, ...]


class CardResults(Document):
    """What a card's measured part is made from.

    Attributes:
        schema_version: of this document.
        networks: in the order of the project's ``[[measured]]`` entries.
        versions: tool -> version.
    """

    schema_version: int = 1
    networks: tuple[NetworkFigures, ...]
    versions: dict[str, str]

    def figures(self, title: str, npu: str) -> NpuFigures:
        """The first estimate of a network on an NPU.

        Raises:
            KeyError: there is none.
        """
        for network in self.networks:
            for figures in network.npus:
                if (network.title, figures.npu) == (title, npu):
                    return figures
        raise KeyError(f"{title} on {npu}")


def npu_tables(results: CardResults) -> str:
    """Vela's estimates in Markdown, one table a network, and the versions behind them."""
    lines = [
        "On the NPU (estimates by Vela, not measurements, not comparable across system configurations; the times "
        "leave out operators on the CPU):",
        "",
    ]
    for network in results.networks:
        lines += [*_network(network), ""]
    versions = ", ".join(f"{name} {text}" for name, text in sorted(results.versions.items()))
    return "\n".join([*lines, f"Versions: {versions}."])


def into_card(card: str, measured: str, *, begin: str = BEGIN, end: str = END) -> str:
    """The card with what stands between two markers replaced.

    Raises:
        BadInputError: the card has lost its markers.
    """
    before, first, rest = card.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise BadInputError(f"{CARD_FILE}: the lines {begin!r} and {end!r} are missing")
    return f"{before}{begin}\n{measured}\n{end}{after}"


def _network(network: NetworkFigures) -> list[str]:
    macs = network.npus[0].macs if network.npus else 0
    about = [
        f"{network.parameters:,} parameters",
        f"weights: {network.trained or 'random'}",
        f"quantized model {network.tflite_bytes:,} bytes",
        f"{macs:,} multiply-accumulates",
        f"calibrated with {network.calibration}",
    ]
    options = " ".join(f"`{option}`" for option in network.options)
    parts = list(dict.fromkeys(part for figures in network.npus for part in figures.parts))
    columns = ["NPU", "memory mode", "strategy", "cycles", "time", "SRAM", "flash", "DRAM", *parts, "on CPU"]
    return [
        f"**{network.title}**" + (f" ({options})" if options else "") + f": {'; '.join(about)}.",
        "",
        "| " + " | ".join(columns) + " |",
        "|---|---|---|" + "---:|" * (len(columns) - 3),
        *(_row(figures, parts) for figures in network.npus),
    ]


def _row(figures: NpuFigures, parts: list[str]) -> str:
    cells = [
        figures.npu,
        figures.memory_mode,
        figures.optimise,
        f"{figures.cycles:,}",
        f"{figures.milliseconds:.3f} ms",
        _kib(figures.sram_bytes) + ("" if figures.fits else ", does not fit"),
        _kib(figures.flash_bytes),
        _kib(figures.dram_bytes),
        *(f"{100 * figures.parts.get(part, 0) / figures.cycles:.1f} %" for part in parts),
        ", ".join(f"{count} {kind}" for kind, count in figures.cpu_operators.items()) or "0",
    ]
    return "| " + " | ".join(cells) + " |"


def _kib(count: int) -> str:
    return f"{count / _KIB:,.1f} KB"
