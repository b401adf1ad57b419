"""Speed of the NPU model next to LiteRT's and TFLM's kernels, in the same process, in turn on the same input.

Prints for each network: medians of the reference (one thread) and of warm runs of the model and their ratio, what
the compiled core leaves to NumPy, the first run and how long decoding weights takes, which a second thread does in
part; in a process of its own how long it takes to read the model and make its inference, with the imports, and the
first run to warm ones, and the memory that a model and two runs of it add, to the compiled file and the arena that
Vela planned (Linux); then what LiteRT's optimised kernels, XNNPACK and (where it is installed) TFLM's interpreter
take, as ratios to the reference.

    python benchmarks/npu_speed.py [--npu U55-256] [--runs 9] [--large] [--table] [MODEL.tflite ...]

Without models, or with --large, it builds MobileNetV2 1.0 224, EfficientNet-B0 and ResNet-50 with random weights
(TensorFlow), up to their logits: those of untrained weights are all but equal, and at such scales LiteRT's softmax
aborts the process. With --table the ratios come at the end as a table in Markdown, the one of
docs/explanation/npu-model.md.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import tflite
from deploy.chatter import silenced
from deploy.errors import DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.interpreters import OPTIMISED, REFERENCE, Library, Order, arena_for, import_library, made
from deploy.judging.samples import Sample
from deploy.npu.core.library import native
from deploy.tflite.compiled import arena_end, arena_offsets
from deploy.verifying.npu_inference import NpuInference

REFERENCE_NAME = "BUILTIN_REF"
KERNELS: dict[str, tuple[Library, str]] = {
    REFERENCE_NAME: ("LiteRT", REFERENCE),
    "LiteRT optimised": ("LiteRT", OPTIMISED),
    "XNNPACK": ("LiteRT", "AUTO"),  # LiteRT as it comes: the optimised kernels take what XNNPACK does not
    "TFLM": ("TFLM", ""),
}
OTHERS = [name for name in KERNELS if name != REFERENCE_NAME]


@dataclass(frozen=True)
class Measured:
    """Medians of one network.

    Attributes:
        reference_s: of LiteRT's reference kernels.
        ratios: what the NPU model and others take, to the reference; without those that cannot run the network.
    """

    network: str
    reference_s: float
    ratios: dict[str, float]


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
    """Counts the seconds that the compiled core decodes weights, in whichever thread."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._core: Any = native()

    def __enter__(self) -> Decoding:
        if self._core is not None:
            pack = self._pack = self._core.pack

            def packed(*words: Any) -> list[int]:
                found: list[int] = []
                self.seconds += seconds(lambda: found.extend(pack(*words)))
                return found

            self._core.pack = packed
        return self

    def __exit__(self, *_error: object) -> None:
        if self._core is not None:
            self._core.pack = self._pack


def in_the_core(inference: NpuInference) -> str:
    """How many operations the compiled core computes, and in which version."""
    core = native()
    if core is None:
        return "NumPy alone"
    programs = inference.programs()
    left = sum(len(translated.left) for program in programs for translated in program.all_translated)
    return f"{core.VERSIONS[-1]}, {left} of {sum(len(program.operations) for program in programs)} left to NumPy"


def interpreter(source: tflite.Model, name: str) -> Callable[[Sample], list[NDArray[Any]]] | None:
    """What runs a model on kernels in this process, inputs by name; None where they cannot."""
    library, resolver = KERNELS[name]
    inputs, outputs = source.input_names(), source.output_names()
    activations = sum(tensor.nbytes for tensor in source.tensors if tensor.data is None)
    order = Order(
        library,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        input_places=tuple(map(source.inputs.index, inputs)),
        output_places=tuple(map(source.outputs.index, outputs)),
        resolver=resolver,
        arena_bytes=arena_for(activations, len(source.tensors) + len(source.operators)),
    )
    try:
        import_library(library)
        found = made(order, source.content)
    except (DeployError, RuntimeError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return None
    return lambda sample: found.run([sample[input_] for input_ in inputs.values()], keep_state=False)


def measure(path: Path, npu: str, folder: Path, runs: int) -> Measured:
    source = tflite.read(path)
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
    inference = NpuInference(tflite.read(target), npu_named(npu))
    with Decoding() as decoding:
        first = seconds(lambda: inference.run(inputs))
    inference.run(inputs)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        alone = pool.submit(in_a_process, target, npu, inputs, runs).result()
    kernels = {name: run for name in KERNELS if (run := interpreter(source, name)) is not None}
    warm_times: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in kernels}
    for _ in range(runs):
        warm_times.append(seconds(lambda: inference.run(inputs)))
        for name, run in kernels.items():
            times[name].append(seconds(lambda run=run: run(inputs)))  # type: ignore[misc]
    found = inference.run(inputs)
    expected = zip(source.output_names().values(), kernels[REFERENCE_NAME](inputs), strict=True)
    differing = sum(int((found[name] != array).sum()) for name, array in expected)
    model = tflite.read(target)
    size = target.stat().st_size + arena_end(model, arena_offsets(model))
    warm, plain = statistics.median(warm_times), statistics.median(times[REFERENCE_NAME])
    print(
        f"{path.stem:24} {npu:8} reference {plain * 1e3:6.2f} ms   warm {warm * 1e3:6.2f} ms   "
        f"ratio {warm / plain:5.2f}   {in_the_core(inference)}   "
        f"first {first * 1e3:5.0f} ms, {first / warm:.1f} x warm, decoding {decoding.seconds * 1e3:.0f} ms   "
        f"in a process: made in {alone.made_s * 1e3:.0f} ms, "
        f"first run {alone.first_s * 1e3:.0f} ms, {alone.first_s / alone.warm_s:.1f} x warm   "
        f"memory {'-' if alone.added is None else f'{alone.added / size:.2f}'} x model and arena   "
        f"{differing} elements differ"
    )
    ratios = {name: statistics.median(times[name]) / plain for name in OTHERS if name in times}
    print("  to the reference: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    return Measured(path.stem, plain, {npu: warm / plain, **ratios})


@dataclass(frozen=True)
class Alone:
    """What a network takes in a process of its own.

    Attributes:
        made_s: its model read and its inference made, in a process that has imported this module alone.
        first_s: the first run behind that.
        warm_s: median of later ones.
        added: see :func:`memory`.
    """

    made_s: float
    first_s: float
    warm_s: float
    added: float | None


def in_a_process(target: Path, npu: str, inputs: Sample, runs: int) -> Alone:
    """Measure this process's first runs, then its memory."""
    return Alone(*first_and_warm(target, npu, inputs, runs), memory(target, npu, inputs))


def first_and_warm(target: Path, npu: str, inputs: Sample, runs: int) -> tuple[float, float, float]:
    """Seconds in which a model is made ready, of its first run, and the median of later ones."""
    start = time.perf_counter()
    inference = NpuInference(tflite.read(target), npu_named(npu))
    made_s = time.perf_counter() - start
    first = seconds(lambda: inference.run(inputs))
    inference.run(inputs)
    return made_s, first, statistics.median(seconds(lambda: inference.run(inputs)) for _ in range(runs))


def memory(target: Path, npu: str, inputs: Sample) -> float | None:
    """Bytes by which a process grows at most from before a model is read to behind its second run.

    The process has run the model before: what is imported for it and kept for ever does not count; all else does,
    as the file's content and what Python makes of it. How much of it finds room in pages that are there already
    differs from time to time: median of five. None where nobody tells.
    """

    def run() -> None:
        inference = NpuInference(tflite.read(target), npu_named(npu))
        inference.run(inputs)
        inference.run(inputs)

    run()
    found = []
    try:
        for _ in range(5):
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is what there is now
            before = _peak_bytes()
            run()
            found.append(_peak_bytes() - before)
    except (AttributeError, OSError):
        return None
    return statistics.median(found)


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [peak] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024


def processor() -> str:
    """What the computer calls its processor."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def table(measured: Sequence[Measured], npu: str, runs: int) -> str:
    """Markdown: a row a network; a dash where kernels cannot run it, or are not installed."""
    columns = (npu, *OTHERS)
    head = ["network", REFERENCE_NAME, f"NPU model, {npu}", *OTHERS]
    rows = [
        [each.network, f"{each.reference_s * 1e3:.2f} ms"]
        + [f"{each.ratios[name]:.2f}" if name in each.ratios else "-" for name in columns]
        for each in measured
    ]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    load = f", load average {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    where = (
        f"Measured on {processor()}, {os.cpu_count()} processors{load}: medians of {runs} runs, one thread each."
    )
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", where])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--npu", default="U55-256")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--large", action="store_true", help="the three that are built, beside those named")
    parser.add_argument("--table", action="store_true", help="print the ratios as a table in Markdown")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = options.models
        if options.large or not models:
            # TensorFlow in a process of its own: memory counts here.
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                models += pool.submit(build, Path(folder)).result()
        measured = [measure(path, options.npu, Path(folder), options.runs) for path in models]
    if options.table:
        print(f"\n{table(measured, options.npu, options.runs)}")


if __name__ == "__main__":
    main()
