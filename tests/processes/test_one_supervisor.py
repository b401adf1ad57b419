"""Processes are started in one package, which stands below all others."""

import ast
from pathlib import Path

import deploy
from deploy import processes

PACKAGE = Path(deploy.__file__).parent
OWN = Path(processes.__file__).parent


def imported(module: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_no_other_module_starts_processes() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if OWN not in path.parents]
    assert len(others) > 200
    starting = {"subprocess", "multiprocessing", "pty", "os.fork", "os.system"}
    assert {path.name: found for path in others if (found := starting & imported(path))} == {}
    assert [path.name for path in others if "os.fork()" in path.read_text(encoding="utf-8")] == []


def test_processes_know_nothing_of_the_project_but_its_errors() -> None:
    known = {name for path in OWN.glob("*.py") for name in imported(path) if name.split(".")[0] == "deploy"}
    assert {name for name in known if not name.startswith(("deploy.processes", "deploy.errors"))} == set()
