"""Both stages, the end of the budget, and a search that is killed and continued."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from search_script import PROBLEM, Cheap, search, settings

from deploy.build_folder import Figure
from deploy.errors import BadInputError
from deploy.searching.documents import SearchResult
from deploy.searching.problem import Problem, Stage
from deploy.searching.search import Budget, Search, Trained, next_task
from deploy.searching.space import Description, Space, choices
from deploy.searching.state import SearchFolder

SCRIPT = Path(__file__).with_name("search_script.py")
TRIALS = 24


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "candidates.jsonl").read_text().splitlines()]


def test_stage_1_searches_widths_and_stage_2_keeps_those_of_its_best(tmp_path: Path) -> None:
    result = SearchResult.model_validate_json(search(tmp_path, TRIALS, Cheap()))
    assert result.candidates == (12, 12)
    found = lines(tmp_path)
    assert [line["stage"] for line in found] == [1] * 12 + [2] * 12
    first = {block["kind"] for line in found[:12] for stage in line["network"]["stages"] for block in stage}
    assert first == {"IB"}
    for line in found[12:]:
        widths = "-".join(str(stage[-1]["channels"]) for stage in line["network"]["stages"])
        assert (widths,) == result.chosen


def test_no_network_is_estimated_or_trained_twice(tmp_path: Path) -> None:
    cheap = Cheap()
    search(tmp_path, 60, cheap)
    assert len(cheap.estimated) == len(set(cheap.estimated)) == 60
    assert len(cheap.trained) == len(set(cheap.trained))


def test_the_result_names_the_front_the_best_and_what_became_of_all(tmp_path: Path) -> None:
    result = SearchResult.model_validate_json(search(tmp_path, 40, Cheap()))
    assert sum(result.outcomes.values()) == 40
    pairs = [(entry.value("total_cycles"), entry.value("accuracy")) for entry in result.front]
    assert pairs == sorted(pairs)
    assert [pair[1] for pair in pairs] == sorted(pair[1] for pair in pairs)
    best = result.best_entry
    assert best is not None
    assert json.loads((tmp_path / "best.json").read_text())["number"] == best.number
    assert (tmp_path / "best.keras").read_bytes() == (tmp_path / best.file).read_bytes()
    kept = {file.name for file in (tmp_path / "networks").iterdir()}
    assert kept == {f"{entry.number}.keras" for entry in result.front}
    labels = {figure.name: figure.label for figure in best.figures}
    assert labels == {"total_cycles": "estimate", "accuracy": "measured"}


def test_networks_above_the_limit_are_not_trained(tmp_path: Path) -> None:
    cheap = Cheap()
    result = SearchResult.model_validate_json(search(tmp_path, TRIALS, cheap, limit_cycles=18_000))
    slow = [line for line in lines(tmp_path) if line["status"] == "too slow"]
    assert slow and len(cheap.trained) + len(slow) <= TRIALS
    assert all(line["reason"].endswith("the limit is 18,000") for line in slow)
    assert all((entry.value("total_cycles") or 0) <= 18_000 for entry in result.front)
    best = result.best_entry
    assert best is not None
    assert best.value("accuracy") == max(entry.value("accuracy") or 0 for entry in result.front)


def test_a_limit_that_nothing_keeps_gives_no_best_network(tmp_path: Path) -> None:
    cheap = Cheap()
    result = SearchResult.model_validate_json(search(tmp_path, 6, cheap, limit_cycles=1))
    assert (result.best, result.front, cheap.trained) == (None, (), [])
    assert not (tmp_path / "best.keras").exists()


def test_a_network_that_fails_is_a_line_with_its_reason(tmp_path: Path) -> None:
    search(tmp_path, 120, Cheap())
    failed = [line for line in lines(tmp_path) if line["status"] == "failed"]
    assert failed
    assert {line["reason"] for line in failed} == {"no depthwise convolution in the first block"}


def test_a_search_in_which_all_fail_says_why(tmp_path: Path) -> None:
    def refuse(_network: Description) -> tuple[Figure, ...]:
        raise BadInputError("no such NPU")

    with (
        SearchFolder(tmp_path, settings()) as folder,
        pytest.raises(BadInputError, match=r"stage 1 could be .*: no such NPU"),
    ):
        Search(folder, PROBLEM, settings(), Budget(4), estimate=refuse, train=Cheap().train).run()


def test_a_search_killed_again_and_again_ends_as_one_that_was_not(tmp_path: Path) -> None:
    expected = search(tmp_path / "whole", TRIALS, Cheap())
    broken = tmp_path / "broken"
    words = [sys.executable, str(SCRIPT), str(broken), str(TRIALS), "0.02"]
    log = broken / "candidates.jsonl"
    kills = 0
    for wanted in (3, 9, 14, 20):
        process = subprocess.Popen(words)
        deadline = time.monotonic() + 60
        while not (log.exists() and log.read_bytes().count(b"\n") >= wanted) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        before = lines(broken)[: log.read_bytes().count(b"\n")]
        with log.open("ab") as stream:  # half a line, as a kill within a write leaves it
            stream.write(b'{"number": 99, "sta')
    assert kills >= 2
    assert subprocess.run(words, check=False, timeout=120).returncode == 0
    assert lines(broken)[: len(before)] == before, "a candidate was tried again"
    assert (broken / "result.json").read_text() == expected
    assert (broken / "best.keras").read_bytes() == (tmp_path / "whole" / "best.keras").read_bytes()
    networks = [{file.name for file in (folder / "networks").iterdir()} for folder in (broken, tmp_path / "whole")]
    assert networks[0] == networks[1]


def test_a_finished_search_started_again_does_nothing_and_with_more_trials_goes_on(tmp_path: Path) -> None:
    first = search(tmp_path, 10, Cheap())
    idle = Cheap()
    assert search(tmp_path, 10, idle) == first
    assert idle.estimated == []
    more = Cheap()
    result = SearchResult.model_validate_json(search(tmp_path, 14, more))
    assert len(more.estimated) == 4
    assert result.candidates == (5, 9)


def test_a_network_file_that_was_deleted_is_trained_again(tmp_path: Path) -> None:
    result = SearchResult.model_validate_json(search(tmp_path, 10, Cheap()))
    file = tmp_path / result.front[0].file
    content = file.read_bytes()
    file.unlink()
    again = Cheap()
    search(tmp_path, 10, again)
    assert len(again.trained) == 1
    assert file.read_bytes() == content


def test_minutes_count_over_all_starts_and_are_split_between_the_stages(tmp_path: Path) -> None:
    search(tmp_path, 4, Cheap())
    with SearchFolder(tmp_path, settings()) as folder:
        one = folder.candidates[0]
        spent = [one.model_copy(update={"number": i, "seconds": 10.0}) for i in range(3)]
        assert next_task(PROBLEM, settings(), Budget(minutes=0.5), spent) is None
        two = next_task(PROBLEM, settings(), Budget(minutes=2), folder.candidates[:1])
        assert two is not None and two.stage == 1
        slow = [one.model_copy(update={"seconds": 61.0})]
        three = next_task(PROBLEM, settings(), Budget(minutes=2), slow)
        assert three is not None and three.stage == 2


@pytest.mark.parametrize(
    ("trials", "minutes"), [(None, None), (1, None), (None, 0.0), (None, -1.0), (None, float("nan"))]
)
def test_a_budget_without_an_end_or_a_beginning_is_refused(trials: int | None, minutes: float | None) -> None:
    with pytest.raises(BadInputError, match=r"--trials|--minutes"):
        Budget(trials, minutes)


def test_the_whole_space_of_stage_1_can_be_tried(tmp_path: Path) -> None:
    result = SearchResult.model_validate_json(search(tmp_path, 260, Cheap()))
    assert result.candidates == (125, 135)


def three_stages() -> Problem:
    def narrowed(best: Description) -> Space:
        return choices({"width": [best["width"]], "depth": [1, 2, 3, 4]})

    def last(best: Description) -> Space:
        return choices({**{name: [value] for name, value in best.items()}, "kernel": [3, 5]})

    stages = [Stage("width", choices({"width": [8, 16, 24, 32]})), Stage("depth", narrowed), Stage("kernel", last)]
    return Problem(stages, str, float, "none", {})


def test_a_search_has_as_many_stages_as_its_problem_and_shares_the_trials_equally(tmp_path: Path) -> None:
    def estimate(network: Description) -> tuple[Figure, ...]:
        cycles = 1.0 + network["width"] + network.get("depth", 0) + network.get("kernel", 0)
        return (Figure(name="total_cycles", value=cycles, unit="cycles", label="estimate"),)

    def train(network: Description) -> Trained:
        value = 0.1 + network["width"] / 100 + network.get("depth", 0) / 10
        return Trained(Figure(name="accuracy", value=value, unit="1", label="measured"), 1, b"")

    with SearchFolder(tmp_path, settings()) as folder:
        run = Search(folder, three_stages(), settings(), Budget(6), estimate=estimate, train=train)
        result = run.run()
        again = Search(folder, three_stages(), settings(), Budget(6), estimate=estimate, train=train).run()
    assert (result.stages, result.candidates) == (("width", "depth", "kernel"), (2, 2, 2))
    found = lines(tmp_path)
    best = [max(found[:2], key=merit), max(found[:4], key=merit)]
    assert {line["network"]["width"] for line in found[2:4]} == {best[0]["network"]["width"]}
    assert {line["network"].get("depth") for line in found[4:]} == {best[1]["network"].get("depth")}
    assert result.chosen == tuple(
        line["columns"].get(name, " ".join(line["columns"].values()))
        for name, line in zip(("width", "depth"), best, strict=True)
    )
    assert again == result


def merit(line: dict) -> float:
    cycles, accuracy = (figure["value"] for figure in line["figures"])
    return accuracy * cycles**-0.07


def test_fewer_trials_than_stages_are_refused(tmp_path: Path) -> None:
    cheap = Cheap()
    with (
        SearchFolder(tmp_path, settings()) as folder,
        pytest.raises(BadInputError, match="--trials 2: 3 at least, one for each stage"),
    ):
        Search(folder, three_stages(), settings(), Budget(2), estimate=cheap.estimate, train=cheap.train)
