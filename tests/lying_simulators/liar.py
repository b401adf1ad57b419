"""Makes executables that have the FVP's name and command line, and lie."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from faults.sandbox import open_version

from deploy.build_folder import BuildFolder
from deploy.tflite.compiled import arena_offsets, npu_operators

NAME = "FVP_Corstone_SSE-300_Ethos-U55"
ARM = "Fast Models [11.27.42 (Nov 10 2024)]"
"""What Arm's FVP says for ``--version``."""
_PROGRAM = Path(__file__).with_name("lying_corstone.py")


def liar(folder: Path, lie: str, build: BuildFolder, *, version: str = "") -> Path:
    """An executable that boots the open Corstone-300 with an NPU that tells a lie about a build.

    Args:
        folder: to be made; the simulator's own memory is in it.
        lie: one of :data:`lying_corstone.LIES`.
        build: with one ``ethos-u`` operator, and 8-bit outputs of it.
        version: what it says it is; by default the truth.
    """
    model = build.compiled_model
    (npu,) = npu_operators(model)
    offsets = arena_offsets(model)
    operator, base = model.operators[npu.index], max(offsets[npu.scratch.index], 0)

    def ranges(indices: tuple[int, ...]) -> list[tuple[int, int]]:
        starts = [(offsets[index] - base, model.tensors[index].nbytes) for index in indices]
        return [(start, start + size) for start, size in starts]

    memory = folder / "memory"
    memory.mkdir(parents=True)
    job = {
        "lie": lie,
        "memory": str(memory),
        "inputs": ranges(operator.inputs[4:]),
        "outputs": ranges(operator.outputs),
        "signed": model.tensors[operator.outputs[0]].dtype == "int8",
    }
    (folder / "job.json").write_text(json.dumps(job))
    words = shlex.join([sys.executable, "-P", str(_PROGRAM), str(folder / "job.json")])
    program = folder / NAME
    says = shlex.quote(version or open_version())
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo {says} && exit\nexec {words} "$@"\n')
    program.chmod(0o755)
    return program
