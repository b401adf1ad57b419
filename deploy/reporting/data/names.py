"""Names from model files as they are shown: short, and without characters that steer the text around them. Pure.

Names in the data of a report pass through here where they enter it, so everything downstream is bounded; escaping
is the page's business.
"""

from __future__ import annotations

from deploy.printable import printable

NAME_LENGTH = 80
"""Longest name shown; converters join the names of everything they fused."""


RUNNER_LACKS = "Arm's runner, which `run-fvp` boots, cannot run this build"
"""What stands in front of each operator that it lacks."""

LONGEST_NAME = 1000
"""Longest name in the text of a terminal, which wraps what is long."""


def shown(name: str, length: int = NAME_LENGTH) -> str:
    """A name from a model file as it is shown: without control characters, cut in the middle."""
    clean = printable(name[:4096], keep="")
    if len(clean) <= length:
        return clean
    head = length * 2 // 3
    return f"{clean[:head]}...{clean[len(clean) - (length - head - 3) :]}"


def short_name(name: str, length: int = NAME_LENGTH) -> str:
    """The first of the names that the converter joins with ``;``, without the model's own name before it."""
    return shown(_first(name) or name, length)


def one_word(name: str) -> str:
    """The same in full and without spaces: for columns of a terminal, and to tell operators apart."""
    return _first(name).replace(" ", "_")


def _first(name: str) -> str:
    return name.split(";", maxsplit=1)[0].split("/", maxsplit=1)[-1]
