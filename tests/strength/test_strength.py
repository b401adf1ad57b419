"""What `make strength` counts: the places of flips, what is effective, what is found, what is a false alarm."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from faults.campaign import FAULTS

from deploy.build_folder import BuildFolder
from deploy.hardware.npus import npu_named
from deploy.verifying.host_session import HostSession

from . import counted, false_alarms, inputs, table
from .false_alarms import Judged
from .flips import CHANGED, HARMLESS, REFUSED, Campaign, Flip, chosen
from .networks import NPU, Network
from .places import places

pytestmark = [pytest.mark.early, pytest.mark.tensorflow]


@pytest.fixture
def campaign(built: Path, tiny_tflite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """Flips in the tiny model, judged by few inputs."""
    from . import flips

    def few(_name: str, build: BuildFolder) -> tuple[dict[str, np.ndarray], str]:
        rng = np.random.default_rng(2)
        return {"image": rng.integers(0, 256, (64, 1, 16, 16, 1), np.uint8)}, "noise"

    monkeypatch.setattr(flips, "network", lambda name: Network(name, tiny_tflite))
    monkeypatch.setattr(flips, "judging_inputs", few)
    return Campaign("tiny", tmp_path)


def test_commands_weights_and_scales_lie_apart_and_in_the_file(built: Path) -> None:
    build = BuildFolder.open(built)
    found = places(build.compiled_model, npu_named(NPU)).offsets
    assert {"commands", "weights", "scales"} <= set(found)
    assert max(offset for offsets in found.values() for offset in offsets) < build.compiled.stat().st_size
    assert sum(Counter(offset for offsets in found.values() for offset in offsets).values()) == len(
        set().union(*found.values())
    )


def test_the_same_seed_chooses_the_same_bits_as_many_of_each_kind(built: Path) -> None:
    build = BuildFolder.open(built)
    some = chosen("tiny", build, 12, seed=1)
    assert some == chosen("tiny", build, 12, seed=1)
    assert some != chosen("tiny", build, 12, seed=2)
    assert len(set(Counter(flip.kind for flip in some).values())) == 1


def test_a_flip_that_changes_answers_is_put_before_every_default_run(campaign: Campaign) -> None:
    scales = sorted(places(campaign.build.compiled_model, npu_named(NPU)).offsets["scales"])
    judged = campaign.judged(Flip("tiny", "scales", scales[1], 6))  # of a bias
    assert judged.effect == CHANGED
    assert set(judged.said) == set(table.GOALS)
    assert judged.found_by("verify")
    assert campaign.judged(Flip("tiny", "commands", 0, 0)).effect == REFUSED  # no TFLite file any more


def test_a_build_without_a_flip_is_found_by_nothing(campaign: Campaign) -> None:
    nowhere = dataclasses.replace(Flip("tiny", "none", 0, 0))
    same = type("Same", (Flip,), {"applied": lambda _self, content: content})(**vars(nowhere))
    assert campaign.judged(same).effect == HARMLESS
    for words in (campaign.verify(same), campaign.compile(same), campaign.run_fvp(same)):
        assert words.startswith("pass")


def test_the_table_counts_and_what_is_missed_is_named() -> None:
    passes, fails = dict.fromkeys(table.GOALS, "pass: all equal"), dict.fromkeys(table.GOALS, "fail: one differs")
    flips = [Flip("a", "weights", number, 0, CHANGED, fails) for number in range(9)]
    flips += [Flip("a", "weights", 9, 3, CHANGED, passes), Flip("a", "tables", 1, 0, HARMLESS)]
    assert table.flip_rows(flips)[0] == ("a", "11", "1", "0", "10", "9", "9", "9")
    assert table.missed(flips[:9]) == []
    assert table.missed(flips)[0] == "verify finds 9 of 10 effective flips, 90.0%, not 99%"
    assert table.escapes(flips)[0] == "a: weights, byte 9, bit 3: verify says pass: all equal"


def test_a_crash_counts_as_not_found() -> None:
    assert not Flip("a", "weights", 0, 0, CHANGED, {"verify": "crash: KeyError: 1"}).found_by("verify")
    assert Flip("a", "weights", 0, 0, CHANGED, {"verify": "error: no answer"}).found_by("verify")


def test_inputs_are_varied_by_their_answers_and_repeatable(built: Path) -> None:
    build = BuildFolder.open(built)
    session = HostSession(build.compiled_model, npu_named(NPU))
    made = inputs.varied(build.compiled_model, session.outputs, seed=1)
    assert made["image"].shape == (inputs.COUNT, 1, 16, 16, 1)
    noise = np.random.default_rng(0).integers(0, 256, made["image"].shape, np.uint8)
    ranges = [np.ptp(session.outputs(given)["garment"].astype(int), axis=0) for given in (made, {"image": noise})]
    assert ranges[0].sum() > 2 * ranges[1].sum()
    again = inputs.varied(build.compiled_model, session.outputs, seed=1)
    np.testing.assert_array_equal(again["image"], made["image"])


def test_only_what_passed_earlier_can_be_a_false_alarm(tmp_path: Path) -> None:
    earlier = {name: Judged(verdict, "", 1) for name, verdict in (("a", "pass"), ("b", "fail"), ("c", "pass"))}
    false_alarms.write(tmp_path / "then.json", earlier)
    now = {"a": Judged("fail", "one differs", 1), "b": Judged("fail", "", 1), "c": Judged("pass", "", 1)}
    assert false_alarms.alarms(false_alarms.read(tmp_path / "then.json"), now) == ["a: fail: one differs"]
    assert false_alarms.alarms(earlier, {}) == ["a: missing: ", "c: missing: "]


def test_every_fault_that_is_not_slow_is_counted() -> None:
    path, part, marks = counted.PARTS["injected faults"]
    selected = [str(counted.TESTS / path), "-k", part, "-m", marks]
    words = [sys.executable, "-m", "pytest", "-q", "--collect-only", *selected]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.count("::") == sum(not fault.slow for fault in FAULTS)


def test_tests_that_are_expected_to_fail_count_as_not_found(tmp_path: Path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\ndef test_one_lie(): pass\ndef test_other_lie(): assert 0\ndef test_none(): pass\n"
        "@pytest.mark.xfail\ndef test_third_lie(): assert 0\n"
        "@pytest.mark.slow\ndef test_lie_that_takes_long(): pass\n"
    )
    assert counted.count("lies", file, "lie", "").row() == ("lies", "4", "2")
    assert counted.count("lies", file, "lie", "not slow").row() == ("lies", "3", "1")
