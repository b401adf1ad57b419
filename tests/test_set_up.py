"""How a machine is set up: lock files, make targets, the scripts and the workflow that try them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    line.removeprefix("Programming Language :: Python :: ") for line in PROJECT["classifiers"] if ":: 3." in line
]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def lock(python: str) -> str:
    return (ROOT / "locks" / f"python-{python}.txt").read_text(encoding="utf-8")


def make(*words: str) -> str:
    """What make says; it is no part of the make that may have started the tests."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def test_every_python_that_is_supported_has_a_lock_file_and_no_other() -> None:
    found = sorted(path.name for path in (ROOT / "locks").iterdir())
    assert found == [f"python-{python}.txt" for python in PYTHONS]
    assert f"PYTHONS := {' '.join(PYTHONS)}\n" in (ROOT / "Makefile").read_text()
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_file_pins_all_that_the_project_asks_for_within_its_ranges(python: str) -> None:
    from packaging.requirements import Requirement

    pinned = dict(re.findall(r"^([a-z0-9.-]+)(?:\[\S+\])?==([^\s;]+)", lock(python), re.MULTILINE))
    asked = [
        *PROJECT["dependencies"],
        *(word for extra in PROJECT["optional-dependencies"].values() for word in extra),
    ]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pinned[requirement.name], prereleases=True), requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_file_holds_every_package_by_its_content_and_says_nothing_of_the_computer_that_made_it(
    python: str,
) -> None:
    packages = re.split(r"\n(?=[a-z0-9])", lock(python).split("\n", 2)[2])
    assert len(packages) > 100
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}", package) for package in packages)
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|@ ", lock(python))
    assert not re.search(r"(?<!\w)/\w", lock(python))


def test_a_python_without_a_lock_file_is_told_which_have_one(tmp_path: Path) -> None:
    python = tmp_path / "python9"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 9.9.1 || echo 9.9\n')
    python.chmod(0o755)
    said = make(f"{tmp_path}/venv/.installed", f"PYTHON={python}", f"VENV={tmp_path}/venv")
    assert "Python 9.9.1 has no lock file; there are some for: 3.11 3.12 3.13" in said
    assert not (tmp_path / "venv").exists()


def test_an_environment_of_another_python_is_made_anew(tmp_path: Path) -> None:
    for name, version in (("old", "3.11.2"), ("new", "3.13.5")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho Python {version}\n")
        (tmp_path / name).chmod(0o755)
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(tmp_path / "old")
    make("python", f"PYTHON={tmp_path}/old", f"VENV={venv}")
    assert venv.exists()
    make("python", f"PYTHON={tmp_path}/new", f"VENV={venv}")
    assert not venv.exists()


@pytest.mark.parametrize("target", ["demo", "test", "lint", "docs", "locks", "lowest"])
def test_each_target_sets_the_machine_up_first(target: str, tmp_path: Path) -> None:
    planned = make("--dry-run", target, f"VENV={tmp_path}/venv")
    assert (
        planned.index("dpkg-query") < planned.index("-m venv") < planned.index(f"touch {tmp_path}/venv/.installed")
    )
    assert planned.index("touch") < planned.rindex(f"{tmp_path}/venv/bin")


def test_no_checker_can_stop_the_tests(tmp_path: Path) -> None:
    planned = make("--dry-run", "test", f"VENV={tmp_path}/venv")
    assert not re.search(r"mypy|ruff|shellcheck", planned)
    ci = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"^make (\w+)$", ci, re.MULTILINE) == ["lint", "test"]


@pytest.mark.parametrize("workflow", sorted(WORKFLOW.parent.iterdir()), ids=lambda workflow: workflow.stem)
def test_the_workflows_follow_their_schema(workflow: Path) -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_names_targets_that_exist() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    targets = re.findall(r"commands\.sh (\w+)", text) + re.findall(r"target: \[(.*)\]", text)[0].split(", ")
    assert set(targets) == {"demo", "test", "lint", "lowest"}
    known = (ROOT / "Makefile").read_text().partition(".PHONY: ")[2].partition("\n")[0].split()
    assert set(targets) < set(known)


def test_the_citation_follows_its_schema() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.citation-file-format", ROOT / "CITATION.cff"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()), ids=lambda form: form.stem
)
def test_the_forms_of_issues_follow_their_schema(form: Path) -> None:
    schema = "vendor.github-issue-config" if form.name == "config.yml" else "vendor.github-issue-forms"
    command = [BIN / "check-jsonschema", "--builtin-schema", schema, form]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("script", "words", "says"),
    [
        ("commands.sh", [], "name a make target"),
        ("commands.sh", ["--unknown"], "unknown option --unknown"),
        ("debian.sh", [], "sudo tests/machines/debian.sh SUITE"),
        ("debian.sh", ["trixie", "--unknown"], "unknown option --unknown"),
    ],
)
def test_the_scripts_refuse_what_they_do_not_know_before_they_change_anything(
    script: str, words: list[str], says: str
) -> None:
    command = ["sh", str(ROOT / "tests" / "machines" / script), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert says in done.stdout + done.stderr
