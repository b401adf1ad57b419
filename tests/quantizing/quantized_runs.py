"""Runs a quantized network over many samples, by LiteRT's quick kernels: for accuracy, not for integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model


def real_outputs(model: Model, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Dequantized outputs [n, ...] of the quantized model, by LiteRT's kernels."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model.content)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = given["quantization"]
    limits = np.iinfo(given["dtype"])
    stored = np.clip(np.rint(images / scale) + zero, limits.min, limits.max).astype(given["dtype"])
    found = []
    for image in stored:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(made["index"])[0].astype(np.float64))
    scale, zero = made["quantization"]
    return (np.asarray(found) - zero) * scale
