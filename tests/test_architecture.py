"""Data flows one way: what no package may import is not imported, inside functions neither; nothing goes round."""

from __future__ import annotations

import ast
import fnmatch
import functools
import graphlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import deploy

ROOT = Path(deploy.__file__).parent
CHECKOUT = ROOT.parent
MODELS = CHECKOUT / "models"
FIRMWARE = CHECKOUT / "firmware"
PAGE = CHECKOUT / "docs" / "explanation" / "architecture.md"

TOP = {"benchmarks", "deploy", "docs", "firmware", "fvp", "locks", "models", "templates", "tests"}
"""The folders of a checkout, but for hidden ones and those that are made."""

RUNNING = ("cli", "corstone", "simulators", "targets")
"""Packages that run simulators and boards, and what commands them."""

HOST_ONLY = sorted(
    path.parent.name
    for path in ROOT.glob("*/__init__.py")
    if not path.parent.is_symlink() and path.parent.name not in RUNNING
)
"""All others: they need neither simulator nor board."""


def below(node: ast.AST, *, checked: bool) -> Iterator[ast.AST]:
    """Everything in a piece of code, with or without what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if checked or not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from below(child, checked=checked)


@functools.cache
def imported(file: Path, *, checked: bool = True) -> tuple[str, ...]:
    """Every module of this project, or what is in one, that a file imports, wherever in it.

    Args:
        file: the file.
        checked: whether what is imported for type checkers counts.
    """
    found: list[str] = []
    for node in below(ast.parse(file.read_text(encoding="utf-8")), checked=checked):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found += (name for name in names if name.split(".")[0] == "deploy")
    return tuple(found)


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
    assert offenders(ROOT / package, "targets", "simulators", "corstone") == []


def test_the_packages_that_work_on_the_host_alone_are_found() -> None:
    assert {"evaluating", "judging", "npu", "optimizing", "sweeping", "verifying"} <= set(HOST_ONLY)


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


def test_processes_are_started_in_one_package_that_knows_nothing_of_the_others() -> None:
    own = ROOT / "processes"
    starting = re.compile(r"\b(import subprocess|from subprocess|import multiprocessing|os\.fork\(|os\.system\()")
    files = [file for folder in (ROOT, MODELS) for file in folder.rglob("*.py") if own not in file.parents]
    assert [str(file) for file in files if starting.search(file.read_text(encoding="utf-8"))] == []
    names = {name for file in own.glob("*.py") for name in imported(file)}
    known = ("deploy.processes", "deploy.errors", "deploy.interrupts")
    assert {name for name in names if not name.startswith(known)} == set()


def test_the_open_machine_knows_nothing_of_who_starts_it() -> None:
    assert offenders(ROOT / "corstone", "targets", "simulators", "cli") == []


def modules() -> dict[str, Path]:
    """Every module by name."""
    own = (path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "models")
    files = [(("deploy",), path.relative_to(ROOT), path) for path in own]
    files += [(("deploy", "models"), path.relative_to(MODELS), path) for path in MODELS.rglob("*.py")]
    return {
        ".".join((*prefix, *within.with_suffix("").parts)).removesuffix(".__init__"): path
        for prefix, within, path in files
    }


def module_of(name: str, known: Iterable[str]) -> str:
    """The module that is imported by a name, or in which what has that name is."""
    while name not in known:
        name = name.rpartition(".")[0]
    return name


def needs_of_modules() -> dict[str, set[str]]:
    """Module -> the modules that it imports, sooner or later in a run.

    The package itself is left out: it has the version, which everybody may read, and offers what stands in others.
    """
    known = modules()
    return {
        module: {module_of(name, known) for name in imported(file, checked=False)} - {module, "deploy"}
        for module, file in known.items()
        if module != "deploy"
    }


def package_of(module: str) -> str:
    """The package in which a module stands; of the model projects and their libraries, each is one."""
    parts = module.split(".")
    return ".".join(parts[:3] if parts[1] == "models" else parts[:2])


def circle(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Names that need each other in turn, the first one again at the end; empty where there are none."""
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_a_circle_is_found_where_there_is_one() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": []}) == []
    assert set(circle({"a": ["b"], "b": ["c"], "c": ["a"]})) == {"a", "b", "c"}


def test_no_two_modules_import_each_other_not_even_inside_a_function() -> None:
    needs = needs_of_modules()
    assert needs["deploy.compiling.compilation"] > {"deploy.build_folder", "deploy.compiling.compiler"}
    assert circle(needs) == []


def needs_of_packages() -> dict[str, set[str]]:
    """The same of packages; a module beside them counts as one."""
    needs: dict[str, set[str]] = {}
    for module, others in needs_of_modules().items():
        package = package_of(module)
        needs.setdefault(package, set()).update({package_of(other) for other in others} - {package})
    return needs


def test_no_two_packages_import_each_other_not_even_inside_a_function() -> None:
    needs = needs_of_packages()
    assert needs["deploy.judging"] >= {"deploy.build_folder", "deploy.tflite"}
    assert needs["deploy.models.multihead_mobilenetv3"] >= {"deploy.models.distillation", "deploy.zoo"}
    assert circle(needs) == []


def test_the_page_of_the_architecture_names_every_package_below_all_that_it_imports() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("| package | what it does |\n|---|---|\n")
    rows = [line.split("|")[1] for line in rest.split("\n\n")[0].splitlines()]
    places = {
        f"deploy.{name}": place for place, row in enumerate(rows) for name in re.findall(r"`(\w+)(?:\.py)?`", row)
    }
    needs = {name: others for name, others in needs_of_packages().items() if not name.startswith("deploy.models")}
    assert set(places) == set(needs) - {"deploy.__main__"}
    wrong = {
        (name, other)
        for name in places
        for other in needs[name]
        if other in places and places[other] > places[name]
    }
    assert wrong == set()


def test_no_two_sources_of_the_firmware_include_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for file in FIRMWARE.glob("*.[ch]*"):
        included = re.findall(r'#include "([^"/]+)\.h"', file.read_text(encoding="utf-8"))
        needs.setdefault(file.stem, set()).update(set(included) - {file.stem})
    assert needs["server"] >= {"frame", "runtime"}
    assert circle(needs) == []


def test_the_top_of_a_checkout_is_as_it_has_always_been() -> None:
    made = [line.strip("/") for line in (CHECKOUT / ".gitignore").read_text(encoding="utf-8").split()]
    folders = {path.name for path in CHECKOUT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert {name for name in folders if not any(fnmatch.fnmatch(name, pattern) for pattern in made)} == TOP


def test_the_page_names_every_folder_beside_the_package() -> None:
    _, _, section = PAGE.read_text(encoding="utf-8").partition("## Beside the package")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section.partition("\n## ")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"\w+", row)} == TOP - {"deploy"}
