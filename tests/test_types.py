"""The type checker sees all of our code as Python does: a wrong keyword is refused wherever it stands."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("mypy")

pytestmark = pytest.mark.early

ROOT = Path(__file__).parent.parent
CHECKED = ("deploy", "models", "benchmarks")
CALL = (
    '"""Calls what stands in a model project."""\n\n'
    "from deploy.models.mobilenetv4.blocks import UIB\n\n"
    "UIB(start=3, middle=3, stride=1, expansion=4.0, {}=8)\n"
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources; only the blocks that are called, and what they import, are read for their types."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in CHECKED:
        shutil.copytree(
            ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.h5")
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "deploy" / "__init__.py").write_text('"""Without the functions, which every package is behind."""\n')
    return copy


def complaints(checkout: Path, keywords: dict[str, str]) -> list[str]:
    """What mypy says of calls in each of the three folders; all else is for `make lint`, not for users.

    Args:
        checkout: the sources.
        keywords: file name -> keyword that its call uses.
    """
    for name, keyword in keywords.items():
        for folder in CHECKED:
            (checkout / folder / name).write_text(CALL.format(keyword))
    folders = ("deploy", "deploy/models", "benchmarks")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *(f"{folder}/{name}" for folder in folders for name in keywords)],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert not done.stderr
    return [line for line in done.stdout.splitlines() if "planted" in line and ": error: " in line]


def test_a_wrong_keyword_is_refused_in_the_package_in_a_model_project_and_in_a_benchmark(checkout: Path) -> None:
    found = complaints(checkout, {"planted_right.py": "channels", "planted_wrong.py": "chanels"})
    assert len(found) == len(CHECKED)
    assert all("planted_wrong.py" in line for line in found)
    assert all('Unexpected keyword argument "chanels" for "UIB"' in line for line in found)


def test_all_three_folders_are_checked_by_default_and_none_is_ignored() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["strict"] is True
    assert settings["files"] == ["deploy", "benchmarks"]
    assert (ROOT / "deploy" / "models").resolve() == ROOT / "models"
    assert not any(name.startswith("deploy") for override in settings["overrides"] for name in override["module"])
