"""The folder of a search refuses what it cannot continue."""

import json
import os
import signal
from pathlib import Path

import pytest
from search_script import Cheap, search, settings

from deploy.errors import BadInputError
from deploy.searching.state import SearchFolder


def test_two_searches_cannot_share_a_folder(tmp_path: Path) -> None:
    with SearchFolder(tmp_path, settings()), pytest.raises(BadInputError, match="another search is running"):
        SearchFolder(tmp_path, settings())
    SearchFolder(tmp_path, settings()).close()


@pytest.mark.parametrize("changed", [{"seed": 2}, {"npu": "U55-64"}, {"versions": {"ethos-u-vela": "9"}}])
def test_other_settings_are_refused_by_name(tmp_path: Path, changed: dict[str, object]) -> None:
    search(tmp_path, 2, Cheap())
    with pytest.raises(BadInputError, match=f"other settings: {next(iter(changed))}"):
        SearchFolder(tmp_path, settings(**changed))


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_a_candidate_is_written_leaves_none_that_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(tmp_path / "whole", 2, Cheap())
    with SearchFolder(tmp_path / "whole", settings()) as folder:
        (first, _) = folder.candidates
    monkeypatch.setattr(os, "fsync", lambda _log: signal.raise_signal(signal.SIGINT))
    with SearchFolder(tmp_path / "interrupted", settings()) as folder:
        with pytest.raises(KeyboardInterrupt):
            folder.append(first)
        assert folder.candidates == [first]
    assert (tmp_path / "interrupted" / "candidates.jsonl").read_bytes().count(b"\n") == 1


def test_settings_of_a_search_that_tried_nothing_may_change(tmp_path: Path) -> None:
    SearchFolder(tmp_path, settings()).close()
    SearchFolder(tmp_path, settings(seed=2)).close()
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 2


@pytest.mark.parametrize("damage", ["{}", "not JSON", "\xff", '{"number": 1}'])
def test_a_damaged_line_is_named(tmp_path: Path, damage: str) -> None:
    search(tmp_path, 4, Cheap())
    log = tmp_path / "candidates.jsonl"
    kept = log.read_text().splitlines()
    log.write_text("\n".join([*kept[:2], damage, *kept[3:]]) + "\n", encoding="latin-1")
    with pytest.raises(BadInputError, match="line 3 is damaged"):
        SearchFolder(tmp_path, settings())


def test_a_line_of_another_search_is_refused(tmp_path: Path) -> None:
    search(tmp_path, 4, Cheap())
    log = tmp_path / "candidates.jsonl"
    kept = [json.loads(line) for line in log.read_text().splitlines()]
    for change in ({"genome": [0, 0, 99]}, {"genome": [0, 0]}, {"genome": [0, 0, 0], "number": 3}):
        log.write_text("\n".join(json.dumps(line) for line in [*kept[:3], {**kept[3], **change}]) + "\n")
        with pytest.raises(BadInputError, match="none of this search"):
            search(tmp_path, 4, Cheap())


def test_damaged_settings_and_a_folder_that_is_a_file_are_refused(tmp_path: Path) -> None:
    search(tmp_path / "search", 2, Cheap())
    (tmp_path / "search" / "settings.json").write_text("{")
    with pytest.raises(BadInputError, match=r"settings\.json: damaged"):
        SearchFolder(tmp_path / "search", settings())
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be written"):
        SearchFolder(tmp_path / "file", settings())
