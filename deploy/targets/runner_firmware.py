"""Arm's prebuilt TFLM inference runner for Corstone-300, 310 and 320, from the wheel ``mlia-ethos-u``.

Facts (measured on the wheel 0.1.0, release 26.03): the model is read at 0x90000000, the inputs one after another
at 0x92000000, and the outputs are copied one after another, in the compiled model's order, to 0x93000000; UART0
tells how many bytes were copied, then carries a profile and ``<metrics>BASE64(JSON)</metrics>``, and ends with
EOT. A failing model ends with EOT too, so EOT alone is no evidence of anything.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

from deploy.build_folder import CompileDocument
from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.hardware.fvps import Fvp, default_fvp
from deploy.hardware.npus import Npu
from deploy.hardware.sizes import KIB
from deploy.targets.target_text import last_lines

MODEL_ADDRESS = 0x9000_0000
INPUT_ADDRESS = 0x9200_0000
OUTPUT_ADDRESS = 0x9300_0000
MODEL_LIMIT = INPUT_ADDRESS - MODEL_ADDRESS
INPUT_LIMIT = OUTPUT_ADDRESS - INPUT_ADDRESS
OUTPUT_LIMIT = 0x0100_0000
TFLM_OVERHEAD_BYTES = 2 * 1024
"""What TFLM needs on top of Vela's figure (452 to 576 B measured over 12 models, rounded up generously)."""

_FAST = "NPU's fast memory"
_EOT = b"\x04"
_COPIED = re.compile(r"(\d+) output tensor/s worth (\d+) bytes copied to 0x([0-9a-fA-F]+)")
_METRICS = re.compile(r"<metrics>\s*([A-Za-z0-9+/=\s]{0,65536}?)\s*</metrics>")


@dataclass(frozen=True)
class RunnerReport:
    """What the runner said on UART0 about a complete run.

    Attributes:
        output_bytes: bytes it copied to ``OUTPUT_ADDRESS``.
        counters: NPU counters by the runner's names (``NPU ACTIVE``), empty when it sent none.
    """

    output_bytes: int
    counters: dict[str, int]


def runner_path(npu: Npu, fvp: Fvp | None = None) -> Path:
    """The runner's ELF for an NPU family on what an FVP models (default: the first that has it).

    Raises:
        NotInstalledError: the wheel ``mlia-ethos-u`` is not installed.
    """
    subsystem = (fvp or default_fvp(npu.family)).runner.subsystem
    for path in runner_images(f"{subsystem}-*-tflm-ethos-{npu.family}"):
        return path
    raise NotInstalledError(
        f"Arm's prebuilt TFLM runner for Ethos-{npu.family} is not installed", hints=["pip install mlia-ethos-u"]
    )


def runner_images(which: str = "*-tflm-ethos-*") -> tuple[Path, ...]:
    """The ELFs of the wheel ``mlia-ethos-u``, the newest of a kind first; none where it is not installed.

    Args:
        which: part of the pattern of their folders' names: subsystem, release, runtime and NPU.
    """
    found = importlib.util.find_spec("mlia")
    folders = [Path(folder) for folder in (found.submodule_search_locations or ())] if found else []
    pattern = f"inference_runner-{which}-Default-noTA/mlek_inference_runner.axf"
    return tuple(
        path
        for folder in folders
        for path in sorted((folder / "resources" / "backends" / "applications").glob(pattern), reverse=True)
    )


def check_fits(document: CompileDocument, npu: Npu, model_bytes: int, fvp: Fvp | None = None) -> None:
    """Refuse on the host what the runner could not hold.

    Raises:
        BadInputError: model, inputs, outputs or arena are larger than the firmware's, or the memory mode differs.
    """
    runner = (fvp or default_fvp(npu.family)).runner
    modes = runner.memory_modes
    if not document.memory_mode.startswith(modes):
        raise BadInputError(
            f"the model was compiled for memory mode {document.memory_mode}, "
            f"Arm's {npu.family} runner is built for {' or '.join(modes)}",
            hints=[f"deploy compile ... --memory-mode {npu.memory_mode}"],
        )
    arena = _bytes(document, runner.arena)
    if runner.arena == "dram_peak" and not _bytes(document, "flash"):
        # Without flash Vela's figure for DRAM counts the constants, too; these stay in the model.
        arena = max(arena - _bytes(document, "weights_compressed"), 0)
    needs = (
        ("model", model_bytes, MODEL_LIMIT),
        ("inputs", sum(tensor.bytes for tensor in document.inputs), INPUT_LIMIT),
        ("outputs", sum(tensor.bytes for tensor in document.outputs), OUTPUT_LIMIT),
        ("tensor arena (Vela's figure + 2 KB for TFLM)", arena + TFLM_OVERHEAD_BYTES, runner.arena_bytes),
        (_FAST, _bytes(document, "sram_peak") if runner.sram_bytes else 0, runner.sram_bytes or 0),
    )
    for what, needed, available in needs:
        if needed > available:
            fast_mode = f"`deploy compile ... --memory-mode Dedicated_Sram_{available // KIB}KB`"
            hints = ["a smaller input size or width", "`deploy compile ... --optimise Size`"]
            raise BadInputError(
                f"the {what} needs {needed} bytes, Arm's runner has {available}",
                hints=[fast_mode, *hints] if what == _FAST else hints,
            )


def _bytes(document: CompileDocument, name: str) -> int:
    figure = document.figure(name)
    return int(figure.value) if figure else 0


def read_report(uart: bytes, *, expected_bytes: int, npu_expected: bool) -> RunnerReport:
    """Check that the runner finished and copied its outputs.

    Args:
        uart: everything it sent on UART0.
        expected_bytes: total size of the model's outputs.
        npu_expected: whether the model has operators on the NPU.

    Raises:
        TargetError: the answer did not arrive whole; carries the last UART lines.
    """
    text = uart.replace(b"\r", b"").replace(b"\0", b"").decode("utf-8", "replace")
    log = last_lines(text)
    if _EOT not in uart:
        raise TargetError("the firmware never sent its end of transmission (EOT)", log=log)
    copied = _COPIED.search(text)
    if copied is None:
        raise TargetError(
            "the firmware ended without copying any output",
            log=log,
            hints=["the lines above are the firmware's own; `deploy verify` runs the model on the host"],
        )
    if int(copied[2]) != expected_bytes or int(copied[3], 16) != OUTPUT_ADDRESS:
        raise TargetError(
            f"the firmware copied {copied[2]} bytes of output to 0x{copied[3]}, "
            f"the model's outputs are {expected_bytes} bytes",
            log=log,
        )
    counters = _counters(text)
    if npu_expected and counters.get("NPU ACTIVE", 0) <= 0:
        raise TargetError("the NPU did nothing: the firmware reports no active NPU cycles", log=log)
    return RunnerReport(expected_bytes, counters)


def _counters(text: str) -> dict[str, int]:
    """Counter name -> value from the metrics document: groups of samples, each ``{"name", "value": [n]}``."""
    found = _METRICS.search(text)
    if found is None:
        return {}
    try:
        return {
            str(sample["name"]): int(sample["value"][0])
            for group in json.loads(base64.b64decode(found[1]))
            for sample in group["samples"]
        }
    except (binascii.Error, ValueError, TypeError, LookupError, RecursionError):
        return {}
