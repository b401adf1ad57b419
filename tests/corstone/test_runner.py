"""Arm's unmodified runners on the open Corstone-300, against the reference kernels; and an unmodified client."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from simulator import simulate

from deploy.corstone.links import create_links
from deploy.hardware.fvps import fvps
from deploy.hardware.npus import npu_named
from deploy.targets.runner_firmware import runner_path

pytestmark = [pytest.mark.system, pytest.mark.tensorflow]


def convert():
    """Two inputs and three outputs whose sizes are no multiples of anything."""
    import tensorflow as tf

    rng = np.random.default_rng(3)

    def constant(*shape):
        return tf.constant(rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1])), tf.float32)

    kernel, first, second = constant(3, 3, 3, 5), constant(150, 11), constant(157, 3)

    @tf.function(input_signature=[tf.TensorSpec((1, 6, 5, 3)), tf.TensorSpec((1, 7))])
    def network(image, features):
        flat = tf.reshape(tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME")), (1, 150))
        joined = tf.matmul(tf.concat([flat, features], 1), second)
        return {"kind": joined, "scores": tf.matmul(flat, first), "features": features * 0.5}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.uniform(-1, 1, (1, 6, 5, 3)).astype(np.float32), rng.uniform(-1, 1, (1, 7)).astype(np.float32)]
        for _ in range(20)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


@dataclass(frozen=True)
class Model:
    """A model file, a random input and what the reference kernels make of it."""

    path: Path
    given: bytes
    expected: np.ndarray

    def compiled(self, npu):
        config = npu_named(npu)
        folder = self.path.parent / npu
        words = ["--accelerator-config", config.accelerator, "--system-config", config.system_config]
        words += ["--memory-mode", config.memory_mode, "--output-dir", folder, self.path]
        subprocess.run([Path(sys.executable).parent / "vela", *words], check=True, capture_output=True)
        return folder / f"{self.path.stem}_vela.tflite"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = tmp_path_factory.mktemp("model") / "network.tflite"
    path.write_bytes(convert())
    reference = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    reference.allocate_tensors()
    rng = np.random.default_rng(4)
    given = b""
    for detail in reference.get_input_details():
        values = rng.integers(-128, 128, detail["shape"]).astype(np.int8)
        reference.set_tensor(detail["index"], values)
        given += values.tobytes()
    reference.invoke()
    outputs = [reference.get_tensor(detail["index"]).ravel() for detail in reference.get_output_details()]
    return Model(path, given, np.concatenate(outputs))


def run(model, model_file, tmp_path, npu="U55-128", macs=None, board="corstone-300"):
    config = npu_named(npu)
    (tmp_path / "input.bin").write_bytes(model.given)
    fvp = next(fvp for fvp in fvps() if (fvp.board.id, fvp.npu_family) == (board, config.family))
    name = fvp.instances
    done = simulate(
        *("--board", board, "--npu-family", config.family, "-a", runner_path(config, fvp)),
        *("-C", f"{name['npu']}.num_macs={macs or config.macs}"),
        *("--data", f"{model_file}@0x90000000", "--data", f"{tmp_path}/input.bin@0x92000000"),
        *("--dump", f"{name['cpu']}={tmp_path}/output.bin@Memory:0x93000000,{model.expected.size + 1}"),
        *("-C", f"{name['board']}.uart0.out_file=-", "-C", f"{name['board']}.uart0.shutdown_on_eot=1"),
        *("--timelimit", 60, "--stat"),
        limit_s=120,
    )
    return done, np.frombuffer((tmp_path / "output.bin").read_bytes(), np.int8)


def count(label, text):
    return int(re.search(rf"{label} +: (\d+)", text)[1])


@pytest.mark.parametrize(
    ("npu", "board"),
    [
        *((npu, "corstone-300") for npu in ("U55-128", "U55-32", "U65-256", "U65-512")),
        ("U55-128", "corstone-310"),
        pytest.param("U65-256", "corstone-310", marks=pytest.mark.slow),
    ],
)
def test_a_compiled_model_computes_what_the_reference_computes(model, npu, board, tmp_path):
    done, output = run(model, model.compiled(npu), tmp_path, npu, board=board)
    assert done.status == 0, done.errors
    assert "Inference completed" in done.output
    # Outputs follow each other in the model's order, without anything between them.
    assert output[:-1].tolist() == model.expected.tolist()
    assert output[-1] == 0
    assert count("ethosu operations", done.output) > 0
    assert int(re.search(r"NPU ACTIVE: (\d+) cycles", done.output)[1]) > 0
    assert int(re.search(r"NPU AXI1_RD_DATA_BEAT_RECEIVED: (\d+) beats", done.output)[1]) > 0


@pytest.mark.parametrize(
    "npu", ["U85-256", *(pytest.param(f"U85-{macs}", marks=pytest.mark.slow) for macs in (128, 512, 1024, 2048))]
)
def test_corstone_320_computes_what_the_reference_computes(model, npu, tmp_path):
    done, output = run(model, model.compiled(npu), tmp_path, npu, board="corstone-320")
    assert done.status == 0, done.errors
    assert "Inference completed" in done.output
    assert output[:-1].tolist() == model.expected.tolist()
    assert output[-1] == 0
    assert count("ethosu operations", done.output) > 0
    assert int(re.search(r"NPU ETHOSU_PMU_EXT_RD_DATA_BEAT_RECEIVED: (\d+) beats", done.output)[1]) > 0


def test_a_model_for_the_cpu_runs_without_the_npu(model, tmp_path):
    done, output = run(model, model.path, tmp_path)
    assert done.status == 0, done.errors
    assert output[:-1].tolist() == model.expected.tolist()
    assert "0 complete, 0 failed" in done.output


def test_a_model_for_other_macs_is_refused_by_the_driver(model, tmp_path):
    done, output = run(model, model.compiled("U55-128"), tmp_path, macs=256)
    # As on the FVP the simulator is content; what the driver says is all there is.
    assert done.status == 0
    assert "Node ethos-u (number 0) failed to invoke" in done.output
    assert "Inference completed" not in done.output
    assert not output.any()
    assert "0 complete, 0 failed" in done.output


@pytest.mark.parametrize(
    ("backend", "profile"),
    [
        ("corstone-300", "ethos-u55-128"),
        pytest.param("corstone-310", "ethos-u55-256", marks=pytest.mark.slow),
        pytest.param("corstone-310", "ethos-u65-256", marks=pytest.mark.slow),
        pytest.param("corstone-320", "ethos-u85-256", marks=pytest.mark.slow),
    ],
)
def test_mlia_measures_on_a_folder_of_launchers(model, backend, profile, tmp_path):
    create_links(tmp_path / "fvp")
    environment = {**os.environ, "HOME": str(tmp_path)}

    def mlia(*words):
        done = subprocess.run(
            [Path(sys.executable).parent / "mlia", *words, "--noninteractive"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    mlia("backend", "install", backend, "--path", "fvp", "--accept-eula")
    words = ("--target-profile", profile, "--performance", "--backend", backend)
    report = mlia("check", str(model.path), *words)
    cycles = re.search(r"npu_total_cycles\W+(\d+)\W+cycles", report)
    assert cycles is not None, report
    assert int(cycles[1]) > 0
