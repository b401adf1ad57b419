"""Text that others wrote (names in model files, logs of a target), made safe to print. Pure.

Control characters steer a terminal: a name could clear the screen, colour "FAIL" green or set the window's title.
Those that turn the direction of text (Unicode's category Cf) disturb what stands around them, and those that end a
line (Zl, Zp) make one line look like two.
"""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
_LAYOUT = "\n\t"
# In JSON everything below a space is escaped already; these would stand as they are.
_RAW_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def printable(text: str, *, keep: str = _LAYOUT, mark: str = "?") -> str:
    """The text with a mark for each character that steers a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _UNSAFE else mark for c in text)


def readable(text: str) -> str:
    """The text with no bytes in it that a locale could not decode: as UTF-8 where they are that, else marked.

    Names of files hold such bytes, as lone surrogates: in the locale ``C``, every name that is not ASCII.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text


def printable_json(text: str) -> str:
    """JSON that means the same, with those characters escaped."""
    return _RAW_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
