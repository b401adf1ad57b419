"""A result is known by the code that computed it."""

import sys
from pathlib import Path

import pytest

from deploy.sweeping.cache import code_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "digested"
    (folder / "below").mkdir(parents=True)
    for name in ("__init__.py", "below/__init__.py", "below/table.toml"):
        (folder / name).write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    code_digest.cache_clear()
    yield folder
    code_digest.cache_clear()
    sys.modules.pop("digested", None)


def digest() -> str:
    code_digest.cache_clear()
    return code_digest("digested")


@pytest.mark.parametrize("name", ["__init__.py", "below/__init__.py", "below/table.toml", "below/new.py"])
def test_a_change_of_code_or_table_changes_the_digest(package: Path, name: str) -> None:
    before = digest()
    assert digest() == before
    (package / name).write_text("VALUE = 1\n")
    assert digest() != before


def test_what_computes_nothing_does_not_count(package: Path) -> None:
    before = digest()
    (package / "README.md").write_text("words")
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "module.cpython-311.pyc").write_bytes(b"compiled")
    assert digest() == before
