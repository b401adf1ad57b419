"""The cache gives back what was kept whole, and nothing else."""

from pathlib import Path

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
