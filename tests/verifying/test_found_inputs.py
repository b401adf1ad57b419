"""Inputs that a search found are found once: another search, damage and other code look again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from deploy.build_folder import CACHE_FOLDER, BuildFolder
from deploy.judging.samples import Sample
from deploy.verifying import found_inputs, usual_inputs
from deploy.verifying.found_inputs import FILE, found_before

KNOWN = [{"x": np.arange(4, dtype=np.int8)}]
FOUND = ({"x": np.arange(4, 8, dtype=np.int8), "file": np.float32(2)[np.newaxis]},) * 2


@pytest.fixture
def build(built: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(
        shutil.copytree(built, tmp_path / "build", ignore=shutil.ignore_patterns(CACHE_FOLDER))
    )


def kept(build: BuildFolder) -> Path:
    return build.path / CACHE_FOLDER / FILE


def nothing() -> tuple[Sample, ...]:
    raise AssertionError("it was searched for again")


def same(found: tuple[Sample, ...]) -> bool:
    return len(found) == len(FOUND) and all(
        ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)
        for ours, theirs in zip(found, FOUND, strict=True)
    )


def test_what_was_found_is_not_searched_for_again(build: BuildFolder) -> None:
    assert same(found_before(build, KNOWN, 2, lambda: FOUND, seed=0))
    found = found_before(build, KNOWN, 2, nothing, seed=0)
    assert same(found)
    assert found[0]["x"].dtype == np.int8


def test_another_search_other_code_and_another_model_find_nothing_kept(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_before(build, KNOWN, 2, lambda: FOUND, seed=0)
    for known, wanted, seed in ((KNOWN, 2, 1), (KNOWN, 3, 0), ([], 2, 0)):
        with pytest.raises(AssertionError, match="again"):
            found_before(build, known, wanted, nothing, seed=seed)
    monkeypatch.setattr(found_inputs, "deciding_versions", lambda: {"code": "other"})
    with pytest.raises(AssertionError, match="again"):
        found_before(build, KNOWN, 2, nothing, seed=0)
    monkeypatch.undo()
    build.document = build.document.model_copy(update={"compiled_sha256": "0" * 64})
    with pytest.raises(AssertionError, match="again"):
        found_before(build, KNOWN, 2, nothing, seed=0)


@pytest.mark.parametrize("place", [0, 40, 200, -1])
def test_a_damaged_file_is_not_believed(build: BuildFolder, place: int) -> None:
    found_before(build, KNOWN, 2, lambda: FOUND, seed=0)
    content = bytearray(kept(build).read_bytes())
    content[place] ^= 1
    kept(build).write_bytes(content)
    assert same(found_before(build, KNOWN, 2, lambda: FOUND, seed=0))
    kept(build).write_bytes(b"")
    with pytest.raises(AssertionError, match="again"):
        found_before(build, KNOWN, 2, nothing, seed=0)


def test_what_is_out_of_proportion_is_not_kept_and_a_folder_that_cannot_be_written_is_no_error(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (build.path / CACHE_FOLDER).write_text("a file")
    assert same(found_before(build, KNOWN, 2, lambda: FOUND, seed=0))
    (build.path / CACHE_FOLDER).unlink()
    monkeypatch.setattr(found_inputs, "_MOST_BYTES", 3)
    assert same(found_before(build, KNOWN, 2, lambda: FOUND, seed=0))
    assert not kept(build).exists()


def test_more_inputs_than_the_build_keeps_are_the_same_in_every_run_and_searched_for_once(
    build: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(usual_inputs.usual_inputs(build).samples) + 3
    first = usual_inputs.usual_inputs(build, count)
    monkeypatch.setattr(usual_inputs, "search", nothing)
    again = usual_inputs.usual_inputs(build, count)
    assert (again.sha256, again.source, len(again.samples)) == (first.sha256, first.source, count)
