"""QEMU is asked for its version once, and again when it is another one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.corstone import qemu
from deploy.corstone.qemu import find_qemu
from deploy.corstone.qemu_version import FILE, keep_version, known_version
from deploy.errors import NotInstalledError


class Program:
    """A QEMU that says a version, and notes that it was started."""

    def __init__(self, folder: Path) -> None:
        self.path, self._started = folder / "qemu-system-arm", folder / "started"

    def says(self, version: str) -> None:
        self.path.write_text(f'#!/bin/sh\necho >> "{self._started}"\necho "QEMU emulator version {version}"\n')
        self.path.chmod(0o755)

    @property
    def starts(self) -> int:
        return len(self._started.read_text()) if self._started.exists() else 0


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path)
    found.says("9.1.2")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


def found(*, starting: bool = False) -> str:
    """What another process finds."""
    qemu.installed_version.cache_clear()
    return find_qemu(starting=starting).version


def kept(program: Program) -> Path:
    return program.path.parent / "cache" / "ethosu-deploy" / FILE


def test_it_is_asked_once_and_where_it_has_to_start(program: Program) -> None:
    assert [found(), found()] == ["9.1.2"] * 2
    assert program.starts == 1
    assert found(starting=True) == "9.1.2"
    assert program.starts == 2


def test_another_file_is_asked_again(program: Program) -> None:
    found()
    program.says("10.0.1")
    assert found() == "10.0.1"
    assert program.starts == 2


def test_an_entry_that_is_damaged_or_of_another_file_is_not_believed(program: Program) -> None:
    found()
    entry = json.loads(kept(program).read_text())
    for damaged in ({"version": "9"}, {"version": 9}, {"size": 1}, {"path": "/bin/sh"}, {"more": 1}):
        kept(program).write_text(json.dumps({**entry, **damaged}))
        assert known_version(program.path) is None
    for text in ("", "[]", "{", '"9.1.2"', " " * 20_000 + json.dumps(entry)):
        kept(program).write_text(text)
        assert known_version(program.path) is None
    assert found() == "9.1.2"
    assert program.starts == 2


def test_one_that_is_too_old_is_refused_each_time(program: Program) -> None:
    program.says("6.2.0")
    for _ in range(2):
        with pytest.raises(NotInstalledError, match="too old"):
            found()


def test_without_a_cache_it_is_asked_each_time(program: Program) -> None:
    (program.path.parent / "cache").write_text("no folder")
    assert [found(), found()] == ["9.1.2"] * 2
    keep_version(program.path, "1.2.3")
    keep_version(program.path.with_name("none"), "1.2.3")
    assert program.starts == 2
