"""The charting library comes out of the installed package once, and out of the user's cache from then on."""

from pathlib import Path

import pytest

from deploy.reporting.charts import library


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ethosu-deploy" / f"vega-{library.installed_version()}.js"


def test_the_bundle_is_kept_per_version_and_not_made_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = library.javascript()
    assert cache.read_text(encoding="utf-8") == made
    assert "</script" not in made
    assert "<!--" not in made
    monkeypatch.setattr(library, "_bundle", lambda: pytest.fail("bundled again"))
    assert library.javascript() == made


def test_a_cut_or_damaged_cache_is_made_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_bundle", lambda: "code;window.vegaEmbed=$;")
    cache.parent.mkdir()
    for damaged in (b"half a bun", b"\xff\xfe", b""):
        cache.write_bytes(damaged)
        assert library.javascript() == "code;window.vegaEmbed=$;"


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(library, "_bundle", lambda: "window.vegaEmbed=$;")
    assert library.javascript() == "window.vegaEmbed=$;"
