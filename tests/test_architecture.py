"""Data flows one way: what no package may import is never imported, not even inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import deploy

ROOT = Path(deploy.__file__).parent
MODELS = ROOT.parent / "models"

HOST_ONLY = (
    "advising",
    "compiling",
    "evaluating",
    "firmware_project",
    "hardware",
    "judging",
    "npu",
    "optimizing",
    "quantizing",
    "reporting",
    "rewriting",
    "roofline",
    "searching",
    "sweeping",
    "tflite",
    "verifying",
    "zoo",
)
"""Packages that need neither simulator nor board."""


def imported(file: Path) -> Iterator[str]:
    """Every module of this project that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "deploy")


def offenders(folder: Path, *packages: str) -> list[str]:
    """Imports from packages of this project in the files below a folder."""
    forbidden = tuple(f"deploy.{package}" for package in packages)
    return [
        f"{file.relative_to(ROOT.parent)} imports {name}"
        for file in sorted(folder.rglob("*.py"))
        for name in imported(file)
        if name in forbidden or name.startswith(tuple(f"{package}." for package in forbidden))
    ]


@pytest.mark.parametrize("package", HOST_ONLY)
def test_what_works_on_the_host_alone_imports_nothing_from_targets(package: str) -> None:
    assert (ROOT / package).is_dir()
    assert offenders(ROOT / package, "targets", "simulators", "corstone") == []


def test_nothing_but_the_command_line_imports_the_command_line() -> None:
    entries = {ROOT / "__main__.py"}
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name != "cli"]
    found = [line for folder in (*folders, MODELS) for line in offenders(folder, "cli")]
    for file in ROOT.glob("*.py"):
        if file not in entries:
            found += [f"{file.name} imports {name}" for name in imported(file) if name.startswith("deploy.cli")]
    assert found == []


def test_the_npu_model_stands_on_its_own() -> None:
    allowed = ("deploy.npu", "deploy.hardware", "deploy.errors")
    found = [
        f"{file.name} imports {name}"
        for file in sorted((ROOT / "npu").rglob("*.py"))
        for name in imported(file)
        if not name.startswith(allowed)
    ]
    assert found == []


def test_a_session_with_a_target_knows_nothing_of_references_labels_and_verdicts() -> None:
    judged = ("verdict", "opinion", "judgement", "reference", "oracles", "labels", "comparison")
    for file in (ROOT / "targets").glob("*.py"):
        if file.name == "target_run.py":  # where a session and a judgement meet
            continue
        names = [name for name in imported(file) if name.split(".")[1:2] == ["judging"]]
        assert [name for name in names if name.split(".")[2] in judged] == [], file.name


def test_judging_knows_nothing_of_what_answers() -> None:
    assert offenders(ROOT / "judging", "targets", "verifying", "evaluating", "simulators", "corstone", "npu") == []
