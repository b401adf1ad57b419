"""What is typed of the ``sh`` blocks of the pages, and which of their commands nobody can type here."""

from __future__ import annotations

import re

NOT_TYPED = {
    r"PYTHONPATH=tests .*strength\.false_alarms": "a quarter of an hour; tests/strength compares a few",
    r"make \w+": "CI types them: .ci/run, .github/workflows/ci.yml",
    r"sudo tests/machines/debian\.sh": "a bare Debian of its own, as root; CI types the same in containers",
    r"(sudo )?apt-get install": "packages of the system; CI begins on bare machines, where make installs them",
    r"(pip|pipx|uv tool) install": "tests/test_wheel.py installs with each of them",
    r"python -m venv model-explorer": "0.7 GB; tests/reporting/test_model_explorer.py installs and opens it",
    r"sed .* \| kubectl": "a Kubernetes; test_cluster_page.py holds the manifests to its schema",
    r"kubectl": "a Kubernetes",
    r"deploy evaluate .*--scheduler tcp://127\.0\.0\.1:8786$": "behind kubectl; the page has it above, too",
    r"deploy sweep .*--scheduler": "the workers of another page; tests/sweeping/test_cluster.py has some",
    r"deploy firmware .*--runtime tflm": "a build of TFLM; tests/firmware/test_tflm_library.py",
    r'eval "\$\(_DEPLOY_COMPLETE=source_zsh': "zsh's own; tests/cli/test_completion.py types it there",
}
"""Commands of ``sh`` blocks, by how they begin, that are not typed here: why, and what is tried instead."""

SHORTER = {
    "deploy models train": "--epochs 1 --images 128",
    "deploy models card mobilenetv4": "--npu U55-128",
    "deploy search": "--trials 2",
    "deploy search --": "--trials 2 --samples 64 --epochs 1",
    "deploy sweep models:": "--npu U55-128",
    "deploy sweep model.tflite --npu": "--npu U55-128,U55-256",
    "deploy run-board": "--count 4",
    "deploy run-fvp build/gesture-u55-128": "--count 4",
    "deploy evaluate build/gesture-u55-128": "--count 8",
    "python benchmarks/npu_speed.py": "--runs 1",
}
"""Words that are typed behind a command that begins so: the last of an option is the one that counts."""

ELSEWHERE = {
    "10.0.0.": "127.0.0.",
    "/dev/ttyACM0": "socket://127.0.0.1:$(cat port)",
    "socket://192.168.1.20:5000": "socket://127.0.0.1:$(cat port)",
}
"""Computers and ports of the reader, and those that stand for them here."""


def lines_of(script: str) -> list[str]:
    """The lines of a script, those that go on in the next joined, without empty ones and comments."""
    joined = re.sub(r"\\\n\s*", "", script).splitlines()
    return [re.sub(r"\s+# .*$", "", line) for line in joined if line.strip()]


def not_typed(line: str) -> str | None:
    """Which entry of NOT_TYPED a line belongs to."""
    return next((start for start in NOT_TYPED if re.match(start, line.strip())), None)


def typed_of(script: str) -> str:
    """A script of an ``sh`` block as it is typed here: without what cannot be, and with fewer rounds."""
    return "\n".join(_typed(line) for line in lines_of(script) if not_typed(line) is None)


def _typed(line: str) -> str:
    starts = [start for start in SHORTER if line.startswith(start)]
    before, pipe, behind = line.partition(" | ")
    if starts:
        before += f" {SHORTER[max(starts, key=len)]}"
    for there, here in ELSEWHERE.items():
        before = before.replace(there, here)
    return before + pipe + behind
