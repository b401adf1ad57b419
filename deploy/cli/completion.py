"""Completion of values on TAB: NPUs, memory modes, system configurations, networks, boards, formats and the like.

typer asks the shell and completes verbs and options; here is what stands behind an option. Nothing of it is loaded
unless a shell asks.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from deploy.errors import DeployError
from deploy.settings.declared import declared_by
from deploy.settings.options import FIRMWARE_KINDS

_MODELS = "models:"
_BREAKS = (":", "=")
_LISTS = {"sweep": ("npu", "memory_mode", "system_config", "optimise")}
"""Verb -> parameters that take several values with commas between, or all."""

Values = Callable[[click.Context], Iterable[str]]


def answer(deploy: click.Command, variable: str) -> int:
    """Answer the shell that asks; returns the exit status.

    Args:
        deploy: the command line with all its verbs.
        variable: of the environment, in which it asks.
    """
    add_completion_class(_BashWords, "bash")
    _offer(deploy)
    with contextlib.suppress(SystemExit):
        deploy.main(args=[], prog_name="deploy", complete_var=variable, standalone_mode=False)
    return 0


def _offer(command: click.Command) -> None:
    """Give every parameter that has some its values."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _offer(each)
        return
    function = getattr(command.callback, "__wrapped__", command.callback)
    declared = {each.parameter: each for each in declared_by(function)} if function else {}
    for parameter in command.params:
        known = declared.get(parameter.name or "")
        values = _VALUES.get(parameter.name or "")
        if known is not None and known.shared is not None and known.shared.choices:
            values = functools.partial(_these, known.shared.choices)
        if values is not None:
            listed = (parameter.name or "") in _LISTS.get(command.name or "", ())
            parameter.shell_complete = functools.partial(_complete, values, listed)  # type: ignore[method-assign]


def _complete(values: Values, listed: bool, context: click.Context, incomplete: str) -> list[CompletionItem]:
    """What begins like the word that is typed, whatever its case; of a list, like its last element."""
    before, comma, last = incomplete.rpartition(",") if listed else ("", "", incomplete)
    try:
        if values is _networks and not last.startswith(_MODELS) and _is_begun_file(last):
            return []  # the shell completes files where it is given nothing
        found = [*values(context), *(["all"] if listed and not comma else [])]
    except (DeployError, OSError):
        return []
    given = before.split(",")
    fitting = (each for each in found if each.lower().startswith(last.lower()) and each not in given)
    return [CompletionItem(f"{_option_before()}{before}{comma}{each}") for each in fitting]


def _option_before() -> str:
    """``--npu=`` where that is typed in one word with a value, which zsh and fish replace as a whole."""
    name, equals, _ = os.environ.get("_TYPER_COMPLETE_ARGS", "").rpartition(" ")[2].partition("=")
    return f"{name}=" if equals and name.startswith("--") else ""


def _these(choices: Iterable[str], _context: click.Context) -> Iterable[str]:
    return choices


def _npus(_context: click.Context) -> Iterable[str]:
    from deploy.hardware.npus import npus

    return npus()


def _system_configs(context: click.Context) -> Iterable[str]:
    """Those of the NPU that was named before; without one, all."""
    from deploy.compiling.vela_config import installed_config
    from deploy.hardware.npus import npu_named

    named = context.params.get("npu")
    start = f"Ethos_{npu_named(named).family}_" if named and context.command.name not in _LISTS else ""
    return [name for name in installed_config().systems if name.startswith(start)]


def _memory_modes(context: click.Context) -> Iterable[str]:
    """Those that go with the NPU and system configuration that were named before; without an NPU, all."""
    from deploy.compiling.vela_config import goes_together, installed_config
    from deploy.hardware.npus import npu_named

    named, modes = context.params.get("npu"), installed_config().memories
    if not named or context.command.name in _LISTS:
        return modes
    npu = npu_named(named)
    system = context.params.get("system_config") or npu.system_config
    return [mode for mode in modes if goes_together(npu, system, mode)]


def _names(_context: click.Context) -> Iterable[str]:
    from deploy.zoo.project import projects

    return [project.name for project in projects()]


def _networks(context: click.Context) -> Iterable[str]:
    return [f"{_MODELS}{name}" for name in _names(context)]


def _is_begun_file(text: str) -> bool:
    """Whether there is a file or folder whose name begins so."""
    path = Path(text or ".")
    return not text or any(each.name.startswith(path.name) for each in path.parent.iterdir())


def _boards(_context: click.Context) -> Iterable[str]:
    from deploy.hardware.boards import firmware_boards

    return [board.id for board in firmware_boards()]


def _machines(_context: click.Context) -> Iterable[str]:
    from deploy.corstone.stand_in import open_boards

    return ["open", *(f"open:{board}" for board in open_boards())]


def _targets(context: click.Context) -> Iterable[str]:
    from deploy.api import HOST

    return [HOST, *_machines(context)]


def _oracles(context: click.Context) -> Iterable[str]:
    if context.command.name == "search":
        from deploy.searching.oracle import ORACLES

        return ORACLES
    from deploy.judging.opinion import PANELS

    return PANELS


def _precisions(_context: click.Context) -> Iterable[str]:
    from deploy.quantizing.precision import BITS

    return BITS


def _strategies(_context: click.Context) -> Iterable[str]:
    from deploy.compiling.compile_options import OPTIMISE

    return OPTIMISE


def _formats(_context: click.Context) -> Iterable[str]:
    from deploy.cli.report import FORMATS

    return FORMATS


def _runtimes(_context: click.Context) -> Iterable[str]:
    from deploy.firmware_project.rendering import RUNTIMES

    return RUNTIMES


_VALUES: Mapping[str, Values] = {
    "npu": _npus,
    "system_config": _system_configs,
    "memory_mode": _memory_modes,
    "optimise": _strategies,
    "model": _networks,
    "teacher": _networks,
    "name": _names,
    "board": _boards,
    "firmware": functools.partial(_these, FIRMWARE_KINDS),
    "fvp": _machines,
    "target": _targets,
    "oracle": _oracles,
    "precision": _precisions,
    "format_": _formats,
    "runtime": _runtimes,
    "only": functools.partial(_these, ("model",)),
}
"""Parameter of a verb -> its values; those that are declared with their choices are not here."""


class _BashWords(BashComplete):
    """Bash takes ``models:NAME`` and ``--npu=U55-128`` for several words, and replaces the last of them."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=complete_bash $1 ) )
    return 0
}

complete -o default -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, and this."""
        number = int(os.environ["COMP_CWORD"])
        pieces = [*os.environ["COMP_WORDS"].split("\n"), ""][1 : number + 1]
        words: list[str] = []
        for before, piece in zip(["", *pieces], pieces, strict=False):
            if words and (piece in _BREAKS or before in _BREAKS):
                words[-1] += piece
            else:
                words.append(piece)
        plain = [next(iter(split_arg_string(word)), "") for word in words]
        return plain[:-1], plain[-1] if plain else ""

    def complete(self) -> str:
        """One completion a line, without what bash takes for words of their own."""
        arguments, incomplete = self.get_completion_args()
        last = max(incomplete.rfind(mark) for mark in _BREAKS) + 1
        own = incomplete[:last]
        return "\n".join(item.value.removeprefix(own) for item in self.get_completions(arguments, incomplete))
