"""Help is printed without what it is not printed with, and looks as it does with all of it."""

import subprocess
import sys

import pytest

LOADED = "import sys; from deploy.cli.help_printer import load_help_printer as load; load(); "


def said(code: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize("words", [["--help"], ["compile", "--help"], ["models", "-h"], ["models", "build", "-h"]])
def test_help_is_what_typer_prints_with_all_that_it_imports(words: list[str]) -> None:
    called = "from deploy.cli.main import run; run(sys.argv[1:])"
    with_everything = said(f"import sys, typer.rich_utils; {called}", *words)
    assert said(f"import sys; {called}", *words) == with_everything != ""


def test_no_parser_of_markdown_is_imported_for_help() -> None:
    code = "import sys; from deploy.cli.main import run; run(['--help']); print(*sys.modules)"
    assert not {"rich.markdown", "markdown_it", "pygments", "attr"} & {*said(code).split()}


def test_who_needs_what_was_left_out_finds_it_afterwards() -> None:
    code = LOADED + "import attr, rich.markdown, rich.traceback as failed; rich.markdown.Markdown('*a*');"
    assert said(code + "print(attr.ib.__name__, failed.Traceback.__module__)") == "attrib rich.traceback\n"


def test_what_is_imported_already_stays() -> None:
    code = "import rich.markdown as before; " + LOADED + "import typer.rich_utils as printer;"
    code += "print(printer.Markdown is before.Markdown, sys.modules['rich.markdown'] is before)"
    assert said(code) == "True True\n"
