"""The networks whose compiled form is damaged: what is compiled, and the inputs that tell a harmless change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from corpus.conversion import TESTS
from trained_networks import trained_networks

from deploy import api
from deploy.build_folder import BuildFolder
from deploy.files import write_bytes
from deploy.hardware.npus import npu_named
from deploy.judging.samples import Stacked
from deploy.quantizing.quantization import Quantized
from deploy.verifying.host_session import HostSession

from . import inputs

NPU = "U55-128"
DEMO = "demo"
TRAINED = {
    "image_classification": "image_classification",
    "keyword_spotting": "keyword_spotting",
    "visual_wake_words": "visual_wake_words",
    "keyword_spotting_alexa": "keyword_spotting_alexa",
    "rock_paper_scissors": "rock_paper_scissors",
    "magic_wand": "tflite_micro_magic_wand",
}
"""Name -> file in the wheel of :mod:`trained_networks`."""

NAMES = (DEMO, *TRAINED)
CACHE = TESTS.parent / "build" / "strength"


@dataclass(frozen=True)
class Network:
    """A network as a user has it.

    Attributes:
        name: as in the table.
        model: what :func:`deploy.api.compile` takes.
    """

    name: str
    model: Path | Quantized


def network(name: str) -> Network:
    """One of :data:`NAMES`; the demo network is quantized with its own data, as ``deploy compile`` does it."""
    if name == DEMO:
        return Network(name, api.quantize("models:multihead-mobilenetv3"))
    return Network(name, trained_networks()[TRAINED[name]])


def judging_inputs(name: str, build: BuildFolder) -> tuple[Stacked, str]:
    """256 inputs that no default run uses, and where they are from.

    Real ones where there are any; else made-up ones, which are kept in the cache: choosing them takes a while.
    """
    if name == DEMO:
        from deploy.models.multihead_mobilenetv3.fashion_mnist import test_inputs

        images, _ = test_inputs(inputs.COUNT)
        (only,) = build.compiled_model.input_names().values()
        return {only: images[:, np.newaxis]}, "Fashion-MNIST test images"
    session = HostSession(build.compiled_model, npu_named(NPU))
    code = Path(inputs.__file__).read_bytes()
    digest = hashlib.sha256(code + build.compiled_model.content).hexdigest()[:16]
    path = CACHE / f"inputs-{digest}.npz"
    if not path.exists():
        write_npz(path, inputs.varied(build.compiled_model, session.outputs, seed=1))
    with np.load(path) as arrays:
        return dict(arrays), "made up, chosen by their answers"


def write_npz(path: Path, arrays: Stacked) -> None:
    """Write arrays by name, whole or not at all."""
    import io

    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_bytes(path, stream.getvalue())


def batches(stacked: Stacked, size: int) -> Iterator[Stacked]:
    """Cut samples that lie side by side into parts."""
    for start in range(0, len(next(iter(stacked.values()))), size):
        yield {name: array[start : start + size] for name, array in stacked.items()}
