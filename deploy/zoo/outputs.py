"""What a network answers to images in its three forms: float, quantized, compiled.

All images are uint8 [N, height, width, channels], as the quantized network takes them: its one input has scale
1/255 and zero point 0. All answers are output name -> [N, ...].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.verifying.npu_inference import NpuInference

Images = NDArray[np.uint8]
Outputs = dict[str, NDArray[Any]]


def float_outputs(model: Any, images: Images, *, batch: int) -> Outputs:
    """Of the float network, a ``keras.Model``, which takes the images in [0, 1]."""
    answers: Outputs = model.predict(images.astype(np.float32) / np.float32(255), batch_size=batch, verbose=0)
    return answers


def reference_outputs(model: tflite.Model, images: Images) -> Outputs:
    """Raw ones of LiteRT's reference kernels."""
    (name,) = model.input_names().values()
    kernels = ReferenceKernels(model)
    return _joined([kernels.run({name: images[i : i + 1]}) for i in range(len(images))])


def npu_outputs(build: BuildFolder, images: Images, *, batch: int) -> Outputs:
    """Raw ones of the compiled network on the NPU model."""
    model = tflite.read(build.compiled)
    (name,) = model.input_names().values()
    inference = NpuInference(model, npu_named(build.document.npu))
    starts = range(0, len(images), batch)
    answers = _joined([inference.run_batch({name: images[i : i + batch, np.newaxis]}) for i in starts])
    return {output: values[:, 0] for output, values in answers.items()}


def _joined(parts: Sequence[Outputs]) -> Outputs:
    return {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}
