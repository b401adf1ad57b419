"""What was tried together: to two numbers, every number counts, what is missing does not."""

import re
import tomllib
from pathlib import Path

import pytest

from deploy.doctor import Together, combinations

ROOT = Path(__file__).parent.parent
DEBIAN = Together("Debian", python="3.11", numpy="2.4", qemu="7.2")


@pytest.mark.parametrize(
    ("versions", "holds"),
    [
        ({"python": "3.11.2", "numpy": "2.4.6", "qemu": "7.2.22"}, True),
        ({"python": "3.11.2", "numpy": "2.4.6"}, True),
        ({"python": "3.1.2", "numpy": "2.4.6", "qemu": "7.2.22"}, False),
        ({"python": "3.11.2", "numpy": "2.5.0", "qemu": "7.2.22"}, False),
        ({"python": "3.11.2", "numpy": "2.4.6", "qemu": "7.20.1"}, False),
    ],
)
def test_versions_hold_where_the_first_two_numbers_are_equal(versions: dict[str, str], holds: bool) -> None:
    assert DEBIAN.holds(versions) is holds


def test_what_was_tried_is_what_the_lock_files_install_on_every_python_that_is_supported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = [line.split(" :: ")[-1] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert sorted({together.python for together in combinations()}) == sorted(pythons)
    for together in combinations():
        lock = (ROOT / "locks" / f"python-{together.python}.txt").read_text(encoding="utf-8")
        (version,) = re.findall(r"^numpy==(\d+\.\d+)\S* (?!; python_full_version >=)", lock, re.MULTILINE)
        assert version == together.numpy
