"""The command line as pages: every verb with its arguments, options and examples, read from the application."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from deploy.cli.main import command_line
from deploy.corstone.options import ARMS, usage
from deploy.corstone.parameters import Parameter, parameter_table

_EXAMPLE = re.compile(r"^ {4}(\S.*)$")
_NUMBERED = re.compile(r"(uart|telnetterminal)\d")
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
    rows = dict.fromkeys(_parameter_row(parameter, u65.get(name)) for name, parameter in u55.items())
    options = [f"| `{each.name}` | {each.text} | {each.instead} |" for each in ARMS if each.instead]
    return "\n\n".join(
        [
            "# open-corstone-300",
            "Takes the command line of Arm's `FVP_Corstone_SSE-300_Ethos-U55` and `..._Ethos-U65`; as "
            "`open-corstone-310` and `open-corstone-320` those of `FVP_Corstone_SSE-310`, `..._Ethos-U65` and "
            "`FVP_Corstone_SSE-320`. "
            "[How it works](../explanation/corstone-300.md) says what is behind it.",
            f"```text\n{usage().format(program='open-corstone-300').strip()}\n```",
            "## Options of Arm's that have no effect",
            "They are accepted with a warning, which is not printed with `-q`.",
            "\n".join(["| option | what it is on the FVP | here |", "|---|---|---|", *options]),
            "## Parameters",
            "For `-C NAME=VALUE` and the files of `-f`, one a line; `-l` prints them, and a listing that was "
            "saved from Arm's `-l` loads with `-f`: lines whose value is the default that they state ask for "
            "nothing. These are Corstone-300's; those of the other boards differ in their first words: "
            "`mps4_board.uart0.out_file`. `N` stands for each of the UARTs 0 to 5 and the terminals 0, 1, 2 and "
            "5. A name may begin with the model's (`FVP_MPS3_Corstone_SSE_300.`, `cpu_core.`), and `*` stands "
            "for instances.",
            "What has no effect is accepted with a warning, which is not printed with `-q`, where the value is "
            "not the default. What would change what programs compute is refused. Parameters of plugins "
            "(`TRACE.`, `GDBServer.`) and windows (`vis_hdlcd.`) are accepted with a warning, those of other "
            "FVPs are refused with their name. Names and defaults are those of public scripts and documents; no "
            "FVP was asked.",
            "\n".join(["| parameter | default | | here |", "|---|---|---|---|", *rows]),
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
    name = _NUMBERED.sub(r"\1N", parameter.name)
    use = parameter.use if not parameter.note else f"{parameter.use}: {parameter.note}"
    return f"| `{name}` | {default} | {text} | {use} |"


def _value(value: bool | int | str) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"0x{value:08x}" if isinstance(value, int) and value >= 1 << 16 else str(value)
