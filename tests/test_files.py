"""Files and folders are written whole or not at all."""

import contextlib
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import files
from deploy.errors import BadInputError


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Files of this process cannot grow beyond 1000 bytes: writing fails as on a full disk.

    Held around the writing alone: the test runner's own log may be a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_appears_with_its_content_and_ordinary_permissions(tmp_path: Path) -> None:
    files.write_text(tmp_path / "new" / "a.json", "text")
    assert (tmp_path / "new" / "a.json").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "new" / "a.json").stat().st_mode) & 0o400
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "a", b"old")
    with full_disk(), pytest.raises(BadInputError, match="a: cannot be written: File too large"):
        files.write_bytes(tmp_path / "a", b"x" * 2000)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "build"
    with files.replacing_folder(target) as fresh:
        (fresh / "a").write_bytes(b"old")

    def too_large() -> None:
        with files.replacing_folder(target) as fresh:
            (fresh / "a").write_bytes(b"new")
            (fresh / "b").write_bytes(b"x" * 2000)

    with full_disk(), pytest.raises(BadInputError, match="build: the folder cannot be written: File too large"):
        too_large()
    assert [path.name for path in target.iterdir()] == ["a"]
    assert (target / "a").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_of_our_own_also_leaves_the_old_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with files.replacing_folder(tmp_path / "build"):
            raise BadInputError("no")

    with pytest.raises(BadInputError, match="no"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fill() -> None:
        with files.private_folder("test") as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / "x").write_bytes(b"x" * 2000)

    message = "temporary files cannot be written: File too large"
    with full_disk(), pytest.raises(BadInputError, match=message) as caught:
        fill()
    assert "TMPDIR" in caught.value.hints[0]
    assert list(tmp_path.iterdir()) == []


def test_check_writable_refuses_folders_and_paths_below_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files.check_writable(tmp_path / "not" / "yet" / "there")
    files.check_writable(tmp_path / "file")
    for path in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(BadInputError, match="cannot be written"):
            files.check_writable(path)
