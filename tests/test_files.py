"""Files and folders are written whole or not at all."""

import contextlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["as the old one goes", "as the new one comes", "as what is left goes"])
def test_an_interrupt_amid_the_change_of_folders_loses_neither_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, when: str
) -> None:
    target = tmp_path / "build"
    target.mkdir()
    (target / "mine").write_bytes(b"old")
    rename, remove, moved = Path.rename, shutil.rmtree, list[Path]()

    def ended(*_signal: object) -> None:
        raise KeyboardInterrupt

    def renamed(path: Path, to: Path) -> Path:
        moved.append(path)
        there = rename(path, to)
        if when == ("as the old one goes", "as the new one comes", "")[len(moved) - 1]:
            signal.raise_signal(number)
        return there

    def removed(path: Path, *, ignore_errors: bool) -> None:
        if when == "as what is left goes":
            signal.raise_signal(number)
        remove(path, ignore_errors=ignore_errors)

    def write() -> None:
        with files.replacing_folder(target, keep=lambda path: path.name == "mine") as fresh:
            (fresh / "a").write_bytes(b"new")

    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(shutil, "rmtree", removed)
    before = signal.signal(number, ended)
    try:
        with pytest.raises(KeyboardInterrupt):
            write()
    finally:
        signal.signal(number, before)
    assert list(tmp_path.iterdir()) == [target]
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {"mine": b"old", "a": b"new"}


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


HOLD = """
from deploy.files import private_folder
with private_folder('test') as folder:
    print(folder, flush=True)
    input()
"""


def test_the_folder_of_a_killed_process_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", HOLD]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    killed, living = (Path(process.stdout.readline().strip()) for process in started)
    (tmp_path / "deploy-test-mine").mkdir(mode=0o700)  # of something else: no lock in it
    (killed / "large").write_bytes(bytes(1000))
    started[0].kill()
    started[0].wait()
    with files.private_folder("other") as folder:
        assert set(tmp_path.iterdir()) == {folder, living, tmp_path / "deploy-test-mine"}
        assert [path.name for path in folder.iterdir()] == [".owner"]
    started[1].communicate("\n", timeout=20)
    assert set(tmp_path.iterdir()) == {tmp_path / "deploy-test-mine"}


def test_only_folders_that_are_ours_alone_and_no_links_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    precious = tmp_path / "precious"

    def abandoned(path: Path) -> Path:
        path.mkdir(mode=0o700)
        (path / ".owner").touch()
        return path

    abandoned(precious)
    (tmp_path / "deploy-test-link").symlink_to(precious)
    open_to_others = abandoned(tmp_path / "deploy-test-open")
    open_to_others.chmod(0o770)
    linked = tmp_path / "deploy-test-linked"
    linked.mkdir(mode=0o700)
    (linked / ".owner").symlink_to(precious / ".owner")
    kept = set(tmp_path.iterdir())
    gone = abandoned(tmp_path / "deploy-test-gone")
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with files.private_folder("test"):
        assert gone.exists(), "it is another user's"
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with files.private_folder("test"):
        assert not gone.exists()
    assert set(tmp_path.iterdir()) == kept


def test_many_processes_never_take_a_folder_in_use_for_abandoned(tmp_path: Path) -> None:
    code = (
        "from deploy.files import private_folder\n"
        "for _ in range(300):\n"
        "    with private_folder('test') as folder: (folder / 'a').write_text('b')"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    started = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(4)]
    assert [process.wait(timeout=60) for process in started] == [0] * 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_a_private_folder_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Path.mkdir

    def interrupted(folder: Path, mode: int) -> None:
        make(folder, mode)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), files.private_folder("test"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["private", "file", "folder"])
def test_errors_of_what_is_done_meanwhile_are_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def opened() -> contextlib.AbstractContextManager[Path]:
        if how == "private":
            return files.private_folder("test")
        return files.replacing(tmp_path / "a") if how == "file" else files.replacing_folder(tmp_path / "a")

    for error in (
        FileNotFoundError(2, "No such file or directory", "/somewhere/model.tflite"),
        PermissionError(13, "Permission denied", str(tmp_path / "elsewhere")),
        ConnectionResetError(104, "Connection reset by peer"),
    ):
        with pytest.raises(type(error)) as caught, opened():
            raise error
        assert caught.value is error
    for error in (OSError(28, "No space left on device"), OSError(28, "No space left on device", None)):
        with pytest.raises(BadInputError, match="cannot be written: No space left on device"), opened():
            raise error
    with pytest.raises(BadInputError, match="cannot be written: Is a directory"), opened() as place:
        raise IsADirectoryError(21, "Is a directory", str(place))
    assert list(tmp_path.iterdir()) == []


def test_threads_that_write_files_share_no_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the process's: a thread that reads it sets it to 0 for the others' files meanwhile."""
    (tmp_path / "ordinary").touch()
    ordinary = stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)
    monkeypatch.setattr("os.umask", lambda _mask: pytest.fail("the umask is changed"))

    def write(thread: int) -> None:
        for number in range(200):
            files.write_bytes(tmp_path / f"{thread}-{number}", b"x")

    threads = [threading.Thread(target=write, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {ordinary}
    assert len(list(tmp_path.iterdir())) == 1 + 6 * 200


def test_check_writable_refuses_folders_and_paths_below_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files.check_writable(tmp_path / "not" / "yet" / "there")
    files.check_writable(tmp_path / "file")
    for path in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(BadInputError, match="cannot be written"):
            files.check_writable(path)
