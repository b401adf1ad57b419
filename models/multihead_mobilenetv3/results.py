"""``results.json``: what was measured with the committed weights, and the card's tables made from it.

No number in those tables is typed by hand: :mod:`evaluate` writes the file and the tables, a test compares them.
"""

from __future__ import annotations

import math
from typing import Final

from deploy.build_folder import Document
from deploy.errors import BadInputError

RESULTS_FILE: Final = "results.json"
CARD_FILE: Final = "README.md"
BEGIN: Final = "<!-- measured: written by evaluate.py from results.json -->"
END: Final = "<!-- end of measured -->"


class HeadResult(Document):
    """Top-1 accuracy of one head on the test images.

    Attributes:
        head: its name.
        classes: how many it tells apart.
        images: how many were classified.
        float_correct: classified right by the float network.
        uint8_correct: classified right by the quantized network (LiteRT reference kernels).
        same_class: for how many the two agree.
    """

    head: str
    classes: int
    images: int
    float_correct: int
    uint8_correct: int
    same_class: int


class NpuResult(Document):
    """Vela's estimate for one NPU.

    Attributes:
        npu: as ``--npu`` names it.
        system_config: section of Vela's configuration file.
        memory_mode: section of Vela's configuration file.
        cycles: an inference, memory included (Vela's ``cycles_total``).
        milliseconds: an inference.
        sram_bytes: peak.
        flash_bytes: weights and command stream, wherever they lie outside SRAM.
        heads_cycles: of them spent in the heads.
        cpu_operators: operators left on the CPU.
    """

    npu: str
    system_config: str
    memory_mode: str
    cycles: int
    milliseconds: float
    sram_bytes: int
    flash_bytes: int
    heads_cycles: int
    cpu_operators: int


class Results(Document):
    """Everything that was measured.

    Attributes:
        schema_version: of this document.
        parameters: of the network.
        weights_sha256: of the weights file that was measured.
        weights_bytes: its size.
        tflite_bytes: size of the quantized model.
        macs: multiply-accumulates an inference.
        calibration_images: that set the quantization ranges.
        heads: accuracy, by head.
        npus: Vela's estimates.
        versions: tool -> version.
    """

    schema_version: int = 1
    parameters: int
    weights_sha256: str
    weights_bytes: int
    tflite_bytes: int
    macs: int
    calibration_images: int
    heads: tuple[HeadResult, ...]
    npus: tuple[NpuResult, ...]
    versions: dict[str, str]


def interval(correct: int, count: int) -> tuple[float, float]:
    """95 % confidence interval (Wilson score) of a fraction ``correct / count``."""
    z = 1.959964
    value = correct / count
    centre = value + z * z / (2 * count)
    half = z * math.sqrt(value * (1 - value) / count + (z / (2 * count)) ** 2)
    scale = 1 + z * z / count
    return (centre - half) / scale, (centre + half) / scale


def tables(results: Results) -> str:
    """The card's part between ``BEGIN`` and ``END``, in Markdown."""
    first = results.heads[0]
    lines = [
        f"Accuracy on the {first.images:,} test images (measured; in brackets the 95 % confidence interval):",
        "",
        "| head | classes | float | uint8 | difference | same class |",
        "|---|---|---|---|---|---|",
        *(_head_row(head) for head in results.heads),
        "",
        f"{results.parameters:,} parameters; weights file {results.weights_bytes:,} bytes; quantized model "
        f"{results.tflite_bytes:,} bytes; {results.macs:,} multiply-accumulates an inference; "
        f"{results.calibration_images} calibration images.",
        "",
        "On the NPU (estimates by Vela, not measurements, not comparable across system configurations; weights: "
        "in flash or DRAM; heads: share of the cycles; on CPU: operators left there):",
        "",
        "| NPU | system configuration | memory mode | total cycles | time | SRAM | weights | heads | on CPU |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_npu_row(npu) for npu in results.npus),
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in sorted(results.versions.items())) + ".",
    ]
    return "\n".join(lines)


def into_card(card: str, results: Results) -> str:
    """The card with its measured part replaced.

    Raises:
        BadInputError: the card has lost its markers.
    """
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadInputError(f"{CARD_FILE}: the lines {BEGIN!r} and {END!r} are missing")
    return f"{before}{BEGIN}\n{tables(results)}\n{END}{after}"


def _head_row(head: HeadResult) -> str:
    points = 100 * (head.uint8_correct - head.float_correct) / head.images
    return (
        f"| {head.head} | {head.classes} | {_accuracy(head.float_correct, head.images)} "
        f"| {_accuracy(head.uint8_correct, head.images)} | {points:+.2f} points "
        f"| {100 * head.same_class / head.images:.2f} % |"
    )


def _accuracy(correct: int, count: int) -> str:
    low, high = interval(correct, count)
    return f"{100 * correct / count:.2f} % ({100 * low:.2f} to {100 * high:.2f})"


def _npu_row(npu: NpuResult) -> str:
    return (
        f"| {npu.npu} | {npu.system_config} | {npu.memory_mode} | {npu.cycles:,} | {npu.milliseconds:.3f} ms "
        f"| {npu.sram_bytes / 1024:.1f} KB | {npu.flash_bytes / 1024:.1f} KB "
        f"| {100 * npu.heads_cycles / npu.cycles:.1f} % | {npu.cpu_operators} |"
    )
