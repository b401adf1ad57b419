"""Counts of tests that each stand for something wrong that has to be found."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from corpus.conversion import TESTS
from trained_networks import trained_networks

from .networks import TRAINED

HEAD = ("what", "tried", "found")
PARTS = {
    "lying simulators": ("lying_simulators/test_lying_simulators.py", "no_", ""),
    "injected faults": ("faults", "the_fault_is_detected", "not slow"),
}
"""What is counted -> where its tests are, what the names of those that count hold, marks as pytest's ``-m``."""

_MUTANTS = {"source": 200, "compiled": 400}
"""How many mutants of models are tried before Vela, and behind it."""


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
    """Run them all; of the injected faults those that are not slow."""
    tested = [count(what, TESTS / path, part, marks) for what, (path, part, marks) in PARTS.items()]
    return [*tested, *(mutants(part, number) for part, number in _MUTANTS.items())]


def mutants(part: str, number: int) -> Count:
    """Mutants of trained networks, see :mod:`faults.mutants`; the first that breaks a promise ends the count."""
    files = [str(trained_networks()[TRAINED[name]]) for name in ("magic_wand", "keyword_spotting")]
    words = [sys.executable, "-m", "faults.mutants", part, "1", str(number), *files]
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
    return Count(f"mutants of {part} models", number, number if done.returncode else 0)


def count(what: str, path: Path, part: str, marks: str) -> Count:
    """Run the tests below a path whose names hold a part, with such marks: pytest's ``-m``, empty for all."""
    with tempfile.TemporaryDirectory(prefix="deploy-strength-") as folder:
        report = Path(folder) / "report.xml"
        words = [
            sys.executable,
            "-m",
            "pytest",
            str(path),
            "-q",
            "-k",
            part,
            "-m",
            marks,
            f"--junit-xml={report}",
            # Else it would clear away what earlier runs of all tests have left, which takes half a minute.
            f"--basetemp={folder}/tests",
        ]
        subprocess.run([*words, "-n", "auto", "--maxprocesses", "4"], cwd=TESTS.parent, check=False)
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - pytest's own
    # Expected failures are "skipped" in the report: they, too, were not found.
    return Count(what, len(cases), sum(len(case) > 0 and case[0].tag != "system-out" for case in cases))
