"""The cache gives back what was kept whole, and nothing else."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from deploy.sweeping.cache import Cache, key_of


def test_what_was_kept_is_found_by_what_it_was_computed_from(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new")
    request = {"npu": "U55-128", "versions": {"ethos-u-vela": "5.2.0"}}
    cache.put(key_of("point", request), {"value": 1})
    assert cache.get(key_of("point", dict(reversed(request.items())))) == {"value": 1}
    other = {**request, "versions": {"ethos-u-vela": "5.3.0"}}
    assert cache.get(key_of("point", other)) is None
    assert cache.get(key_of("accuracy", request)) is None


def test_a_damaged_or_foreign_file_counts_as_absent(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    key = key_of("point", {})
    cache.put(key, {"value": 1})
    file = tmp_path / f"{key}.json"
    whole = file.read_bytes()
    for damage in (whole[:-5], b"", b"[]", b"\xff\xfe", b'{"key": "another", "result": {}}', b'{"result": 3}'):
        file.write_bytes(damage)
        assert cache.get(key) is None


def test_fresh_finds_nothing_and_keeps_everything(tmp_path: Path) -> None:
    key = key_of("point", {})
    Cache(tmp_path).put(key, {"value": 1})
    fresh = Cache(tmp_path, fresh=True)
    assert fresh.get(key) is None
    fresh.put(key, {"value": 2})
    assert Cache(tmp_path).get(key) == {"value": 2}


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "below")
    cache.put(key_of("point", {}), {"value": 1})
    assert cache.get(key_of("point", {})) is None


def test_the_folder_is_its_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    key = key_of("point", {})
    folder.mkdir(mode=0o755)
    Cache(folder).put(key, {"value": 1})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    Cache(folder).put(key, {"value": 2})
    assert Cache(folder).get(key) is None, "anybody may have written it"
    folder.chmod(0o700)
    assert Cache(folder).get(key) == {"value": 1}
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    Cache(folder).put(key, {"value": 3})
    assert Cache(folder).get(key) is None
    monkeypatch.undo()
    assert Cache(folder).get(key) == {"value": 1}
    Cache(tmp_path / "new").put(key, {})
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_what_was_not_used_for_longest_goes_when_there_is_too_much(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=10 * 4096)
    hour = 3_600_000_000_000
    for number in range(10):
        cache.put(f"point-{number}", {"value": number})
        file = tmp_path / f"point-{number}.json"
        past = time.time_ns() - (20 - number) * hour
        os.utime(file, ns=(past, past))
    assert cache.get("point-0") == {"value": 0}, "used now"
    assert (tmp_path / "point-0.json").stat().st_mtime_ns < time.time_ns() - hour, "and not written anew"
    cache.put("point-10", {"value": 10})
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"point-{number}.json" for number in (0, 5, 6, 7, 8, 9, 10)}
    assert cache.get("point-1") is None
    assert cache.get("point-10") == {"value": 10}


def test_a_sweep_that_opens_a_cache_that_is_full_makes_room_too(tmp_path: Path) -> None:
    for number in range(20):
        Cache(tmp_path).put_bytes(f"{number:02}.tflite", bytes(8192))
    Cache(tmp_path, most_bytes=80_000).put("point-1", {})
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 60_000
    assert Cache(tmp_path).get("point-1") == {}


def test_threads_that_keep_results_stay_within_the_bound(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=50 * 4096)
    threads = [
        threading.Thread(target=lambda n=n: [cache.put(f"point-{n}-{i}", {}) for i in range(100)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < len(list(tmp_path.iterdir())) <= 50
