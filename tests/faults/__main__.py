"""``python -m tests.faults [EXPRESSION]``: pytest injects all faults, or those of its ``-k``; prints the table."""

import sys
from pathlib import Path

import pytest

from .campaign import FAULTS, Result, table

_HERE = Path(__file__).resolve().parent
_TESTS = [str(_HERE / name) for name in ("test_faults.py", "test_faults_of_float_models.py")]
_TEST = "test_the_fault_is_detected"


class Results:
    """What the tests of faults noted (:func:`test_faults.noted`), a line each as it comes."""

    def __init__(self) -> None:
        self.found: list[Result] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A set-up that passed has yet to be followed by the test itself.
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._add(report)

    def _add(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("[")[2].removesuffix("]")
        [fault] = [fault for fault in FAULTS if fault.name == name]
        noted = dict(report.user_properties)
        # Without a note it was not injected to its end.
        undetected = noted.get("undetected", f"{report.outcome}: {report.longreprtext[-600:]}")
        result = Result(fault, str(undetected), tuple(noted.get("left", ())), float(noted.get("seconds", 0)))
        self.found.append(result)
        mark = "FAILED" if result.undetected or result.left else "ok"
        print(f"{len(self.found):4} {mark:7}{result.seconds:6.1f} s  {name}", flush=True)


def main() -> int:
    """Run and print; exit status 0 if every fault was detected and nothing was left behind."""
    expression = f"{_TEST} and ({' '.join(sys.argv[1:]) or _TEST})"
    results = Results()
    # Of pytest's own lines those about a wrong expression are left.
    words = [*_TESTS, "-k", expression, "-o", "addopts=", "-p", "no:terminal", "-p", "no:cacheprovider"]
    status = pytest.main(words, plugins=[results])
    print(table(results.found))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
