"""Measures the committed weights; writes ``results.json`` and the tables of the card.

``python -m deploy.models.multihead_mobilenetv3.evaluate`` in a checkout: float and uint8 accuracy on all 10,000
test images and Vela's estimates for every NPU that Corstone-300 can have; about two minutes on one core.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy import zoo
from deploy.build_folder import sha256_of_file
from deploy.compiling import vela
from deploy.files import write_bytes, write_text
from deploy.judging.reference import ReferenceKernels
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.builder import HEAD_SUFFIX, INPUT_NAME
from deploy.models.multihead_mobilenetv3.results import (
    CARD_FILE,
    RESULTS_FILE,
    HeadResult,
    NpuResult,
    Results,
    into_card,
)
from deploy.npu_config import NPU_CONFIGS, NpuConfig
from deploy.quantizing import dataset, model_source
from deploy.quantizing.quantization import Quantized, quantize

NAME: Final = "multihead-mobilenetv3"
_BATCH = 500
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "ethos-u-vela")


def quantize_as_the_demo(model: Any) -> Quantized:
    """Quantize as ``make demo`` does: ``.keras`` file, ``calibration.npz``, uint8 input and outputs.

    Args:
        model: ``keras.Model``.

    Raises:
        NotInstalledError: TensorFlow or the data set is missing.
    """
    with tempfile.TemporaryDirectory(prefix="deploy-evaluate-") as name:
        folder = Path(name)
        write_bytes(folder / "model.keras", zoo.keras_file(model))
        calibration, *_ = fashion_mnist.write(folder, count=1)
        frozen = model_source.load_float(model_source.parse(str(folder / "model.keras")))
        return quantize(frozen, dataset.load(str(calibration), frozen.inputs))


def classify_float(model: Any, images: NDArray[np.uint8]) -> dict[str, NDArray[np.int64]]:
    """Classes that the float network gives.

    Args:
        model: ``keras.Model``.
        images: uint8 [N, 56, 56, 1].

    Returns:
        Head name -> [N].
    """
    logits = model.predict(images.astype(np.float32) / np.float32(255), batch_size=_BATCH, verbose=0)
    return {head: values.argmax(axis=1) for head, values in logits.items()}


def classify_quantized(quantized: Quantized, images: NDArray[np.uint8]) -> dict[str, NDArray[np.int64]]:
    """Classes that the quantized network gives, computed with LiteRT's reference kernels.

    Args:
        quantized: with a uint8 input of scale 1/255 and zero point 0.
        images: uint8 [N, 56, 56, 1], fed as they are.

    Returns:
        Head name -> [N].
    """
    kernels = ReferenceKernels(quantized.model)
    answers = [kernels.run({INPUT_NAME: images[i : i + 1]}) for i in range(len(images))]
    return {head: np.array([answer[head].argmax() for answer in answers]) for head in answers[0]}


def compare(model: Any, quantized: Quantized, count: int = 10_000) -> tuple[HeadResult, ...]:
    """Accuracy of the float and the quantized network on the first ``count`` test images, by head."""
    images, labels = fashion_mnist.test_inputs(count)
    floats, integers = classify_float(model, images), classify_quantized(quantized, images)
    return tuple(
        HeadResult(
            head=head,
            classes=len(fashion_mnist.CLASS_NAMES[head]),
            images=len(true),
            float_correct=int((floats[head] == true).sum()),
            uint8_correct=int((integers[head] == true).sum()),
            same_class=int((floats[head] == integers[head]).sum()),
        )
        for head, true in labels.items()
    )


def estimate(quantized: Quantized, npu: NpuConfig) -> tuple[NpuResult, int]:
    """Vela's estimate for one NPU, and the network's multiply-accumulates."""
    options = vela.VelaOptions(npu, npu.system_config, npu.memory_mode)
    compiled = vela.compile_bytes(quantized.model.content, options, source=NAME)
    summary = {name: float(cell) for name, cell in compiled.summary.items() if isinstance(cell, int | float)}
    outside_sram = summary["off_chip_flash_memory_used"] + summary["dram_memory_used"]
    heads = (layer for layer in compiled.layers if HEAD_SUFFIX in str(layer.cells["Name"]))
    return NpuResult(
        npu=npu.name,
        system_config=npu.system_config,
        memory_mode=npu.memory_mode,
        cycles=int(summary["cycles_total"]),
        milliseconds=1e3 * summary["inference_time"],
        sram_bytes=round(1024 * summary["sram_memory_used"]),
        flash_bytes=round(1024 * outside_sram),
        heads_cycles=sum(layer.number("Op Cycles") for layer in heads),
        cpu_operators=sum(layer.on_cpu for layer in compiled.layers),
    ), int(summary["nn_macs"])


def measure(weights: Path) -> Results:
    """Measure everything that ``results.json`` holds.

    Args:
        weights: the file that the project's default options load.
    """
    model = zoo.build(NAME, weights=weights)
    quantized = quantize_as_the_demo(model)
    estimates = [estimate(quantized, npu) for npu in NPU_CONFIGS.values() if npu.simulated]
    return Results(
        parameters=model.count_params(),
        weights_sha256=sha256_of_file(weights),
        weights_bytes=weights.stat().st_size,
        tflite_bytes=len(quantized.model.content),
        macs=estimates[0][1],
        calibration_images=quantized.document.calibration_samples,
        heads=compare(model, quantized),
        npus=tuple(result for result, _ in estimates),
        versions={package: importlib.metadata.version(package) for package in _PACKAGES},
    )


def main() -> None:
    """Measure, then write ``results.json`` and the card beside this file."""
    folder = Path(__file__).parent
    results = measure(folder / zoo.find(NAME).pretrained[0].weights)
    write_text(folder / RESULTS_FILE, results.model_dump_json(indent=2) + "\n")
    card = (folder / CARD_FILE).read_text(encoding="utf-8")
    write_text(folder / CARD_FILE, into_card(card, results))


if __name__ == "__main__":
    main()
