"""Which hints of an error help at a verb: whoever raised it does not know what the verb can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

_OPTION = re.compile(r"(?<![\w'-])--[a-z][a-z0-9-]*")
_COMMAND = re.compile(r"deploy ((?:[a-z-]+ ?)+)[^`,;]*")
"""``deploy run-fvp BUILD --locate``: up to what ends it, its options are its own."""


def fitting(hints: Sequence[str], words: Sequence[str], deploy: click.Command) -> tuple[str, ...]:
    """The hints without those that name an option which other verbs have, and the one that was called does not.

    Args:
        hints: of an error.
        words: of the command line.
        deploy: the command line with all its verbs.
    """
    everywhere = options_of(deploy)
    here = options_of(called(words, deploy))
    return tuple(hint for hint in hints if not (bare_options(hint) & everywhere) - here)


def bare_options(hint: str) -> frozenset[str]:
    """The options that a hint names for the verb that is running: not those of a command that it spells out."""
    return frozenset(_OPTION.findall(_COMMAND.sub("", hint)))


def called(words: Sequence[str], deploy: click.Command) -> click.Command:
    """The verb that words call, or the group if they call none."""
    for word in words:
        if not isinstance(deploy, click.Group) or word not in deploy.commands:
            break
        deploy = deploy.commands[word]
    return deploy


def options_of(command: click.Command) -> frozenset[str]:
    """The options of a verb, or of all verbs of a group."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = (name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts))
    return frozenset(own).union(*map(options_of, below))
