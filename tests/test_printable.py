"""What others wrote is printed as text: nothing of it steers a terminal."""

import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.cli.console import report_error
from deploy.cli.safe_console import SafeConsole
from deploy.errors import BadInputError, TargetError
from deploy.printable import printable, printable_json

HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202ename\x00\r"


def steers(text: str) -> bool:
    return any(not c.isprintable() and c not in "\n\t" for c in text)


@settings(deadline=None)
@given(st.text())
def test_nothing_that_steers_a_terminal_is_left_and_printable_text_stays(text: str) -> None:
    clean = printable(text)
    assert not [c for c in clean if c in "\x1b\x9b\x07\x08\r\x00\x7f\u202e"]
    assert len(clean) == len(text)
    if text.isprintable():
        assert clean == text


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.text(), max_size=3))
def test_json_means_the_same_and_nothing_in_it_steers_a_terminal(data: object) -> None:
    text = printable_json(json.dumps(data, ensure_ascii=False))
    assert json.loads(text) == data
    assert not [c for c in text if c in "\x1b\x9b\x7f\u202e\u2028"]


def test_a_console_prints_hostile_names_as_text_in_lines_and_tables_and_keeps_its_own_colours() -> None:
    from rich.text import Text

    from deploy.reporting.text.tables import table_of

    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=True, markup=False, width=60, color_system="standard")
    table = table_of(f"title {HOSTILE}")
    table.add_column("name")
    table.add_row(HOSTILE)
    console.print(table)
    console.print(f"model {HOSTILE}", Text("worse", style="red"))
    printed = file.getvalue()
    assert "\x1b[31mworse" in printed
    assert "\x1b[2J" not in printed and "\x1b]" not in printed
    assert "\x9b" not in printed and "\x07" not in printed and "\u202e" not in printed
    plain = io.StringIO()
    SafeConsole(file=plain, markup=False, width=60).print(table, HOSTILE)
    assert not steers(plain.getvalue())


def test_an_error_is_printed_without_control_characters(capsys) -> None:  # type: ignore[no-untyped-def]
    report_error(BadInputError(f"output {HOSTILE}: wrong", hints=[f"not {HOSTILE}"]))
    report_error(TargetError("no answer", log=[HOSTILE]))
    said = capsys.readouterr().err
    assert "output ?[2J" in said
    assert not steers(said)
