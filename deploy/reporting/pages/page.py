"""What every page is made with: Jinja templates, data and scripts that cannot break out, the page's policy.

Names come from model files, so three walls stand between them and a page: Jinja escapes them in HTML, the data
of the charts cannot leave its script element (:func:`script_json`), and a content security policy lets the browser
run the scripts whose hashes it names, and load nothing. Control characters are left out of both.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from deploy.figures import format_bytes, format_figure, number, percent, title_of
from deploy.judging.standing_word import stamp_of
from deploy.printable import printable
from deploy.reporting.charts.vega import Chart, printable_spec
from deploy.reporting.data.names import short_name, shown

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def page(name: str, charts: Iterable[Chart], library: str, *, version: str, **content: Any) -> str:
    """A page with style, data, charts and charting library in it.

    Args:
        name: of the template.
        charts: what it draws.
        library: JavaScript that defines ``window.vegaEmbed``.
        version: of the deploy that gave the figures.
        content: what else the template asks for.
    """
    places: dict[str, list[Chart]] = {}
    specs = {}
    for chart in charts:
        places.setdefault(chart.place, []).append(chart)
        specs[chart.key] = printable_spec(chart.spec)
    script = resource("report.js")
    return template(name).render(
        charts=places,
        data=script_json(specs),
        style=resource("report.css"),
        library=library,
        script=script,
        policy=content_policy([library, script]),
        version=version,
        **content,
    )


def template(name: str) -> Template:
    """A template of a page, compiled."""
    return _environment().get_template(name)


@functools.cache
def _environment() -> Environment:
    import jinja2

    from deploy.reporting.pages.template_cache import TemplateCache

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
        "title_of": title_of,
        "short_name": short_name,
        "shown": shown,
        "number": number,
        "percent": percent,
        "stamp_of": stamp_of,
    }
    for shared in ("page.html.j2", "macros.html.j2"):
        environment.get_template(shared)
    return environment


def _clean(value: Any) -> Any:
    """What a template writes, without control characters; HTML of our own was cleaned when it was made."""
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


def resource(name: str) -> str:
    """The text of a file that pages are made of."""
    return files("deploy.templates").joinpath("report", name).read_text(encoding="utf-8")
