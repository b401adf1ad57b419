"""What lies in models/ is a project, or a library that projects use and that knows none of them."""

from __future__ import annotations

import ast
import importlib.resources
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import zoo

FOLDER = Path(str(importlib.resources.files("deploy.models")))
FOLDERS = sorted(item for item in FOLDER.iterdir() if (item / "__init__.py").is_file())
PROJECTS = {Path(str(project.folder)).name: project for project in zoo.projects()}
LIBRARIES = [item for item in FOLDERS if item.name not in PROJECTS]
PREFIX = "deploy.models."


def imported(folder: Path) -> Iterator[str]:
    """The folders of models/ that a folder's code imports from, itself left out."""
    for file in folder.glob("**/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            for name in names:
                first = name.removeprefix(PREFIX).partition(".")[0]
                if name.startswith(PREFIX) and first != folder.name:
                    yield first


def test_a_folder_with_a_description_is_a_project_and_the_others_are_libraries() -> None:
    assert {item.name for item in FOLDERS if (item / "project.toml").is_file()} == set(PROJECTS)
    assert {"datasets", "distillation", "face_blocks", "face_detection"} <= {item.name for item in LIBRARIES}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_projects_and_libraries_import_libraries_only(folder: Path) -> None:
    assert set(imported(folder)) <= {library.name for library in LIBRARIES}


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda folder: folder.name)
def test_a_library_names_no_project(library: Path) -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in library.glob("**/*.py"))
    for package, project in PROJECTS.items():
        assert package not in text
        assert f'"{project.name}"' not in text


@pytest.mark.parametrize("library", ["distillation", "face_blocks", "face_detection"])
def test_a_library_is_wired_to_no_data_set(library: str) -> None:
    assert "datasets" not in set(imported(FOLDER / library))
