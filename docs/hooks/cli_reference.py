"""The command line as pages: every verb with its arguments, options and examples, read from the application."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from deploy.cli.main import command_line
from deploy.corstone.command_line import USAGE
from deploy.corstone.parameters import Parameter, parameter_table

_EXAMPLE = re.compile(r"^ {4}(\S.*)$")
_COMMENTED = re.compile(r" {3,}(?=\S)")


def commands() -> Iterator[click.Context]:
    """Every verb, and every verb below one, in the order of ``deploy --help``."""
    yield from _below(click.Context(command_line(), info_name="deploy"))


def _below(context: click.Context) -> Iterator[click.Context]:
    if not isinstance(context.command, click.Group):
        yield context
        return
    for name, each in context.command.commands.items():
        yield from _below(click.Context(each, info_name=name, parent=context))


def page() -> str:
    """The reference of ``deploy``."""
    text = [
        "# Command line",
        "`deploy --help` and `deploy VERB --help` print the same. `deploy --version` prints the version. What a "
        "project's [deploy.toml](settings.md) says need not be typed. "
        "Every verb keeps to [the exit statuses](../explanation/verdict.md#exit-statuses).",
    ]
    for context in commands():
        text += [f"## {context.command_path}", *_verb(context)]
    return "\n\n".join(text) + "\n"


def _verb(context: click.Context) -> Iterator[str]:
    verb = context.command
    usage = " ".join([context.command_path, *verb.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    yield verb.help or ""
    for kind, title in (("argument", "argument"), ("option", "option")):
        rows = [_row(parameter, context) for parameter in verb.params if parameter.param_type_name == kind]
        if rows:
            yield "\n".join([f"| {title} | |", "|---|---|", *rows])
    yield from _examples(verb.epilog or "")


def _row(parameter: click.Parameter, context: click.Context) -> str:
    record = parameter.get_help_record(context)
    if record is None:
        return ""
    name, text = (" ".join(part.split()).replace("|", r"\|") for part in record)
    if isinstance(parameter, click.Option) and parameter.required and "[required]" not in text:
        text += " [required]"
    # typer marks what belongs to a parameter with brackets: [default: 1], [x>=1]
    text = re.sub(r" *\[(required|default: [^]]*|x[^]]*|[^]]*<=x[^]]*)\]", r" (\1)", text)
    return f"| `{name}` | {text} |"


def _examples(epilog: str) -> Iterator[str]:
    """The epilog as Markdown: indented lines are commands, with a comment behind three spaces."""
    block: list[str] = []
    for paragraph in epilog.strip().split("\n\n"):
        example = _EXAMPLE.match(paragraph)
        if example:
            block.append(_COMMENTED.sub("    # ", example[1], count=1))
            continue
        if block:
            yield _shell(block)
            block = []
        yield paragraph.strip()
    if block:
        yield _shell(block)


def _shell(lines: list[str]) -> str:
    return "\n".join(["```sh", *lines, "```"])


def simulator_page() -> str:
    """The reference of ``open-corstone-300``."""
    u55, u65 = (parameter_table("corstone-300", family) for family in ("U55", "U65"))
    rows = [_parameter_row(parameter, u65.get(name)) for name, parameter in u55.items()]
    return "\n\n".join(
        [
            "# open-corstone-300",
            "Takes the command line of Arm's `FVP_Corstone_SSE-300_Ethos-U55` and `..._Ethos-U65`; as "
            "`open-corstone-310` and `open-corstone-320` those of `FVP_Corstone_SSE-310`, `..._Ethos-U65` and "
            "`FVP_Corstone_SSE-320`. "
            "[How it works](../explanation/corstone-300.md) says what is behind it.",
            f"```text\n{USAGE.format(program='open-corstone-300').strip()}\n```",
            "## Parameters",
            "For `-C NAME=VALUE` and the files of `-f`, one a line; `-l` prints them. These are Corstone-300's; "
            "those of the other boards differ in their first words: `mps4_board.uart0.out_file`.",
            "\n".join(["| parameter | default | |", "|---|---|---|", *rows]),
        ]
    )


def _parameter_row(parameter: Parameter, on_u65: Parameter | None) -> str:
    default = _value(parameter.default)
    if on_u65 is not None and on_u65.default != parameter.default:
        default += f", U65: {_value(on_u65.default)}"
    text = parameter.description.replace("|", r"\|")
    if parameter.choices:
        choices = dict.fromkeys((*parameter.choices, *(on_u65.choices if on_u65 else ())))
        text += f" ({', '.join(_value(choice) for choice in choices if choice != '')})"
    return f"| `{parameter.name}` | {default} | {text} |"


def _value(value: bool | int | str) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"0x{value:08x}" if isinstance(value, int) and value >= 1 << 16 else str(value)
