"""What is not the file itself is told as what it is, by every verb and from Python."""

from pathlib import Path

import pytest

from deploy.cli.main import run
from deploy.downloads import check_downloaded
from deploy.errors import BadInputError
from deploy.tflite import read
from deploy.zoo.model_source import parse

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGES = [
    b"<!DOCTYPE html>\n<html>",
    b"\n\n  <html lang='en'>",
    b"\xef\xbb\xbf<!doctype HTML PUBLIC>",
    b"<!-- saved --> <!DOCTYPE html>",
]


@pytest.mark.parametrize("name", ["m.tflite", "m.keras", "d.npz"])
@pytest.mark.parametrize(
    ("content", "what"), [(POINTER, "Git LFS pointer"), *((page, "web page") for page in PAGES)]
)
def test_a_pointer_and_a_page_are_named(name: str, content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError, match=what):
        check_downloaded(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"<htm", b"<xml><html>", b"TFL3 <html>", b"version 2", b"\0" * 600])
def test_anything_else_is_left_to_whoever_reads_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    for path in (tmp_path / "file", tmp_path, tmp_path / "none", Path("a\0b")):
        check_downloaded(path)


@pytest.mark.parametrize(
    "words",
    [
        ["compile", "m.tflite", "--npu", "U55-128"],
        ["compile", "m.keras", "--npu", "U55-128"],
        ["quantize", "m.keras", "--data", "d.npz"],
        ["verify", "b", "--data", "d.npz"],
        ["verify", "m.tflite"],
        ["fvp", "install", "d.npz"],
        ["sweep", "m.tflite"],
    ],
)
def test_every_verb_tells_it(words: list[str], in_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("m.tflite", "m.keras", "d.npz"):
        (in_folder / name).write_bytes(POINTER)
    assert run(words) == 2
    error = capsys.readouterr().err
    assert "a Git LFS pointer, not the file that it stands for" in error
    assert "try: `git lfs pull`" in error


def test_so_does_the_python_api(tmp_path: Path) -> None:
    for name in ("m.tflite", "m.keras"):
        (tmp_path / name).write_bytes(PAGES[0])
        with pytest.raises(BadInputError, match="a web page"):
            parse(str(tmp_path / name))
    with pytest.raises(BadInputError, match="a web page"):
        read(tmp_path / "m.tflite")
