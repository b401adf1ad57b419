"""Numbers stay whole on narrow terminals, and no line ends with blanks where nobody sees colours."""

import io
import re

import pytest

from deploy.cli.safe_console import SafeConsole
from deploy.reporting.text.tables import column, numbers, table_of

NUMBERS = ["0.00392157", "1.234568e-07", "190,672 cycles", "-128"]


def printed(width: int) -> str:
    table = table_of(
        "A table of numbers", column("name", min_width=22), *numbers("scale", "tiny", "cycles", "zero point")
    )
    table.add_row("a name of several words", *NUMBERS)
    stream = io.StringIO()
    SafeConsole(file=stream, width=width, soft_wrap=True, highlight=False).print(table)
    return stream.getvalue()


@pytest.mark.parametrize("width", [200, 100, 80, 60, 40, 20, 1])
def test_numbers_are_never_broken_or_cut(width: int) -> None:
    text = printed(width)
    for number in NUMBERS:
        assert number in text
    assert "…" not in text


def test_a_name_gives_way_first() -> None:
    assert "a name of several words" in printed(100)
    assert max(map(len, printed(80).splitlines())) <= 80
    assert "a name of several words" not in printed(60)
    assert re.search(r"a name\b", printed(60))


def test_a_file_gets_no_blanks_at_the_ends_of_lines_and_a_terminal_gets_its_table() -> None:
    assert not re.search(r"[ \t]$", printed(100), re.MULTILINE)
    terminal = io.StringIO()
    SafeConsole(file=terminal, force_terminal=True).print("blue", style="blue")
    assert "\x1b[34mblue" in terminal.getvalue()
