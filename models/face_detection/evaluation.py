"""Measures a trained detector: float, quantized, on the NPU model, on Corstone-300.

A project's own module calls :func:`write` with its scenes: that writes ``detection.json`` and ``detection.png``
beside its card, and the part of the card between the markers.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import deploy
from deploy import tflite, zoo
from deploy.build_folder import BuildFolder, Document, sha256_of_file
from deploy.errors import BadInputError
from deploy.files import write_bytes, write_text
from deploy.hardware.npus import npu_named
from deploy.judging.oracles import outputs_of
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Stacked
from deploy.models.face_detection import accuracy, pictures
from deploy.models.face_detection.anchors import Scene
from deploy.models.face_detection.detections import Faces, OutputScales, detect
from deploy.quantizing.quantization import Quantized
from deploy.verifying.host_session import HostSession
from deploy.zoo import card_results
from deploy.zoo.quantized import quantize_network

RESULTS_FILE: Final = "detection.json"
PICTURE_FILE: Final = "detection.png"
BEGIN: Final = "<!-- detection: made from detection.json, not by hand -->"
END: Final = "<!-- end of detection -->"
NPU: Final = "U55-128"
_LOW_SCORE: Final = 0.05
"""Threshold for average precision, which wants the whole curve."""
_SOURCES: Final = {
    "float": ("measured", "TensorFlow"),
    "quantized": ("measured", "LiteRT BUILTIN_REF"),
    "on target": ("simulated", f"NPU model of Ethos-{NPU}"),
}
"""Form of the network -> label and source of what it answers."""
_SHOWN: Final = 12
_BATCH: Final = 40


class FoundFaces(Document):
    """How well one form of the network finds faces.

    Attributes:
        network: ``float``, ``quantized`` or ``on target``.
        label: ``measured`` (on this computer) or ``simulated``.
        source: what computed the outputs.
        faces: in the images.
        found: of them found with a probability of one half.
        wrong: detections that are no face.
        average_precision: IoU 0.5.
    """

    network: str
    label: str
    source: str
    faces: int
    found: int
    wrong: int
    average_precision: float


class DetectionResults(Document):
    """What was measured.

    Attributes:
        schema_version: of this document.
        weights_sha256: of the weights file that was measured.
        size: of the input in pixels.
        images: test scenes.
        npu: of the target.
        calibration_images: that set the quantization ranges.
        networks: float, quantized, on target.
        target_elements: elements of the raw outputs on target.
        target_mismatches: of them other than the quantized reference's.
        float_matched: detections on target that are the same face as one of the float network's.
        float_mean_overlap: mean intersection over union of these.
        machine_images: scenes that were also run on Corstone-300.
        machine_mismatches: elements there other than the reference's.
        versions: tool -> version.
    """

    schema_version: int = 1
    weights_sha256: str
    size: int
    images: int
    npu: str
    calibration_images: int
    networks: tuple[FoundFaces, ...]
    target_elements: int
    target_mismatches: int
    float_matched: int
    float_mean_overlap: float
    machine_images: int
    machine_mismatches: int
    versions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Detector:
    """A trained network in its three forms."""

    network: zoo.Network
    quantized: Quantized
    build: BuildFolder
    size: int

    def answers(self, images: NDArray[np.uint8]) -> dict[str, Stacked]:
        """Outputs for uint8 [N, size, size, 3]: ``float`` ones, and raw ones ``quantized`` and ``on target``."""
        (name,) = self.quantized.model.input_names().values()
        inputs = {name: images[:, np.newaxis]}
        floats = images.astype(np.float32) / np.float32(255)
        return {
            "float": self.network.model.predict(floats, batch_size=_BATCH, verbose=0),
            "quantized": outputs_of(ReferenceKernels(self.quantized.model), inputs),
            "on target": HostSession(tflite.read(self.build.compiled), npu_named(NPU)).outputs(inputs),
        }

    def quantization(self) -> dict[str, OutputScales]:
        """Scale and zero point of each output."""
        model = self.quantized.model
        return {name: _quantization(model.tensors[index]) for index, name in model.output_names().items()}

    def faces(self, answers: Stacked, *, integers: bool, min_score: float) -> list[Faces]:
        """Detections per image."""
        scales = self.quantization() if integers else None
        count = len(next(iter(answers.values())))
        rows = ({name: values[i] for name, values in answers.items()} for i in range(count))
        return [detect(row, self.size, scales, min_score=min_score) for row in rows]


def _quantization(tensor: tflite.Tensor) -> OutputScales:
    if tensor.quantization is None:
        raise BadInputError(f"output {tensor.name} is not quantized")
    return OutputScales(tensor.quantization.scales[0], tensor.quantization.zero_points[0])


def detector(name: str, folder: Path, size: int) -> Detector:
    """Build, quantize and compile a trained detector."""
    network = zoo.network(name, [f"size={size}"], trained=True)
    quantized = quantize_network(network)
    build = deploy.compile(quantized, NPU, output=folder, name=name)
    return Detector(network, quantized, build, size)


def measure(subject: Detector, scenes: Sequence[Scene], machine_images: int) -> tuple[DetectionResults, Any]:
    """Everything that the card says, and the sheet of pictures."""
    images = np.stack([scene.image for scene in scenes])
    truth = [scene.boxes for scene in scenes]
    answers = subject.answers(images)
    found, rows = {}, []
    for network, (label, source) in _SOURCES.items():
        values, integers = answers[network], network != "float"
        found[network] = subject.faces(values, integers=integers, min_score=0.5)
        curve = subject.faces(values, integers=integers, min_score=_LOW_SCORE)
        result = vars(accuracy.accuracy(curve, truth))
        rows.append(FoundFaces(network=network, label=label, source=source, **result))
    reference, target = answers["quantized"], answers["on target"]
    same = accuracy.agreement(found["on target"], found["float"])
    project = subject.network.project
    results = DetectionResults(
        weights_sha256=sha256_of_file(Path(str(project.folder)) / project.pretrained[0].weights),
        size=subject.size,
        images=len(scenes),
        npu=NPU,
        calibration_images=subject.quantized.document.calibration_samples,
        networks=tuple(rows),
        target_elements=sum(values.size for values in target.values()),
        target_mismatches=sum(int((target[name] != reference[name]).sum()) for name in target),
        float_matched=same.matched,
        float_mean_overlap=round(same.mean_overlap, 4),
        machine_images=machine_images,
        machine_mismatches=_on_machine(subject, images[:machine_images]) if machine_images else 0,
        versions=dict(subject.build.document.versions),
    )
    shown = [i for i, boxes in enumerate(truth) if len(boxes)][:_SHOWN]
    sheet = pictures.sheet(
        [images[i] for i in shown], [found["float"][i] for i in shown], [found["on target"][i] for i in shown]
    )
    return results, sheet


def _on_machine(subject: Detector, images: NDArray[np.uint8]) -> int:
    """Run on the open Corstone-300 as ``deploy run-fvp`` does; how many output elements differ.

    Raises:
        TargetError: there was no complete answer.
    """
    verdict = deploy.run(subject.build, images, fvp="open").verdict
    return sum(output.mismatches for output in verdict.outputs)


def tables(results: DetectionResults) -> str:
    """The card's part in Markdown."""
    lines = [
        f"On {results.images} test scenes of {results.size}x{results.size} pixels, with faces and photographs "
        f"that no training scene has ({results.calibration_images} other scenes set the quantization ranges):",
        "",
        "| network | computed by | faces | found | wrong | average precision (IoU 0.5) |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.network} | {row.source} ({row.label}) | {row.faces} | {row.found} | {row.wrong} "
        f"| {row.average_precision:.3f} |"
        for row in results.networks
    ]
    lines += [
        "",
        f"On target {results.target_mismatches} of {results.target_elements:,} output elements differ from the "
        f"quantized reference. {results.float_matched} detections are those of the float network, with a mean "
        f"intersection over union of {results.float_mean_overlap:.3f}. {results.machine_images} of the scenes "
        f"were run on Corstone-300 (open), too, with {results.machine_mismatches} differing elements.",
        "",
        f"![Test scenes with detections]({PICTURE_FILE})",
        "",
        "Green: on target, with landmarks; white: the float network.",
    ]
    return "\n".join(lines)


def into_card(card: str, results: DetectionResults) -> str:
    """The card with what stands between the markers replaced.

    Raises:
        BadInputError: the card has no markers.
    """
    return card_results.into_card(card, tables(results), begin=BEGIN, end=END)


def write(name: str, scenes: Sequence[Scene], machine_images: int) -> None:
    """Measure a project and write its files, in a checkout."""
    folder = Path(str(zoo.find(name).folder))
    with tempfile.TemporaryDirectory(prefix="deploy-evaluate-") as scratch:
        subject = detector(name, Path(scratch) / "build", len(scenes[0].image))
        results, sheet = measure(subject, scenes, machine_images)
    write_text(folder / RESULTS_FILE, results.model_dump_json(indent=2) + "\n")
    content = io.BytesIO()
    sheet.quantize(128).save(content, "PNG", optimize=True)
    write_bytes(folder / PICTURE_FILE, content.getvalue())
    card = folder / card_results.CARD_FILE
    write_text(card, into_card(card.read_text(encoding="utf-8"), results))
