"""Networks of every family on the whole machine: firmware, CPU, NPU. (The multi-head one is the demo's.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli.main import run


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("featherface-v1", ["size=128"]),
        ("featherface-v2-ultra", ["size=128"]),
        ("mobilenetv4", ["size=96"]),
        ("mobilenetv4", ["variant=hybrid-m", "size=96"]),
    ],
    ids=["V1", "V2", "Conv-S", "Hybrid-M"],
)
def test_random_images_are_exact_on_the_whole_machine(name: str, options: list[str], in_folder: Path) -> None:
    setting = [word for option in options for word in ("--set", option)]
    assert run(["compile", f"models:{name}", *setting, "--npu", "U55-128", "-o", "build", "-q"]) == 0
    assert run(["run-fvp", "build", "--fvp", "open", "--count", "2", "--json", "v.json", "-q"]) == 0
    verdict = json.loads((in_folder / "v.json").read_text())
    assert (verdict["verdict"], verdict["inputs"], verdict["reference"]) == ("pass", 2, "LiteRT BUILTIN_REF")
    assert {output["mismatches"] for output in verdict["outputs"]} == {0}
