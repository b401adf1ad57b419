"""What every report page is made with: Jinja templates, data and scripts that cannot break out, the page's policy.

Names come from model files, so three walls stand between them and a page: Jinja escapes them in HTML, the data
of the charts cannot leave its script element (:func:`script_json`), and a content security policy lets the browser
run the scripts whose hashes it names, and load nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from deploy.printable import printable
from deploy.reporting.charts import Chart
from deploy.reporting.content import short_name, shown
from deploy.tables import figure_title, format_bytes, format_figure, title_of

if TYPE_CHECKING:
    from jinja2 import Template


def page(name: str, charts: Iterable[Chart], library: str, **content: Any) -> str:
    """A page with style, data, charts and charting library in it.

    Args:
        name: of the template.
        charts: what it draws.
        library: JavaScript that defines ``window.vegaEmbed``.
        content: what else the template asks for.
    """
    drawn = {chart.key: chart for chart in charts}
    script = resource("report.js")
    return template(name).render(
        charts=drawn,
        data=script_json({key: chart.spec for key, chart in drawn.items()}),
        style=resource("report.css"),
        library=library,
        script=script,
        policy=content_policy([library, script]),
        **content,
    )


@functools.cache
def template(name: str) -> Template:
    """A template of a page, compiled."""
    import jinja2

    from deploy.reporting.template_cache import TemplateCache

    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "autoescape": True}
    environment = jinja2.Environment(  # noqa: S701 - autoescape is among the options
        loader=jinja2.FunctionLoader(resource),
        undefined=jinja2.StrictUndefined,
        bytecode_cache=TemplateCache({**options, "finalize": _clean.__name__}),
        finalize=_clean,
        **options,
    )
    environment.filters |= {
        "bytes": format_bytes,
        "figure": format_figure,
        "figure_title": figure_title,
        "title_of": title_of,
        "short_name": short_name,
        "shown": shown,
        "number": number,
    }
    return environment.get_template(name)


def _clean(value: Any) -> Any:
    """What a template writes, without control characters; scripts and styles of our own stay as they are."""
    return printable(value) if type(value) is str else value


def script_json(data: Any) -> str:
    """JSON that stays inside its script element whatever strings it holds."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def content_policy(scripts: Iterable[str]) -> str:
    """A content security policy: only these inline scripts run, nothing is loaded, nothing is sent."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def number(value: float | None, digits: int = 4) -> str:
    """A number for people; a dash for none."""
    if value is None:
        return "-"
    return f"{int(value):,}" if value == int(value) else f"{value:.{digits}g}"


def resource(name: str) -> str:
    """The text of a file that pages are made of."""
    return files("deploy.templates").joinpath("report", name).read_text(encoding="utf-8")
