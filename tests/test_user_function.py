"""FILE.py:function executes the file that was named, and turns its faults into one clear error."""

import sys
from pathlib import Path

import pytest

from deploy import user_function
from deploy.errors import BadInputError


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.py:f", True),
        ("dir/a.py:build", True),
        ("a.py", False),
        ("a.keras", False),
        ("a.py:1x", False),
        (":f", False),
    ],
)
def test_only_file_colon_function_is_a_reference(text: str, expected: bool) -> None:
    assert user_function.is_reference(text) is expected


def test_the_function_may_import_what_lies_beside_its_file(tmp_path: Path) -> None:
    write(tmp_path, "VALUE = 41", "beside_it.py")
    reference = write(tmp_path, "def f():\n    import beside_it\n    return beside_it.VALUE + 1\n")
    before = list(sys.path)
    assert user_function.call(f"{reference}:f") == 42
    assert sys.path == before


def test_what_lies_beside_the_file_cannot_shadow_an_installed_package(tmp_path: Path) -> None:
    write(tmp_path, "raise RuntimeError('shadowed')", "colorsys.py")
    reference = write(tmp_path, "def f():\n    import colorsys\n    return colorsys.__name__\n")
    sys.modules.pop("colorsys", None)
    assert user_function.call(f"{reference}:f") == "colorsys"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def f():\n    x = 1\n    raise ValueError('no weights')\n", "line 3: ValueError: no weights"),
        ("import nowhere_to_be_found\ndef f(): pass\n", "line 1: ModuleNotFoundError"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("def f():\n    raise SystemExit(3)\n", "line 2: SystemExit: 3"),
        ("def f(argument):\n    pass\n", "TypeError: f() missing 1 required positional argument"),
    ],
)
def test_a_fault_in_the_users_code_names_the_line_and_the_error(tmp_path: Path, body: str, message: str) -> None:
    reference = write(tmp_path, body)
    with pytest.raises(BadInputError) as caught:
        user_function.call(f"{reference}:f")
    assert message in caught.value.message
    assert "mine.py:f" in caught.value.message


def test_a_missing_function_names_those_that_exist(tmp_path: Path) -> None:
    reference = write(tmp_path, "from os import getcwd\ndef build(): pass\n")
    with pytest.raises(BadInputError) as caught:
        user_function.call(f"{reference}:bild")
    assert caught.value.hints == ("functions in that file: build",)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"there is no file .*gone\.py"):
        user_function.call(f"{tmp_path}/gone.py:f")


def test_no_bytecode_is_left_beside_the_users_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "beside.py").write_text("SIZE = 3\n")
    reference = write(tmp_path, "from beside import SIZE\ndef f():\n    return SIZE\n")
    assert user_function.call(f"{reference}:f") == 3
    assert sys.dont_write_bytecode is False
    assert not list(tmp_path.rglob("__pycache__"))
