"""The documentation, built once for the tests that look at it."""

from pathlib import Path

import pytest
from made_once import made_once
from site_build import build


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning fails every test that asks for it."""

    def build_site(folder: Path) -> None:
        done = build(folder / "site")
        assert done.returncode == 0, done.stdout + done.stderr

    return made_once(tmp_path_factory, "docs", build_site) / "site"
