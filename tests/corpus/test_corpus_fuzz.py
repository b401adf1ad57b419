"""Property: whatever network the converter and Vela accept, the NPU model computes what an oracle computes.

Shapes, kernels, strides, dilations, value ranges (scales and zero points) and activations are random; hypothesis
shrinks a network that breaks the property to the smallest one that does.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.pairs import NPUS, run_network
from corpus.random_networks import ACTIVATIONS, KINDS, Layer, RandomNetwork
from deploy.chatter import silenced

pytestmark = pytest.mark.tensorflow

SIZES = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 34))
LAYERS = st.builds(
    Layer,
    kind=st.sampled_from(KINDS),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.integers(1, 2),
    channels=st.integers(1, 34),
    same=st.booleans(),
    activation=st.sampled_from(ACTIVATIONS),
    spread=st.floats(0.03, 4),
)
NETWORKS = st.builds(
    lambda low, span, **rest: RandomNetwork(low=low, high=low + span, **rest),
    low=st.floats(-100, 10),
    span=st.floats(0.05, 200),
    shape=SIZES,
    layers=st.lists(LAYERS, min_size=1, max_size=3).map(tuple),
    bits=st.sampled_from((8, 8, 16)),
    io=st.sampled_from(("int8", "uint8")),
    seed=st.integers(0, 2**16),
)


def check(network: RandomNetwork, npu: str) -> None:
    with tempfile.TemporaryDirectory(prefix="deploy-fuzz-") as folder:
        path = Path(folder) / "network.tflite"
        try:
            with silenced():
                content = network.convert()
        except Exception:
            return  # a network that the converter refuses is no test of ours
        path.write_bytes(content)
        for row in run_network("network", path, (npu,), modes=2):
            assert row.status not in ("error", "unexplained"), row


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(network=NETWORKS, npu=st.sampled_from(NPUS))
def test_a_few_random_networks_compute_what_an_oracle_computes(network: RandomNetwork, npu: str) -> None:
    check(network, npu)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=NETWORKS, npu=st.sampled_from(NPUS))
def test_many_random_networks_compute_what_an_oracle_computes(network: RandomNetwork, npu: str) -> None:
    check(network, npu)
