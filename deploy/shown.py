"""How results show themselves in a notebook, without knowing what shows them.

Notebooks ask an object for ``_repr_html_``. What makes it stands in :mod:`deploy.reporting`, which reads all
results; :mod:`deploy.api`, which gives them out, says so here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Maker = Callable[[Any], str | None]
"""Makes HTML of a result; None where it has none to offer."""

_makers: list[Maker] = []


def show_by(maker: Maker) -> None:
    """Let results be shown by ``maker`` from now on."""
    _makers[:] = [maker]


class Shown:
    """What a notebook shows as tables and charts."""

    def _repr_html_(self) -> str | None:
        """HTML for a notebook; None where nobody makes it: the object's text is shown then."""
        return _makers[0](self) if _makers else None
