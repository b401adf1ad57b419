"""A verdict as Markdown, for the page that CI shows of a run. Pure.

Names come from model files: they are escaped, so that none becomes a link, a picture, a mention or a heading.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from deploy.figures import format_figure, sources_of, title_of
from deploy.judging.verdict import Verdict
from deploy.printable import printable
from deploy.reporting.data.limits import shown_value

MARK = "<!-- deploy check -->"
"""The first line of every summary."""

_SYNTAX = re.compile(r"([\\`*_{}\[\]()#|~!+])")
_NUMBERS = "---:"


def escaped(text: str) -> str:
    """Text of others in one line of Markdown, where it means nothing but itself."""
    line = _SYNTAX.sub(r"\\\1", " ".join(printable(text).split()))
    # Mentions and links are made of plain text, too: an entity is shown as its character and parts them.
    return html.escape(line, quote=False).replace("@", "&#64;").replace("://", "&#58;//")


def summary(verdict: Verdict, below: str = "") -> str:
    """The verdict, the limits, the figures and the outputs.

    Args:
        verdict: of ``check``.
        below: Markdown that stands at the end.
    """
    npu = f" on {verdict.platform.npu}" if verdict.platform else ""
    parts = [
        MARK,
        f"## deploy check: {escaped(verdict.headline)}",
        f"{escaped(verdict.build)}{npu}: {escaped(verdict.reason)}" if verdict.build else escaped(verdict.reason),
        "\n".join(f"- {escaped(sentence)}" for sentence in verdict.explanations),
        table(
            ("limit", "value", ""),
            (
                (outcome.limit, shown_value(outcome.value, outcome.unit), "holds" if outcome.holds else "BROKEN")
                for outcome in verdict.limits
            ),
            ("---", _NUMBERS, "---"),
        ),
        table(
            ("output", "elements", "mismatches", "max LSB"),
            (
                (
                    output.name,
                    f"{output.elements:,}",
                    f"{output.mismatches:,}",
                    "not a number" if output.max_lsb is None else f"{output.max_lsb:g}",
                )
                for output in verdict.outputs
            ),
            ("---", _NUMBERS, _NUMBERS, _NUMBERS),
        ),
        table(
            ("figure", "value", "label"),
            ((title_of(figure.name), format_figure(figure), figure.label) for figure in verdict.figures),
            ("---", _NUMBERS, "---"),
        ),
        "\n".join(f"- {escaped(line)}" for line in sources_of(verdict.figures)),
        below,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], alignment: Sequence[str]) -> str:
    """A table; nothing where there are no rows."""
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"| {' | '.join(alignment)} |", *lines])
