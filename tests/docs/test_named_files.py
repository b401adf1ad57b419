"""Every file and folder of the repository that a page names is there."""

import re
from pathlib import Path

import pytest
from page_blocks import ROOT, pages

FOLDERS = "benchmarks|deploy|docs|firmware|fvp|locks|models|templates|tests"
NAMED = re.compile(rf"`((?:{FOLDERS})/[^\s`]*)`")
PLACEHOLDER = re.compile(r"(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])")
"""A name that stands for many: `deploy/cli/VERB.py`."""


def named(text: str) -> list[str]:
    return [path for path in NAMED.findall(text) if not PLACEHOLDER.search(path)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    for path in named(page.read_text(encoding="utf-8")):
        assert list(ROOT.glob(path.rstrip("/"))), f"{page.name} names {path}"


def test_what_stands_for_many_files_is_told_from_a_file() -> None:
    text = "`deploy/cli/VERB.py`, `deploy/cli/verify.py`, `firmware/uart_KIND.c`, `tests/faults`, `x/y`"
    assert named(text) == ["deploy/cli/verify.py", "tests/faults"]
    assert sum(len(named(page.read_text(encoding="utf-8"))) for page in pages()) > 40
