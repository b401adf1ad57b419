"""How closely a quantized model follows its float original, per output, on real data.

Pure functions of arrays; the figures are of dequantized values, in the output's own units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Document


class OutputAgreement(Document):
    """One output, float model against quantized model, over all samples.

    Attributes:
        mae: mean absolute error.
        rmse: root mean square error.
        cosine: cosine similarity of all values (None when one side is all zero).
        top1_agreement: share of positions with the same arg max along the last dimension; None for outputs whose
            last dimension is 1.
        float_min: smallest value of the float model.
        float_max: largest value of the float model.
    """

    name: str
    elements: int
    mae: float
    rmse: float
    max_abs: float
    cosine: float | None
    top1_agreement: float | None
    float_min: float
    float_max: float


def output_agreement(name: str, floats: NDArray[Any], quantized: NDArray[np.float64]) -> OutputAgreement:
    """Compare one output, [samples, *shape] on both sides, the quantized model's dequantized.

    Raises:
        ValueError: the shapes differ or there is nothing to compare.
    """
    if floats.shape != quantized.shape or floats.size == 0:
        raise ValueError(f"{name}: {floats.shape} against {quantized.shape}")
    reference = floats.astype(np.float64)
    error = np.abs(quantized - reference)
    norms = float(np.linalg.norm(reference)) * float(np.linalg.norm(quantized))
    top1 = None
    if floats.ndim >= 2 and floats.shape[-1] > 1:
        top1 = float((reference.argmax(axis=-1) == quantized.argmax(axis=-1)).mean())
    return OutputAgreement(
        name=name,
        elements=int(floats.size),
        mae=float(error.mean()),
        rmse=float(np.sqrt((error**2).mean())),
        max_abs=float(error.max()),
        cosine=float(np.vdot(reference, quantized)) / norms if norms else None,
        top1_agreement=top1,
        float_min=float(reference.min()),
        float_max=float(reference.max()),
    )


def agreements(
    floats: Sequence[Mapping[str, NDArray[Any]]], quantized: Sequence[Mapping[str, NDArray[np.float64]]]
) -> tuple[OutputAgreement, ...]:
    """Compare all outputs; one mapping from output name to array per sample on either side."""
    return tuple(
        output_agreement(
            name,
            np.concatenate([sample[name] for sample in floats]),
            np.concatenate([sample[name] for sample in quantized]),
        )
        for name in floats[0]
    )
