"""Speed of the NPU model next to LiteRT's reference kernels, in the same process, on the same input.

Prints for each network: medians of the reference (one thread) and of warm runs of the model and their ratio, what
the compiled core leaves to NumPy, the first run and how much of it is decoding weights, memory.

    python benchmarks/npu_speed.py [--npu U55-256] [--runs 9] [MODEL.tflite ...]

Without models it builds MobileNetV2 1.0 224, EfficientNet-B0 and ResNet-50 with random weights (TensorFlow), up to
their logits: those of untrained weights are all but equal, and at such scales LiteRT's softmax aborts the process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from deploy import tflite
from deploy.chatter import silenced
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.npu.core.library import native
from deploy.npu.execution.workspace import PreparedWeights, WeightCache
from deploy.verifying.npu_inference import NpuInference


def build(folder: Path) -> list[Path]:
    """The three networks, quantized with random data."""
    with silenced():
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(0)
        sizes = {"input_shape": (224, 224, 3), "weights": None, "classes": 1000, "classifier_activation": None}
        paths = []
        for name in ("MobileNetV2", "EfficientNetB0", "ResNet50"):
            model = getattr(keras.applications, name)(**sizes)
            saved = folder / name
            model.export(saved, verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            rng = np.random.default_rng(0)
            samples = [rng.random((1, 224, 224, 3), dtype=np.float32) for _ in range(2)]
            converter.representative_dataset = lambda samples=samples: ([sample] for sample in samples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
            path = folder / f"{name}.tflite"
            path.write_bytes(converter.convert())
            paths.append(path)
    return paths


def compiled(path: Path, npu: str, folder: Path) -> Path:
    accelerator = npu_named(npu).accelerator
    words = ["-m", "ethosu.vela", str(path), "--accelerator-config", accelerator, "--output-dir", str(folder)]
    subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=600)
    return folder / f"{path.stem}_vela.tflite"


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


class Decoding:
    """Counts the seconds that go into decoding weights."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._get = WeightCache.get

    def __enter__(self) -> Decoding:
        def get(*words: Any, **named: Any) -> PreparedWeights:
            start = time.perf_counter()
            found = self._get(*words, **named)
            self.seconds += time.perf_counter() - start
            return found

        WeightCache.get = get  # type: ignore[method-assign]
        return self

    def __exit__(self, *_error: object) -> None:
        WeightCache.get = self._get  # type: ignore[method-assign]


def in_the_core(inference: NpuInference) -> str:
    """How many operations the compiled core computes, and in which version."""
    core = native()
    if core is None:
        return "NumPy alone"
    programs = inference.programs()
    left = sum(len(translated.left) for program in programs for translated in program.all_translated)
    return f"{core.VERSIONS[-1]}, {left} of {sum(len(program.operations) for program in programs)} left to NumPy"


def measure(path: Path, npu: str, folder: Path, runs: int) -> None:
    source = tflite.read(path)
    reference = ReferenceKernels(source)
    rng = np.random.default_rng(1)
    inputs = {}
    for index, name in source.input_names().items():
        tensor = source.tensors[index]
        if np.dtype(tensor.dtype).kind == "f":
            inputs[name] = rng.normal(size=tensor.shape).astype(tensor.dtype)
            continue
        limits = np.iinfo(tensor.dtype)
        inputs[name] = rng.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.dtype)
    target = compiled(path, npu, folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inference = NpuInference(tflite.read(target), npu_named(npu))
    with Decoding() as decoding:
        first = seconds(lambda: inference.run(inputs))
    reference_times, warm_times = [], []
    for _ in range(runs):
        reference_times.append(seconds(lambda: reference.run(inputs)))
        warm_times.append(seconds(lambda: inference.run(inputs)))
    expected, found = reference.run(inputs), inference.run(inputs)
    differing = sum(int((expected[name] != found[name]).sum()) for name in expected)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    arena = max(tensor.nbytes for tensor in tflite.read(target).tensors)
    warm, plain = statistics.median(warm_times), statistics.median(reference_times)
    rest = (first - decoding.seconds) / warm
    print(
        f"{path.stem:24} {npu:8} reference {plain * 1e3:6.2f} ms   warm {warm * 1e3:6.2f} ms   "
        f"ratio {warm / plain:5.2f}   {in_the_core(inference)}   "
        f"first {first * 1e3:5.0f} ms, decoding {decoding.seconds * 1e3:.0f} ms, "
        f"the rest {rest:.1f} x warm   memory {grown / (target.stat().st_size + arena):4.1f} x model and arena   "
        f"{differing} elements differ"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--npu", default="U55-256")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = options.models
        if not models:
            # TensorFlow in a process of its own: memory counts here.
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                models = pool.submit(build, Path(folder)).result()
        for path in models:
            measure(path, options.npu, Path(folder), options.runs)


if __name__ == "__main__":
    main()
