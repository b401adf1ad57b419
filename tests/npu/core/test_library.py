import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.npu.core import library
from deploy.npu.core.sources import digest


def test_nothing_is_slow_with_the_core() -> None:
    assert library.slowness() is None
    assert library.version().startswith("compiled (")


@pytest.mark.parametrize(
    ("origin", "last"),
    [
        (
            {"url": "file:///home/me/check%20out", "dir_info": {"editable": True}},
            "--editable '/home/me/check out'",
        ),
        ({"url": "file:///home/me/deploy", "dir_info": {}}, "/home/me/deploy"),
        ({"url": "file:///tmp/deploy.whl", "archive_info": {}}, "CHECKOUT"),
        (None, "CHECKOUT"),
    ],
)
def test_what_to_type_installs_it_again_from_where_it_came(
    origin: dict[str, Any] | None, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return None if origin is None else json.dumps(origin)

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Installed())
    compiler, _, again = library.how_to_compile().partition(" && ")
    assert compiler.startswith("apt-get install gcc")
    assert again == f"{sys.executable} -m pip install --no-deps --force-reinstall {last}"


def test_without_the_core_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "native", lambda: None)
    assert library.version() == "NumPy"
    assert str(library.slowness()).endswith(library.how_to_compile())


def test_a_core_of_other_sources_is_not_used_and_what_to_type_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "digest", lambda _folder: "other")
    library.native.cache_clear()
    try:
        assert library.version() == "NumPy"
        said = str(library.slowness())
    finally:
        library.native.cache_clear()
    assert "was compiled from other sources" in said
    assert said.endswith(library.how_to_compile())


def test_the_core_knows_its_sources_and_where_there_are_none_it_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    core = library.native()
    assert core is not None and digest(Path(library.__file__).parent) == core.SOURCES
    assert digest(tmp_path) == ""
    monkeypatch.setattr(library, "digest", lambda _folder: "")
    library.native.cache_clear()
    assert library.native() is core
    library.native.cache_clear()
