"""What ``optimize`` makes of networks with attention as usually built: a quarter of the cycles at least."""

from __future__ import annotations

import pytest

from deploy.compiling.compile_options import compile_options
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.optimizing.documents import OptimizeDocument
from deploy.optimizing.optimization import optimize

pytestmark = pytest.mark.tensorflow

WANTED = 0.75
TOLERANCE = 2
"""LSB; logits of an untrained network are a few hundredths wide."""
WANTED_OF_FEW_MACS = 0.95
"""With 32 or 64 MACs a cycle the convolutions themselves, which stay what they are, take most of the time."""


def optimized(name: str, size: int, npu: str, tolerance: float) -> OptimizeDocument:
    from optimizing import naive_networks

    model = naive_networks.quantized(getattr(naive_networks, name)(size))
    options = compile_options(npu_named(npu))
    return optimize(model, options, random_inputs(model, 2), source=name, tolerance=tolerance).document


def figure(document: OptimizeDocument, when: str, name: str) -> float:
    return next(figure.value for figure in getattr(document, when) if figure.name == name)


def check(document: OptimizeDocument, cpu_before: int, wanted: float = WANTED) -> None:
    assert document.verdict == "pass", document.reason
    assert figure(document, "before", "cpu_operators") == cpu_before
    assert figure(document, "after", "cpu_operators") == 0
    assert figure(document, "after", "total_cycles") <= wanted * figure(document, "before", "total_cycles")
    assert document.npu_outputs
    assert all(output.within(1) for output in document.npu_outputs)
    assert all(output.within(document.tolerance) for output in document.outputs)


@pytest.mark.parametrize(("name", "cpu_before"), [("cbam", 4), ("squeeze_and_excite", 0)])
def test_attention_networks(name: str, cpu_before: int) -> None:
    check(optimized(name, 64, "U55-128", TOLERANCE), cpu_before)


@pytest.mark.slow
@pytest.mark.parametrize("size", [128, 320])
@pytest.mark.parametrize("npu", ["U55-128", "U55-256", "U65-256"])
def test_featherface_v2_ultra(size: int, npu: str) -> None:
    """Its outputs are a thousandth wide without training, so that one step of a mean is several of theirs."""
    small = size == 128 and npu == "U55-256"  # with 256 MACs a cycle weights take most of its time
    check(optimized("featherface_v2", size, npu, 6), 12, WANTED + 0.05 if small else WANTED)


@pytest.mark.slow
@pytest.mark.parametrize("npu", ["U55-32", "U55-64", "U55-256", "U65-256"])
@pytest.mark.parametrize(("name", "cpu_before"), [("cbam", 4), ("squeeze_and_excite", 0)])
def test_attention_networks_on_other_npus(name: str, cpu_before: int, npu: str) -> None:
    wanted = WANTED_OF_FEW_MACS if npu in ("U55-32", "U55-64") else WANTED
    check(optimized(name, 64, npu, TOLERANCE), cpu_before, wanted)


@pytest.mark.slow
def test_on_u65_512_averages_stay_and_the_rest_wins() -> None:
    assert optimized("squeeze_and_excite", 64, "U65-512", TOLERANCE).verdict == "unchanged"
    check(optimized("cbam", 64, "U65-512", TOLERANCE), 4)
