"""Devices, FIFOs and descriptors are written to as they are; no file is waited for that has no end."""

import os
import stat
import threading
from pathlib import Path

import pytest

from deploy import files, streams
from deploy.errors import BadInputError


def test_a_device_stays_what_it_is() -> None:
    files.write_text(Path("/dev/null"), "text")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_fifo_gets_the_whole_content_and_stays(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_text()))
    reader.start()
    files.write_text(fifo, "text" * 100_000)
    reader.join(10)
    assert found == ["text" * 100_000]
    assert fifo.is_fifo()


def test_a_fifo_that_nobody_reads_is_no_endless_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(streams, "_READER_S", 0.1)
    with pytest.raises(BadInputError, match="nobody reads it"):
        files.write_text(tmp_path / "fifo", "text")


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_descriptor_is_written_where_it_stands_not_cut_off(tmp_path: Path, name: str) -> None:
    with (tmp_path / "out").open("w+b") as opened:
        opened.write(b"before ")
        opened.flush()
        files.write_bytes(Path(name.format(opened.fileno())), b"after")
        opened.seek(0)
        assert opened.read() == b"before after"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_to_a_descriptor_is_that_descriptor(tmp_path: Path) -> None:
    read, write = os.pipe()
    (tmp_path / "link").symlink_to(f"/dev/fd/{write}")
    assert streams.descriptor(tmp_path / "link") == write
    files.write_bytes(tmp_path / "link", b"text")
    os.close(write)
    assert os.read(read, 10) == b"text"
    os.close(read)


def test_a_links_target_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/target")
    for text in ("new", "newer"):  # first it dangles
        files.write_text(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "folder" / "target").read_text() == text


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with files.replacing_folder(tmp_path / "link") as fresh:
        (fresh / "a").touch()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").is_file()


def test_links_in_a_circle_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(BadInputError, match="a: cannot be written: Too many levels of symbolic links"):
        files.write_text(tmp_path / "a", "text")


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, what in ((tmp_path / "fifo", "a FIFO"), (Path("/dev/zero"), "a device")):
        with pytest.raises(BadInputError, match=f"{what}, not a file"):
            files.read_bytes(path)


def test_what_a_shell_hands_over_is_read() -> None:
    read, write = os.pipe()
    os.write(write, b"text")
    os.close(write)
    assert files.read_bytes(Path(f"/dev/fd/{read}")) == b"text"
    os.close(read)


def test_kept_entries_of_a_replaced_folder_stay(tmp_path: Path) -> None:
    old = tmp_path / "build"
    (old / "mine").mkdir(parents=True)
    (old / "mine" / "a").write_text("a")
    (old / "gone").touch()
    with files.replacing_folder(old, keep=lambda path: path.name == "mine") as fresh:
        (fresh / "new").touch()
    assert sorted(path.name for path in old.iterdir()) == ["mine", "new"]
    assert (old / "mine" / "a").read_text() == "a"
