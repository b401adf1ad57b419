"""The page of a sweep, or its charts as a picture."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import BadInputError
from deploy.files import write_bytes, write_text
from deploy.reporting.charts.library import installed_version, javascript, png, svg
from deploy.reporting.charts.sweep import charts, combined
from deploy.reporting.charts.vega import printable_spec
from deploy.reporting.data.sweep_table import columns, remarks
from deploy.reporting.pages.page import page
from deploy.sweeping.documents import SweepDocument

FORMATS = (".html", ".svg", ".png")


def check_format(path: Path) -> None:
    """Check, before long work, that a chart can be written there in the end.

    Raises:
        BadInputError: not a format that is known.
        NotInstalledError: the charting library is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise BadInputError(f"--chart {path}: the name must end in {', '.join(FORMATS)}")
    installed_version("--chart")


def write_sweep(sweep: SweepDocument, path: Path) -> None:
    """Write the page, or the picture, as the file's name says.

    Raises:
        BadInputError: it cannot be written.
        NotInstalledError: the charting library is missing.
    """
    check_format(path)
    kind = path.suffix.lower()
    if kind == ".html":
        write_text(path, render(sweep, javascript()))
        return
    picture = printable_spec(combined(sweep, list(charts(sweep))))
    if kind == ".svg":
        write_text(path, svg(picture))
    else:
        write_bytes(path, png(picture))


def render(sweep: SweepDocument, library: str) -> str:
    """The page.

    Args:
        sweep: what it shows.
        library: JavaScript that defines ``window.vegaEmbed``.
    """
    return page(
        "sweep.html.j2",
        charts(sweep),
        library,
        version=sweep.versions.get("deploy", ""),
        sweep=sweep,
        columns=columns(sweep),
        remarks=remarks(sweep),
    )
