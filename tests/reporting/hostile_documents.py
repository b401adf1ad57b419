"""Documents in which every text that others may choose steers a terminal or breaks out of HTML."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

STEERING = "\x1b[2J\x07\x00\x9b\u202e\u2066\ufeff"
BREAKING_OUT = "</script><img src=x onerror=alert(4)>\"'{{ 7 * 7 }}<!--"
HOSTILE = STEERING + BREAKING_OUT

Value = TypeVar("Value")


def poisoned(document: Value, *, keep: frozenset[str] = frozenset()) -> Value:
    """The same with hostile text behind every string, but for fields of known words.

    Args:
        document: a model, or what a field of one holds.
        keep: fields that stay as they are.
    """
    changed: Any = document
    if isinstance(document, BaseModel):
        known = {
            name for name, field in type(document).model_fields.items() if "Literal" in repr(field.annotation)
        }
        values = {
            name: getattr(document, name) for name in type(document).model_fields if name not in known | keep
        }
        changed = document.model_copy(update={name: poisoned(value, keep=keep) for name, value in values.items()})
    elif isinstance(document, str):
        changed = document + HOSTILE
    elif isinstance(document, tuple):
        changed = tuple(poisoned(value, keep=keep) for value in document)
    elif isinstance(document, dict):
        values = {key: poisoned(value, keep=keep) for key, value in document.items()}
        changed = values | {poisoned(key, keep=keep): value for key, value in values.items()}
    return changed


def steering(text: str) -> list[str]:
    """The characters of a text that steer what stands around them."""
    return [c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn")]


def strings(data: Any) -> Iterator[str]:
    """All strings in JSON, keys too."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from strings(value)
