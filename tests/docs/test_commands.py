"""Every command that a page shows exists, with all its options, and takes the values that it is given."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from page_blocks import ROOT, Block, mentioned, pages, shows, steps, typed, words

from deploy.cli.main import command_line

COMMAND = command_line()

PLACEHOLDER = re.compile(r"[A-Z_]{2,}$|\.\.\.|…|\$|^[A-Z]$")
"""Words that stand for something: VERB, BUILD, FILE, A."""


def verbs(context: click.Context) -> Iterator[click.Context]:
    """A command and all below it."""
    yield context
    if isinstance(context.command, click.Group):
        for name, each in context.command.commands.items():
            yield from verbs(click.Context(each, info_name=name, parent=context))


def verb_of(line: str) -> tuple[click.Context, list[str]]:
    """The verb of a command and the words behind it."""
    context = click.Context(COMMAND, info_name="deploy")
    rest = words(line)
    while rest and isinstance(context.command, click.Group) and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in context.command.commands, f"{line}: no verb {name}"
        context = click.Context(context.command.commands[name], info_name=name, parent=context)
    return context, rest


def check(line: str) -> None:
    """Parse a command as the command line does, without running it.

    Raises:
        AssertionError, click.ClickException: a verb, an option or a value that does not exist.
    """
    context, rest = verb_of(line)
    assert not isinstance(context.command, click.Group) or rest, f"{line}: no verb"
    context.command.make_context(context.info_name, rest, parent=context.parent)


def check_options(line: str) -> None:
    """Look at verb and options only: running text leaves out what does not matter there."""
    if PLACEHOLDER.match(line.split()[1]):
        return
    context, rest = verb_of(line)
    known = {
        option for parameter in context.command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"--help", "-h"}
    used = {word.split("=")[0] for word in rest if word.startswith("-")}
    assert used <= known, f"{line}: no option {', '.join(sorted(used - known))}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_a_page_can_be_typed(page: Path) -> None:
    for line in typed(page):
        try:
            check(line)
        except click.ClickException as error:
            pytest.fail(f"{page}: {line}: {error.format_message()}")
    for line in mentioned(page):
        check_options(line)


def test_the_pages_show_commands() -> None:
    assert sum(len(typed(page)) for page in pages()) > 60
    assert sum(len(mentioned(page)) for page in pages()) > 30


def test_every_example_of_the_help_can_be_typed() -> None:
    examples = [
        example
        for context in verbs(click.Context(COMMAND, info_name="deploy"))
        for example in re.findall(r"^ {4}(deploy .*?)(?: {3,}.*)?$", context.command.epilog or "", re.MULTILINE)
    ]
    assert len(examples) > 30
    for line in examples:
        check(line)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("deploy compyle model.tflite", "no verb compyle"),
        ("deploy compile model.tflite --cpu U55-128", "No such option"),
        ("deploy run-fvp build/x --count none", "not a valid integer"),
        ("deploy run-fvp build/x --count 0", "not in the range"),
        ("deploy fvp install", "Missing argument"),
        ("deploy verify build/x build/y", "unexpected extra argument"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, complaint: str) -> None:
    with pytest.raises((AssertionError, click.ClickException)) as error:
        check(line)
    assert complaint in str(error.value) or complaint in error.value.format_message()


def test_what_a_page_shows_is_held_against_what_is_printed() -> None:
    block = Block(
        "console",
        None,
        "$ deploy report\nmodel on U55-128\n...\n SRAM peak   16.1 KiB\n$ deploy doctor \\\n  -h\n",
    )
    first, second = steps(block)
    assert (first.command, second.command) == ("deploy report", "deploy doctor    -h")
    printed = "model on U55-256\n\n time  3 ms\n SRAM peak     9 KiB\n"
    assert shows(first.shown, printed) is None
    assert shows(first.shown, printed.replace("SRAM", "DRAM")) == "SRAM peak N KiB"
    assert shows(first.shown, printed + "and more") == "nothing more, but printed was: and more"
    assert shows(("time 3 ms",), "") == "time N ms"
    assert shows(("...",), "anything") is None
    assert shows(("...", "verdict: PASS - ..."), "inputs\nverdict: PASS - 2 differ\n") is None
    assert shows(("verdict: PASS - ...",), "verdict: FAIL - all\n") == "verdict: PASS - ..."
