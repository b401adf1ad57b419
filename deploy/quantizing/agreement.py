"""How closely a quantized model follows its float original, per output, on real data.

Pure functions of arrays; the figures are of dequantized values, in the output's own units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Document

FEWEST_STEPS = 8
"""A channel whose values lie within fewer steps than this is as good as lost."""

_FEWEST_VALUES = 20
"""Values of a channel that say something of its range."""

_LISTED = 8


class CoarseChannel(Document):
    """A channel of an output (along the last dimension) that shares its scale with much larger ones.

    Attributes:
        channel: its number, from 0.
        float_min: smallest value of the float model in it.
        float_max: largest value of the float model in it.
        steps: that range in steps of the quantized output.
    """

    channel: int
    float_min: float
    float_max: float
    steps: float


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
        step: what one step of the quantized output is worth; None where it is not quantized.
        coarse_channels: channels that vary within fewer than eight of them.
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
    step: float | None = None
    coarse_channels: tuple[CoarseChannel, ...] = ()


def output_agreement(
    name: str, floats: NDArray[Any], quantized: NDArray[np.float64], step: float | None = None
) -> OutputAgreement:
    """Compare one output, [samples, *shape] on both sides, the quantized model's dequantized.

    Args:
        name: of the output.
        floats: of the float model.
        quantized: of the quantized model.
        step: what one step of the quantized output is worth; None where it is not quantized.

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
        step=step,
        coarse_channels=() if step is None else _coarse(reference, step),
    )


def _coarse(values: NDArray[np.float64], step: float) -> tuple[CoarseChannel, ...]:
    """Channels that vary, but by less than a few steps; values are [samples, *shape].

    Shares of one whole, as a softmax gives them, have one scale by nature.
    """
    if values.ndim < 2 or values.size // values.shape[-1] < _FEWEST_VALUES or _are_shares(values):
        return ()
    rows = values.reshape(-1, values.shape[-1])
    low, high = rows.min(axis=0), rows.max(axis=0)
    steps = (high - low) / step
    return tuple(
        CoarseChannel(channel=int(c), float_min=float(low[c]), float_max=float(high[c]), steps=float(steps[c]))
        for c in np.flatnonzero((steps > 0) & (steps < FEWEST_STEPS))
    )


def _are_shares(values: NDArray[np.float64]) -> bool:
    return bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1.0, atol=1e-3))


def coarse_warning(output: OutputAgreement) -> str | None:
    """One sentence about the channels of an output that are as good as lost; None where there are none."""
    found = output.coarse_channels
    if not found:
        return None
    numbers = ", ".join(str(channel.channel) for channel in found[:_LISTED])
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    most = max(found, key=lambda channel: channel.steps)
    return (
        f"output {output.name}: channel{'s' if len(found) > 1 else ''} {numbers}{more} of the last dimension: all "
        f"values lie within {most.steps:.1f} of 255 steps ({most.float_min:.3g} .. {most.float_max:.3g}, one step "
        f"is {output.step:.3g}), because the output's other values reach from {output.float_min:.3g} to "
        f"{output.float_max:.3g}: let the model return them as separate outputs, each with a scale of its own"
    )


def agreements(
    floats: Sequence[Mapping[str, NDArray[Any]]],
    quantized: Sequence[Mapping[str, NDArray[np.float64]]],
    steps: Mapping[str, float | None],
) -> tuple[OutputAgreement, ...]:
    """Compare all outputs; one mapping from output name to array per sample on either side.

    Args:
        floats: of the float model.
        quantized: of the quantized model.
        steps: what one step of each quantized output is worth.
    """
    return tuple(
        output_agreement(
            name,
            np.concatenate([sample[name] for sample in floats]),
            np.concatenate([sample[name] for sample in quantized]),
            steps.get(name),
        )
        for name in floats[0]
    )
