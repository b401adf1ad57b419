"""Property: whatever of U85 stands in a row, the NPU model computes what an oracle computes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.pairs import NPUS, ONE_BY_ONE, Network, each_equals_litert, run_network, walk_exact
from corpus.u85_random import KINDS, Step, U85Network
from deploy.hardware.npus import npu_named

U85S = [npu for npu in NPUS if npu.startswith("U85")]
NUMBERS = st.integers(0, 40)
STEPS = st.builds(Step, kind=st.sampled_from(sorted(KINDS)), a=NUMBERS, b=NUMBERS, c=NUMBERS)
NETWORKS = st.builds(
    U85Network,
    dtype=st.sampled_from(("int8", "int8", "int16")),
    extents=st.tuples(st.integers(1, 14), st.integers(1, 14), st.integers(1, 70)),
    steps=st.lists(STEPS, min_size=1, max_size=4).map(tuple),
    zero_point=st.integers(-128, 127),
    seed=st.integers(0, 2**16),
)


def check(network: U85Network, npu: str) -> None:
    with tempfile.TemporaryDirectory(prefix="deploy-fuzz-") as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(network.convert())
        for row in run_network("network", path, (npu,), modes=1):
            assert row.status not in ("error", "unexplained", "no oracle"), row


def test_every_kind_alone_is_a_network_that_vela_puts_on_the_npu(tmp_path: Path) -> None:
    for number, kind in enumerate(sorted(KINDS)):
        network = U85Network("int8", (5, 6, 20), (Step(kind, 1, 1, 1),), zero_point=-7)
        (tmp_path / "network.tflite").write_bytes(network.convert())
        [row] = run_network(kind, tmp_path / "network.tflite", (U85S[number % len(U85S)],), modes=1)
        assert row.status in ("exact", "explained"), row


def test_a_chain_that_only_tflm_runs_as_a_whole_equals_litert_operator_by_operator(tmp_path: Path) -> None:
    steps = (Step("sub", 0, 28, 0), Step("select", 1), Step("table"), Step("table"))
    path = tmp_path / "network.tflite"
    path.write_bytes(U85Network("int8", (1, 1, 1), steps).convert())
    [row] = run_network("network", path, ("U85-128",), modes=1)
    # TFLM's LOGISTIC is no table.
    assert (row.status, row.agrees_with, row.mismatches) == ("exact", ONE_BY_ONE, 1)
    network, npu = Network("network", path), npu_named("U85-128")
    results = list(walk_exact(network, npu, row.memory_mode.split("+")[0]))
    assert each_equals_litert(network, results)
    assert not each_equals_litert(network, results[1:])
    assert not each_equals_litert(network, [*results[1:], results[0].model_copy(update={"mismatches": 1})])
    network.expected["LiteRT BUILTIN_REF"] = []
    assert not each_equals_litert(network, results)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(network=NETWORKS, npu=st.sampled_from(U85S))
def test_a_few_random_chains_compute_what_an_oracle_computes(network: U85Network, npu: str) -> None:
    check(network, npu)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=NETWORKS, npu=st.sampled_from(U85S))
def test_many_random_chains_compute_what_an_oracle_computes(network: U85Network, npu: str) -> None:
    check(network, npu)
