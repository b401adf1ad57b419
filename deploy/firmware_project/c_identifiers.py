"""Names and texts of a model as C writes them; none of them can end a string or a comment.

Model files are hostile input and their tensor names end up in generated C, CMake and Markdown. Everything here
returns plain printable ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm atomic_cancel auto bitand bitor bool break case catch char char16_t char32_t
    char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue
    decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if
    inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public
    register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct
    switch template this thread_local throw true try typedef typeid typename typeof union unsigned using virtual
    void volatile wchar_t while xor xor_eq main
    """.split()  # noqa: SIM905
)
_MAX_IDENTIFIER = 48


def c_identifier(name: str) -> str:
    """A valid identifier of C and C++ that resembles a name: lower case, digits and single underscores.

    Never empty, no keyword, at most 48 characters, never beginning with an underscore or a digit.
    """
    words = re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")[:_MAX_IDENTIFIER].strip("_")
    if not words:
        return "unnamed"
    if words[0].isdigit():
        words = f"n{words}"
    return f"{words}_" if words in _KEYWORDS else words


def unique_identifiers(names: Iterable[str]) -> list[str]:
    """One identifier per name, in order; names that look alike get a number behind."""
    taken: set[str] = set()
    identifiers = []
    for name in names:
        base = identifier = c_identifier(name)
        number = 2
        while identifier in taken:
            identifier = f"{base}_{number}"
            number += 1
        taken.add(identifier)
        identifiers.append(identifier)
    return identifiers


def c_string(text: str) -> str:
    r"""A C string literal with its quotes.

    UTF-8 and control characters are written as three octal digits, which, unlike ``\x``, end by themselves;
    a question mark is escaped too, since two of them begin a trigraph.
    """
    return '"' + "".join(_string_character(byte) for byte in text.encode("utf-8", "replace")) + '"'


def _string_character(byte: int) -> str:
    character = chr(byte)
    if character in '"\\?':
        return f"\\{character}"
    return character if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def plain(text: str, limit: int = 120) -> str:
    """Text for a C comment, a CMake comment or a line of Markdown.

    Everything but letters, digits and a few signs that are harmless in all three becomes an underscore.
    """
    shown = re.sub(r"[^0-9A-Za-z .,:;=+/()#-]", "_", text)
    # Neither the end nor the beginning of a comment survives.
    shown = re.sub(r"/(?=[/*])", "_", shown)
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def c_float(value: float) -> str:
    """A ``float`` literal that reads back as exactly the single-precision value.

    Raises:
        ValueError: not a finite number.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not np.isfinite(single):
        raise ValueError(f"{value} has no C literal")
    # Hexadecimal would be exact too, but nobody can read it; nine digits always suffice for a float.
    text = np.format_float_scientific(single, unique=True, trim="0")
    return f"{text}f"


def c_bytes(content: bytes, per_line: int = 16) -> str:
    """The inside of an array initialiser, one line for every ``per_line`` bytes."""
    lines = []
    for start in range(0, len(content), per_line):
        line = ", ".join(f"0x{byte:02x}" for byte in content[start : start + per_line])
        lines.append(f"    {line},")
    return "\n".join(lines)
