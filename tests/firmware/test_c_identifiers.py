"""Whatever a model calls its tensors, generated C stays C."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.firmware_project.c_identifiers import (
    c_bytes,
    c_float,
    c_identifier,
    c_string,
    plain,
    unique_identifiers,
)

HOSTILE = [
    'x"; int main(void){return 1;} char *y = "',
    "*/ int injected; /*",
    "// comment\nint injected;",
    "back\\\nslash",
    "??/",
    "??'",
    "\x00null\x00",
    "\u202eright to left",
    "ünïcödé/层:0",
    "",
    "   ",
    "9lives",
    "while",
    "class",
    "_Reserved",
    "a" * 500,
    "%s%n",
    "`backtick` | pipe | [link](http://x)",
    '${ENV{HOME}} $<1:x> #[[ ]] "\\"',
]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_name_becomes_an_identifier(name: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,55}", c_identifier(name))


@given(st.lists(st.text(max_size=60), max_size=20))
@settings(deadline=None)
def test_identifiers_are_unique_and_valid_for_any_names(names: list[str]) -> None:
    identifiers = unique_identifiers(names)
    assert len(set(identifiers)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", identifier) for identifier in identifiers)


def test_a_number_behind_a_name_does_not_clash_with_a_name_that_has_it() -> None:
    assert unique_identifiers(["a", "a", "a_2", "A"]) == ["a", "a_2", "a_2_2", "a_3"]


def test_keywords_and_reserved_names_are_avoided() -> None:
    assert c_identifier("while") == "while_"
    assert c_identifier("serving_default_image:0") == "serving_default_image_0"
    assert c_identifier("9") == "n9"


@given(st.text(max_size=200))
@settings(deadline=None)
def test_plain_text_cannot_leave_a_comment_or_a_line(text: str) -> None:
    shown = plain(text)
    assert "*/" not in shown
    assert "/*" not in shown
    assert "//" not in shown
    assert "\\" not in shown
    assert shown.isascii()
    assert all(0x20 <= ord(character) < 0x7F for character in shown)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_string_literal_holds_exactly_the_bytes_of_the_name(name: str, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed")
    code = tmp_path / "s.c"
    literal = c_string(name)
    code.write_text(
        f"#include <stdio.h>\nstatic const char s[] = {literal};\n"
        f"/* {plain(name)} */\n// {plain(name)}\nint main(void) {{ fwrite(s, 1, sizeof s - 1, stdout); }}\n"
    )
    # -trigraphs as in strict ISO modes, where ??/ is a backslash.
    command = ["cc", "-std=c11", "-trigraphs", "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "s", code]
    subprocess.run(command, check=True, capture_output=True)
    assert subprocess.run([tmp_path / "s"], check=True, capture_output=True).stdout == name.encode()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_literal_reads_back_exactly(value: float) -> None:
    literal = c_float(value)
    assert literal.endswith("f")
    assert np.float32(literal[:-1]) == np.float32(value)
    assert re.search(r"[.e]", literal)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_what_has_no_literal_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no C literal"):
        c_float(value)


def test_bytes_are_written_sixteen_a_line() -> None:
    lines = c_bytes(bytes(range(20))).split("\n")
    assert lines[0].count("0x") == 16
    assert lines[1] == "    0x10, 0x11, 0x12, 0x13,"
