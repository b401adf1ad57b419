"""What ``deploy report`` does with several builds: compares them with the first, and holds them to rules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def compare_builds(
    folders: Sequence[Path],
    format_: str,
    fail_on: str | None,
    *,
    output: Path | None = None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Print the comparison, or write its page.

    Args:
        folders: two or more; the first is what the others are compared with.
        format_: ``text``, ``json`` or ``html``.
        fail_on: rules, see :mod:`deploy.reporting.data.rules`.
        output: where it goes; None for standard output, of the page for ``comparison.html`` in the working folder.
        quiet: print the outcome of the rules only.
        verbose: print every operator that changed.

    Returns:
        The exit status: 1 when a rule is broken.

    Raises:
        BadInputError: a folder is no build folder, a rule is none, or the page cannot be written.
        NotInstalledError: the page's charting library is missing.
    """
    from deploy.build_folder import BuildFolder
    from deploy.cli.answers import COMPARISON
    from deploy.cli.call_documents import current
    from deploy.cli.console import into, stdout
    from deploy.errors import ExitStatus
    from deploy.printable import printable
    from deploy.reporting.data.build_documents import build_figures
    from deploy.reporting.data.comparing import compare
    from deploy.reporting.data.rules import apply_rules, parse_rules
    from deploy.reporting.text.comparison import print_comparison, print_outcomes

    rules = parse_rules(fail_on) if fail_on is not None else ()
    opened = [BuildFolder.open(folder) for folder in folders]
    named = zip(opened, folders, strict=True)
    comparison = compare([build_figures(build, str(folder)) for build, folder in named])
    outcomes = apply_rules(comparison, rules)
    comparison = comparison.model_copy(update={"rules": outcomes})
    broken = [outcome for outcome in outcomes if not outcome.holds]
    if format_ == "json":
        current().answer(lambda: comparison, name=COMPARISON, written=[output])
        for outcome in broken:
            print(printable(f"fail  {outcome.sentence}"), file=sys.stderr)
    elif format_ == "html":
        from deploy.reporting.data.report import collect
        from deploy.reporting.pages.comparison import COMPARISON_FILE, check_count, write_comparison

        check_count(len(opened))
        written = write_comparison(comparison, list(map(collect, opened)), output or Path(COMPARISON_FILE))
        current().answer(lambda: comparison, name=COMPARISON, written=[written])
        if not quiet:
            print(f"report: {written}")
        if rules:
            print_outcomes(outcomes, stdout())
    else:
        current().answer(lambda: comparison, name=COMPARISON, written=[output])
        with into(output):
            console = stdout()
            if not quiet:
                print_comparison(comparison, console, every_operator=verbose)
            if rules:
                print_outcomes(outcomes, console)
    return int(ExitStatus.FAIL if broken else ExitStatus.PASS)
