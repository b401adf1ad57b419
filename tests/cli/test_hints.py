"""Hints name only options that the verb has which shows them, and spell out only commands that exist."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import deploy
from deploy.cli import main
from deploy.cli.hints import bare_options, called, fitting, options_of
from deploy.cli.main import command_line, run
from deploy.errors import BadInputError

PACKAGE = Path(deploy.__file__).parent
OPTION = re.compile(r"(?<![\w'-])--[a-z][a-z0-9-]*")
OTHER_PROGRAMS = ("pip ", "dask ", "chmod ", "apt-get ", "--help lists", "--data", "`--i-agree")
"""What marks hints whose options are not deploy's: they are of programs to run, or of open-corstone-300."""


@functools.cache
def commands() -> dict[str, click.Command]:
    """``run-fvp``, ``models build``, ... -> verb."""

    def below(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
        if isinstance(command, click.Group):
            for verb, each in command.commands.items():
                yield from below(each, f"{name} {verb}".strip())
        else:
            yield name, command

    return dict(below(command_line(), ""))


def text_of(node: ast.AST) -> str | None:
    """A text as it stands in the source, with X for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "X" for part in node.values)
    return None


@functools.cache
def hints() -> frozenset[str]:
    """Every text of the package that stands in a list of hints, or in a list that one is made of."""
    found: set[str] = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            lists: list[ast.AST] = []
            if isinstance(node, ast.keyword) and node.arg == "hints":
                lists.append(node.value)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(each, ast.Name) and "hint" in each.id.lower() for each in targets):
                    lists.append(node.value)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("hints.append", "hints.insert")):
                lists += node.args
            texts = (text_of(each) for one in lists for each in ast.walk(one))
            found.update(text for text in texts if text and len(text) > 1)
    return frozenset(found)


def test_the_walk_finds_the_hints() -> None:
    assert len(hints()) > 200
    assert "`--fvp open` runs the open machine" in hints()
    assert any("--sram-limit SIZE" in hint for hint in hints())


@pytest.mark.parametrize("verb", [*commands()])
def test_a_verb_shows_no_hint_with_an_option_that_it_lacks(verb: str) -> None:
    own, everywhere = options_of(commands()[verb]), options_of(command_line())
    for hint in fitting(sorted(hints()), verb.split(), command_line()):
        bare = re.sub(r"deploy (?:[a-z-]+ ?)+[^`,;]*", "", hint)
        named = {option for option in OPTION.findall(bare) if option in everywhere}
        assert named <= own, f"{verb}: {hint}"


def test_a_hint_without_an_option_or_with_the_verbs_own_is_kept() -> None:
    kept = ("a smaller input", "--timeout 9", "deploy compile MODEL --npu U55-128", "without Vela's --optimise-me")
    assert fitting(kept, ["run-fvp", "build"], command_line()) == kept
    assert fitting(("`--timeout SECONDS` allows more", "try"), ["verify"], command_line()) == ("try",)
    assert fitting(("--set KEY=VALUE",), ["models", "train", "x"], command_line()) == ("--set KEY=VALUE",)


def test_every_option_that_a_hint_names_is_one_of_some_verb() -> None:
    everywhere = options_of(command_line())
    for hint in hints():
        if not any(mark in hint for mark in OTHER_PROGRAMS) and "Vela's --" not in hint:
            assert bare_options(hint) <= everywhere, hint


def test_every_command_that_a_hint_spells_out_has_its_options() -> None:
    for hint in hints():
        for command in re.findall(r"(?<!do not )deploy [a-z][^`,;]*", hint):
            words = command.split()[1:]
            verb = called(words, command_line())
            assert not isinstance(verb, click.Group), hint
            assert {*OPTION.findall(command)} <= options_of(verb), hint


def test_an_error_is_shown_without_hints_that_do_not_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def verb(*_: object) -> int:
        raise BadInputError("it does not fit", hints=["--sram-limit SIZE, if it has more", "a smaller one"])

    monkeypatch.setattr(main, "_called", verb)
    for words, shown in ((["report", "b"], 0), (["compile", "m"], 1)):
        assert run(words) == 2
        said = capsys.readouterr().err
        assert said.count("--sram-limit") == shown
        assert "try: a smaller one" in said
