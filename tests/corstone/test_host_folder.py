"""What of the host's files a program gets, without a machine."""

import contextlib
import os
from pathlib import Path

import pytest

from deploy.corstone.host_folder import HostFolder, OutsideError


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "plain").write_text("plain")
    (tmp_path / "secret").write_text("secret")
    opened = HostFolder(inside)
    yield opened, inside
    opened.close()


@pytest.mark.parametrize("name", ["plain", "sub/../plain", "./plain", "sub/./../sub/.././plain"])
def test_names_inside_open_however_they_are_written(folder, name):
    opened, inside = folder
    for each in (name, f"{inside}/{name}"):
        descriptor = opened.open(each, os.O_RDONLY)
        assert os.read(descriptor, 10) == b"plain"
        os.close(descriptor)


@pytest.mark.parametrize(
    "name", ["../secret", "sub/../../secret", "/etc/hostname", "sub/up/up/secret", "to/secret"]
)
def test_names_that_lead_out_are_refused(folder, name):
    opened, inside = folder
    (inside / "sub" / "up").symlink_to("..")
    (inside / "up").symlink_to("..")
    (inside / "to").symlink_to(inside.parent)
    with pytest.raises(OutsideError):
        opened.open(name, os.O_RDONLY)
    with pytest.raises(OutsideError):
        opened.remove(name)
    with pytest.raises(OutsideError):
        opened.rename("plain", name)
    assert (inside / "plain").exists()


def test_a_folder_that_is_moved_away_meanwhile_stays_the_one_that_was_opened(folder):
    opened, inside = folder
    inside.rename(inside.parent / "elsewhere")
    inside.symlink_to("/etc")
    descriptor = opened.open("plain", os.O_RDONLY)
    assert os.read(descriptor, 10) == b"plain"
    os.close(descriptor)
    with pytest.raises(FileNotFoundError):
        opened.open("hostname", os.O_RDONLY)


def test_an_empty_name_and_the_folder_itself_are_no_files(folder):
    opened, _ = folder
    for name in ("", ".", "sub/.."):
        with pytest.raises(IsADirectoryError):
            opened.open(name, os.O_RDONLY)
    with pytest.raises(OutsideError):
        opened.open("sub", os.O_RDONLY)


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptor_is_left_behind(folder):
    opened, _ = folder
    before = descriptors()
    for name in ("plain", "../secret", "absent", "sub/absent", "sub", ""):
        with contextlib.suppress(OSError):
            os.close(opened.open(name, os.O_RDONLY))
    assert descriptors() == before
