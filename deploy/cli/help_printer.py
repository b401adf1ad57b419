"""What typer prints help with, imported without what no help here is printed with.

typer's printer imports a parser of Markdown and a highlighter of code, for texts in Markdown and for tracebacks,
and rich asks for attrs, to print their objects: a third of the time of ``deploy --help`` (measured). Our texts are
plain, and errors are told otherwise.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType

_UNUSED: Mapping[str, str | None] = {"rich.markdown": "Markdown", "rich.traceback": "Traceback", "attr": None}
"""Module -> the class that is asked of it; None for a module that may as well be missing."""


def load_help_printer() -> None:
    """Import it, while this is the only thread; without this call typer does, and all the rest."""
    with _left_out(_UNUSED):
        importlib.import_module("typer.rich_utils")


@contextlib.contextmanager
def _left_out(modules: Mapping[str, str | None]) -> Iterator[None]:
    """Put empty modules in the place of those that nobody has imported yet; later imports find the real ones."""
    new = {name: wanted for name, wanted in modules.items() if name not in sys.modules}
    for name, wanted in new.items():
        sys.modules[name] = _empty(name, wanted) if wanted else None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


def _empty(name: str, wanted: str) -> ModuleType:
    module = ModuleType(name)
    setattr(module, wanted, type(wanted, (), {}))
    return module
