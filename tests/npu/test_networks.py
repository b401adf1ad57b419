"""Real networks, converted and compiled for real, against LiteRT's kernels: every output element."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deploy.chatter import silenced
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import model as tflite_model
from deploy.verifying.npu_inference import NpuInference

from .networks import Network, known_difference, networks

pytestmark = pytest.mark.tensorflow

NPUS = ("U55-32", "U55-64", "U55-128", "U55-256", "U65-256", "U65-512")
SAMPLES = 4


class OptimizedKernels(ReferenceKernels):
    """LiteRT's optimized kernels, without XNNPACK."""

    resolver = "BUILTIN_WITHOUT_DEFAULT_DELEGATES"


def compiled(source: Path, npu: str, folder: Path, options: tuple[str, ...] = ()) -> tflite_model.Model:
    from ethosu.vela import vela

    accelerator = npu_named(npu).accelerator
    words = [str(source), "--accelerator-config", accelerator, "--output-dir", str(folder), *options]
    with silenced(), contextlib.suppress(SystemExit):
        vela.main(words)
    return tflite_model.read(folder / f"{source.stem}_vela.tflite")


def converted(network: Network, folder: Path) -> Path:
    path = folder / f"{network.name}.tflite"
    if not path.exists():
        with silenced():
            path.write_bytes(network.convert())
    return path


def inputs_of(model: tflite_model.Model) -> dict[str, np.ndarray]:
    """Random values over the whole range, the extremes, and small ones: ``(SAMPLES, *shape)`` per input."""
    rng = np.random.default_rng(1)
    found = {}
    for index, name in model.input_names().items():
        tensor = model.tensors[index]
        limits = np.iinfo(tensor.dtype)
        values = rng.integers(limits.min, limits.max + 1, (SAMPLES, *tensor.shape)).astype(tensor.dtype)
        values[1] = limits.max
        values[2] //= 8
        found[name] = values
    return found


def largest_difference(source: Path, model: tflite_model.Model, npu: str, oracle: type[ReferenceKernels]) -> int:
    original = tflite_model.read(source)
    inputs = inputs_of(original)
    outputs = NpuInference(model, npu_named(npu)).run_batch(inputs)
    reference = oracle(original)
    worst = 0
    for sample in range(SAMPLES):
        expected = reference.run({name: values[sample] for name, values in inputs.items()})
        assert expected.keys() == outputs.keys()
        for name, values in expected.items():
            assert outputs[name][sample].shape == values.shape
            difference = np.abs(outputs[name][sample].astype(np.int64) - values.astype(np.int64))
            worst = max(worst, int(difference.max(initial=0)))
    return worst


def check(network: Network, npu: str, folder: Path, options: tuple[str, ...] = ()) -> None:
    source = converted(network, folder)
    model = compiled(source, npu, folder / npu, options)
    known = known_difference(network.name)
    wrong_reference = known is not None and known.max_lsb is None
    oracle = OptimizedKernels if wrong_reference else ReferenceKernels
    allowed = known.max_lsb if known is not None and known.max_lsb is not None else 0
    difference = largest_difference(source, model, npu, oracle)
    assert difference <= allowed, f"{network.name} on {npu}: {difference} LSB (known: {known})"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


ALL = networks()
# Every seventh network, each on another NPU, so that a quick run touches every kind of operation and every NPU.
SAMPLE = [(network, NPUS[number % len(NPUS)]) for number, network in enumerate(ALL[::7])]


def test_names_are_unique_and_there_are_at_least_150() -> None:
    names = [network.name for network in ALL]
    assert len(set(names)) == len(names) >= 150


@pytest.mark.parametrize(("network", "npu"), SAMPLE, ids=lambda value: getattr(value, "name", value))
def test_a_sample_of_networks_is_exact(network: Network, npu: str, folder: Path) -> None:
    check(network, npu, folder)


@pytest.mark.slow
@pytest.mark.parametrize("npu", NPUS)
@pytest.mark.parametrize("network", ALL, ids=lambda network: network.name)
def test_every_network_is_exact_on_every_npu(network: Network, npu: str, folder: Path) -> None:
    check(network, npu, folder)


DEDICATED = (
    *("--config", "Arm/vela.ini", "--system-config", "Ethos_U65_High_End"),
    *("--memory-mode", "Dedicated_Sram_256KB"),
)


@pytest.mark.parametrize(
    ("npu", "options"),
    [("U65-256", DEDICATED), ("U65-512", DEDICATED), ("U55-128", ("--cop-format", "COP2"))],
    ids=["dedicated_sram_u65_256", "dedicated_sram_u65_512", "cop2"],
)
def test_memory_modes_and_payload_formats_are_exact(
    npu: str, options: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    # Large enough for Vela to cut it into stripes that travel through the fast memory.
    by_name = {network.name: network for network in ALL}
    source = converted(by_name["conv64x64_stride2"], folder)
    model = compiled(source, npu, tmp_path, options)
    assert largest_difference(source, model, npu, ReferenceKernels) == 0


@pytest.mark.parametrize(
    "name", ["softmax", "conv3x3_stride2", "depthwise3x3_odd", "avg_pool3x3_same", "add_scales", "hard_swish"]
)
def test_streams_of_velas_older_compiler_are_exact(name: str, folder: Path, tmp_path: Path) -> None:
    # It keeps state between models, so each one gets a process of its own.
    source = converted(next(network for network in ALL if network.name == name), folder)
    command = [sys.executable, "-m", "ethosu.vela", str(source), "--accelerator-config", "ethos-u55-256"]
    command += ["--output-dir", str(tmp_path), "--debug-force-legacy-core"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    model = tflite_model.read(tmp_path / f"{name}_vela.tflite")
    assert largest_difference(source, model, "U55-256", ReferenceKernels) == 0


def test_a_model_for_another_npu_is_refused_naming_both(folder: Path, tmp_path: Path) -> None:
    from deploy.errors import BadInputError

    model = compiled(converted(ALL[0], folder), "U55-64", tmp_path)
    with pytest.raises(BadInputError, match=r"compiled for Ethos-U55-64, not for Ethos-U55-128"):
        NpuInference(model, npu_named("U55-128"))
