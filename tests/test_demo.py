"""`make demo` and the README: what they type works, and says what is printed here."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from typed_here import typed_here

pytestmark = pytest.mark.early

ROOT = Path(__file__).parent.parent
Typed: TypeAlias = Callable[[Sequence[str], Path, Mapping[str, str]], subprocess.CompletedProcess[str]]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def typed(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A command in a folder; each `deploy` in it is a process of its own."""
    programs = {"BIN": str(Path(sys.executable).parent)}
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **programs, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.system
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "run", [typed_here, pytest.param(typed, marks=pytest.mark.slow)], ids=["in this process", "as users do"]
)
def test_the_demo_ends_with_a_passing_verdict_on_real_images(run: Typed, tmp_path: Path) -> None:
    done = run(["sh", "demo.sh"], ROOT, {"DEMO": str(tmp_path / "demo")})
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "demo" / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["exit_status"], verdict["inputs"]) == ("pass", 0, 16)
    assert {output["name"]: output["elements"] for output in verdict["outputs"]} == {"garment": 160, "kind": 80}
    assert all(output["mismatches"] == 0 for output in verdict["outputs"])
    figures = {figure["name"]: figure for figure in verdict["figures"]}
    assert figures["accuracy_garment"]["value"] >= 0.8
    assert figures["inference_time"]["label"] == "estimate"
    assert figures["wall_time"]["label"] == "measured"
    for shown in ("Ankle boot", "SRAM peak", "inference time", "wall time", "verdict: PASS", "verdict.json"):
        assert shown in done.stdout


def commands() -> list[str]:
    """Every `deploy ...` line of the README's code blocks."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ").split("#")[0].strip() for line in lines if re.match(r"(\$ )?deploy ", line)]


def test_the_readme_types_what_the_demo_runs() -> None:
    script = (ROOT / "demo.sh").read_text().replace('"', "").replace("$DEMO", "build/demo")
    script = script.replace("\\\n", " ")
    steps = re.findall(r"^step (.*?)(?: \|\|.*)?$", script, re.MULTILINE)
    assert len(steps) == 6
    typed = commands()
    for step in steps:
        words = re.sub(r" (--quiet|--json \S+)", "", " ".join(step.split()))
        assert f"deploy {words}" in typed or words.startswith("report"), words


def test_the_readme_is_read_in_one_go() -> None:
    assert README.count("\n") <= 150
