"""A griffe extension: what docstrings hold of reStructuredText, as Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|const|data|exc|func|meth|mod):`~?([^`]+)`")
_LITERAL = re.compile(r"^(.*?) ?::$", re.MULTILINE)


def as_markdown(text: str) -> str:
    """References and code as ``code``, literal blocks (``::``) as indented ones."""
    text = _LITERAL.sub(lambda match: f"{match[1]}:" if match[1] else "", text)
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


class Docstrings(griffe.Extension):
    """Rewrites the docstring of everything that is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
