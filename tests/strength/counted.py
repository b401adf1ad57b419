"""Counts of tests that each stand for something wrong that has to be found."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from corpus.conversion import TESTS

HEAD = ("what", "tried", "found")
_PARTS = {
    "lying simulators": ("lying_simulators/test_lying_simulators.py", "no_"),
    "injected faults": ("faults/test_faults.py", "the_fault_is_detected"),
}
"""What is counted -> file with tests, and what the name of each that counts holds."""


@dataclass(frozen=True)
class Count:
    """How many of one kind were tried, and how many were not found (or not even tried, because a test broke)."""

    what: str
    all: int
    bad: int

    def row(self) -> tuple[str, ...]:
        """As a row of a table."""
        return self.what, str(self.all), str(self.all - self.bad)


def counts() -> list[Count]:
    """Run them all; what is not here is left out."""
    return [count(what, TESTS / file, part) for what, (file, part) in _PARTS.items() if (TESTS / file).exists()]


def count(what: str, file: Path, part: str) -> Count:
    """Run the tests of a file whose names hold a part."""
    with tempfile.TemporaryDirectory(prefix="deploy-strength-") as folder:
        report = Path(folder) / "report.xml"
        words = [sys.executable, "-m", "pytest", str(file), "-q", "-k", part, f"--junit-xml={report}"]
        subprocess.run([*words, "-n", "auto", "--maxprocesses", "4"], cwd=TESTS.parent, check=False)
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - pytest's own
    # Expected failures are "skipped" in the report: they, too, were not found.
    return Count(what, len(cases), sum(len(case) > 0 and case[0].tag != "system-out" for case in cases))
