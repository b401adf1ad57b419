"""A sample of the corpus in every run, all of it where time allows; and the walk operator by operator itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from division_network import division
from npu.u85_networks import u85_networks

from corpus import conversion
from corpus.conversion import TESTS, WRITTEN_SOURCES, converted, small_networks, written
from corpus.large import large_networks
from corpus.pairs import NPUS, Network, Row, compile_quickly, run_network, walk_exact
from corpus.random_networks import random_networks
from corpus.real import real_networks
from corpus.run import RANDOM_NETWORKS, main, networks_of, run_all
from corpus.table import failing, pair_status, summary
from deploy import tflite
from deploy.errors import TargetError
from deploy.hardware.npus import npus
from deploy.npu.errors import UnsupportedError
from deploy.tflite.state import RESOURCE_OPERATORS
from deploy.verifying.npu_inference import NpuInference

pytestmark = pytest.mark.tensorflow

# Beside the sample of tests/npu/test_networks.py, which needs no second oracle: those that do, and then some.
SMALL = ("dense_3d", "dense_rows_int16", "dense_large_int16", "sum_c", "softmax", "concat_rescaled")
RANDOM = [f"random_{seed:04}" for seed in range(12)]


def rows_of(found: dict, npus_each: int) -> list[Row]:
    """Every network on some NPUs, taking turns."""
    rows = []
    for number, (name, path) in enumerate(found.items()):
        chosen = tuple(NPUS[(number * npus_each + i) % len(NPUS)] for i in range(npus_each))
        rows += run_network(name, path, chosen, modes=2)
    return rows


def test_a_sample_of_small_networks_is_exact_or_explained() -> None:
    found = converted(small_networks(), [TESTS / "npu" / "networks.py"], SMALL)
    assert set(found) == set(SMALL)
    rows = rows_of(found, 2)
    assert len({(row.network, row.npu) for row in rows}) == 2 * len(SMALL)
    assert {row.status for row in rows} <= {"exact", "explained", "cpu only"}, summary(rows)
    explained = {row.network for row in rows if row.status == "explained"}
    assert explained <= {"sum_c"}, summary(rows)


def test_operators_that_the_converter_does_not_write_are_exact() -> None:
    found = converted(written(), WRITTEN_SOURCES)
    assert set(found) == set(written())
    rows = rows_of(found, 2)
    assert {row.status for row in rows} == {"exact"}, summary(rows)


@pytest.mark.slow
@pytest.mark.parametrize("families", ["Ethos-U55 and Ethos-U65", "Ethos-U85"])
def test_every_operator_that_vela_places_has_a_network(families: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "ethosu.vela", "--supported-ops-report"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    report = (tmp_path / "SUPPORTED_OPS.md").read_text(encoding="utf-8")
    table = report.partition(f"## {families} TFLite Summary Table")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| ([A-Z][A-Z0-9_]+) \|", table, re.MULTILINE))
    assert len(listed) > 50
    found = networks_of(["small", "written", "random"], [], 2)
    models = [tflite.read(path) for path in found.values()]
    if families == "Ethos-U85":
        models += [tflite.load(network.convert()) for network in u85_networks()]
    present = {operator.code for model in models for operator in model.operators}
    # A state that is a variable is the wake words' (tests/verifying).
    assert listed - present <= RESOURCE_OPERATORS


def test_a_sample_of_random_networks_is_exact() -> None:
    here = TESTS / "corpus"
    sources = [here / "random_networks.py", here / "large.py"]
    rows = rows_of(converted(random_networks(RANDOM_NETWORKS), sources, RANDOM), 1)
    assert len(rows) >= len(RANDOM)
    assert {row.status for row in rows} == {"exact"}, summary(rows)


def test_operators_on_the_cpu_between_operators_on_the_npu_share_its_arena() -> None:
    names = [name for name in large_networks() if name.startswith("cpu_between")]
    found = converted(large_networks(), [TESTS / "corpus" / "large.py"], names)
    assert set(found) == set(names)
    for name, path in found.items():
        with tempfile.TemporaryDirectory() as folder:
            compiled, _ = compile_quickly(path, npus()["U55-256"], "Shared_Sram", Path(folder))
            codes = [operator.code for operator in tflite.read(compiled).operators]
        first, last = codes.index("ethos-u"), len(codes) - codes[::-1].index("ethos-u") - 1
        assert any(code != "ethos-u" for code in codes[first:last]), (name, codes)
    rows = rows_of(found, 3)
    assert {row.status for row in rows} == {"exact"}, summary(rows)


def test_streaming_networks_with_their_state_are_exact() -> None:
    names = [name for name in large_networks() if "wake_word" in name]
    found = converted(large_networks(), [TESTS / "corpus" / "large.py"], names)
    assert set(found) == set(names)
    rows = rows_of(found, 1)
    assert {row.status for row in rows} == {"exact"}, summary(rows)


@pytest.mark.parametrize("npu", ["U55-128", "U65-512"])
def test_operator_by_operator_finds_nothing_in_an_exact_network(npu: str, mlperf_tiny: dict) -> None:
    """In cascades and fused operators, too: ResNet-8 has residual additions, stripes and a softmax."""
    network = Network("image_classification", mlperf_tiny["image_classification"])
    results = list(walk_exact(network, npus()[npu], "Shared_Sram"))
    assert len(results) >= 14
    assert [result for result in results if result.mismatches and not result.explained] == []


def test_the_table_counts_pairs_by_their_worst_memory_mode() -> None:
    rows = [
        Row("a", "U55-32", "Sram_Only", "exact"),
        Row("a", "U55-32", "Shared_Sram", "unexplained", reason="who knows"),
        Row("a", "U55-64", "Sram_Only", "exact"),
        Row("b", "U55-64", "Sram_Only", "cpu only"),
    ]
    assert pair_status(rows) == {
        ("a", "U55-32"): "unexplained",
        ("a", "U55-64"): "exact",
        ("b", "U55-64"): "cpu only",
    }
    assert [row.reason for row in failing(rows)] == ["who knows"]
    text = summary(rows)
    assert "1 of 2 pairs (50.00%)" in text
    assert "who knows" in text


def test_what_is_not_compared_fails_but_for_the_reasons_that_are_known() -> None:
    known = [
        Row(
            "a", "U55-32", "Sram_Only", "uncompiled", reason="RuntimeError:\n - Quantization scales must be finite"
        ),
        Row("b", "U55-32", "Sram_Only", "no oracle", reason="LiteRT: a quantization scale is out of their range"),
    ]
    unknown = [
        Row("c", "U55-32", "Sram_Only", "uncompiled", reason="RuntimeError: Vela ended with status 1"),
        Row("d", "U55-32", "Sram_Only", "no oracle", reason="LiteRT: the process was killed"),
    ]
    assert failing([*known, *unknown]) == unknown


def test_a_run_without_a_network_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["corpus", "--kinds", "none"])
    with pytest.raises(SystemExit, match="2"):
        main()


def test_every_network_has_a_name_of_its_own() -> None:
    """Of two with one name only one would be compared."""
    kinds = (small_networks(), written(), random_networks(RANDOM_NETWORKS), large_networks(), real_networks())
    names = Counter(name for kind in kinds for name in kind)
    assert [name for name, count in names.items() if count > 1] == []


def test_a_network_is_left_out_only_where_the_converter_does_not_support_an_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(message: str) -> Callable[[], bytes]:
        def convert() -> bytes:
            raise RuntimeError(message)

        return convert

    monkeypatch.setattr(conversion, "CACHE", tmp_path)
    unsupported = refusing("Quantization to 16x8-bit not yet supported for op: 'HARD_SWISH'.")
    found = converted({"written": lambda: b"TFL3", "unsupported": unsupported}, [Path(__file__)])
    assert list(found) == ["written"]
    with pytest.raises(RuntimeError, match="a defect of ours"):
        converted({"broken": refusing("a defect of ours")}, [Path(__file__)])


def test_a_refusal_of_another_operation_is_not_that_of_the_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: NpuInference, *_: object) -> None:
        raise TargetError("the NPU model stopped") from UnsupportedError("upscaling", offset=4)

    monkeypatch.setattr(NpuInference, "run_batch", refuse)
    path = tmp_path / "division.tflite"
    path.write_bytes(division(0.02))
    [row] = run_network("division", path, ("U85-256",), modes=1)
    assert row.status == "error"


def test_a_refusal_is_no_failure_where_it_is_a_known_defect_of_vela_alone(tmp_path: Path) -> None:
    statuses = {}
    for name, scale in (("named", 0.02), ("quotient_of_the_integers", 1.0)):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(division(scale))
        [row] = run_network(name, path, ("U85-256",), modes=1)
        assert "mode=DIV" in row.reason
        statuses[name] = row.status, "a defect of Vela" in row.reason, failing([row]) == []
    assert statuses == {"named": ("refused", True, True), "quotient_of_the_integers": ("error", False, False)}


@pytest.mark.slow
def test_the_whole_corpus_is_99_percent_exact_and_nothing_is_unexplained() -> None:
    found = networks_of(["small", "random", "large", "real"], [], 2)
    assert len(small_networks()) >= 150
    assert len(real_networks()) >= 4
    rows = run_all(found, NPUS, None, 2)
    assert failing(rows) == [], summary(rows)
    status = list(pair_status(rows).values())
    compared = [value for value in status if value in ("exact", "explained", "refused")]
    assert compared.count("exact") / len(compared) >= 0.99, summary(rows)
