"""The charting library Vega, out of the installed package ``vl-convert-python``; nothing is fetched.

It draws in the page: its JavaScript is part of every page. For SVG and PNG the package draws by itself.

Measured on two cores: the package needs 2.0 s to bundle the 0.9 MB, so the bundle is kept in the user's cache, one
file a version; reading it takes a millisecond. (Bokeh 3.9 brings 1.27 MB ready-made, but draws on canvas, which
follows neither the page's dark style nor print; plotly's 4.5 MB are more than a whole report may have.)
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from typing import TYPE_CHECKING

from deploy.errors import BadInputError, NotInstalledError
from deploy.files import write_text
from deploy.user_cache import user_cache

if TYPE_CHECKING:
    from deploy.reporting.charts.vega import Spec

PACKAGE = "vl-convert-python"
_GLOBAL = "window.vegaEmbed="
"""The end of a whole bundle sets this."""

_VEGA_LITE = "v6.1"


def installed_version(what: str = "the HTML report") -> str:
    """Version of the package.

    Raises:
        NotInstalledError: it is missing.
    """
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise NotInstalledError(
            f"{what} needs the charting library Vega, which is not installed",
            hints=["pip install 'vl-convert-python>=1.9,<2'", "or with this package's extra `charts`"],
        ) from error


def javascript() -> str:
    """The bundle: defines ``vegaEmbed``, ``vega`` and ``vegaLite`` on ``window``, safe inside a script element.

    Raises:
        NotInstalledError: the package is missing.
    """
    path = user_cache() / f"vega-{installed_version()}.js"
    try:
        kept = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        kept = ""
    if _GLOBAL in kept[-1000:]:
        return kept
    bundle = _bundle()
    with contextlib.suppress(BadInputError):  # A cache that cannot be written only costs time.
        write_text(path, bundle)
    return bundle


def _bundle() -> str:
    import vl_convert

    code: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # the stub knows no default
    # Inside strings these mean the same and no longer end, or change the reading of, a script element.
    return code.replace("</script", "<\\/script").replace("<!--", "\\x3c!--")


def svg(spec: Spec) -> str:
    """A document drawn as SVG."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE)
    return drawn


def png(spec: Spec) -> bytes:
    """A document drawn as PNG, two pixels a unit."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(spec, vl_version=_VEGA_LITE, scale=2.0)
    return drawn
