"""What ``deploy report`` does with several builds: compares them with the first, and holds them to rules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def compare_builds(
    folders: Sequence[Path], format_: str, fail_on: str | None, *, quiet: bool, verbose: bool
) -> int:
    """Print the comparison.

    Args:
        folders: two or more; the first is what the others are compared with.
        format_: ``text`` or ``json``.
        fail_on: rules, see :mod:`deploy.reporting.rules`.
        quiet: print the outcome of the rules only.
        verbose: print every operator that changed.

    Returns:
        The exit status: 1 when a rule is broken.

    Raises:
        BadInputError: a folder is no build folder, or a rule is none.
    """
    from deploy.build_folder import BuildFolder
    from deploy.cli.console import stdout
    from deploy.errors import ExitStatus
    from deploy.reporting.build_figures import candidate
    from deploy.reporting.comparing import compare
    from deploy.reporting.comparison_text import print_comparison, print_outcomes
    from deploy.reporting.rules import apply_rules, parse_rules

    rules = parse_rules(fail_on) if fail_on is not None else ()
    comparison = compare([candidate(BuildFolder.open(folder), str(folder)) for folder in folders])
    outcomes = apply_rules(comparison, rules)
    broken = [outcome for outcome in outcomes if not outcome.holds]
    if format_ == "json":
        print(comparison.model_copy(update={"rules": outcomes}).model_dump_json(indent=2))
        for outcome in broken:
            print(f"fail  {outcome.sentence}", file=sys.stderr)
    else:
        console = stdout()
        if not quiet:
            print_comparison(comparison, console, every_operator=verbose)
        if rules:
            print_outcomes(outcomes, console)
    return int(ExitStatus.FAIL if broken else ExitStatus.PASS)
