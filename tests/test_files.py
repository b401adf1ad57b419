"""Files and folders are written whole or not at all."""

import contextlib
import os
import resource
import stat
import subprocess
import sys
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


def test_the_folder_of_a_killed_process_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "from deploy.files import private_folder\n"
        "with private_folder('test') as folder:\n"
        "    print(folder, flush=True)\n"
        "    input()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(3)
    ]
    killed, young, living = (Path(process.stdout.readline().strip()) for process in started)
    (tmp_path / "deploy-test-mine").mkdir()  # of something else: no lock in it
    for process in started[:2]:
        process.kill()
        process.wait()
    for folder in (killed, living):
        os.utime(folder / ".owner", (0, 0))
    with files.private_folder("other"):
        assert killed.exists()
    with files.private_folder("test") as folder:
        assert set(tmp_path.iterdir()) == {folder, young, living, tmp_path / "deploy-test-mine"}
        assert [path.name for path in folder.iterdir()] == [".owner"]
    started[2].communicate("\n", timeout=20)
    assert set(tmp_path.iterdir()) == {young, tmp_path / "deploy-test-mine"}


def test_check_writable_refuses_folders_and_paths_below_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files.check_writable(tmp_path / "not" / "yet" / "there")
    files.check_writable(tmp_path / "file")
    for path in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(BadInputError, match="cannot be written"):
            files.check_writable(path)
