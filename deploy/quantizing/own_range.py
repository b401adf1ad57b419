"""What range of inputs a float model was made for, as far as the model itself says, and whether data is in it.

Two things tell: a scaling at the model's beginning (Keras' Rescaling and Normalization), after which values should
be about as large as 1, and the statistics that its first batch normalization kept from training.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.first_operators import OwnScaling
from deploy.tflite import Model

LEAST, MOST = 0.1, 20.0
"""Range of values after the model's own scaling, which makes 0..1, -1..1 or a variance of 1 of what it is made
for: ten times less than the least of them, about ten times more than the largest."""

LEAST_SPREAD, MOST_SPREAD = 0.2, 5.0
"""Standard deviation that the first batch normalization meets, as a share of that in training."""

_SAMPLES = 32


@dataclass(frozen=True)
class TrainedSpread:
    """The first batch normalization of a model.

    Attributes:
        layer: its name.
        function: per input an array of samples in the model's order, to what the layer is given [samples, ..., C].
        variance: that of training, [C].
    """

    layer: str
    function: Callable[[list[NDArray[Any]]], NDArray[Any]]
    variance: NDArray[np.float64]


def scaling_findings(
    model: Model, arrays: Mapping[str, NDArray[Any]], judged: Container[str] = ()
) -> Iterator[str]:
    """Compare data with the scaling at the beginning of a float TFLite model.

    Args:
        model: float.
        arrays: per input [samples, *shape].
        judged: inputs whose scaling shows a usual range: :class:`deploy.data.fit.Fit` holds data to that.

    Yields:
        Per input whose data is far off one sentence.
    """
    if len(model.tensor_counts) != 1:
        return
    for index, name in model.input_names().items():
        scaling = OwnScaling.of(model.tensors[index], model)
        if name in judged or not scaling.multiplies:
            continue
        values = arrays[name][:_SAMPLES].astype(np.float64)
        low, high = np.percentile(values, [1, 99])
        after_low, after_high = np.percentile(np.nan_to_num(scaling.applied(values)), [1, 99])
        if low < high and not LEAST <= after_high - after_low <= MOST:
            wanted = "larger" if after_high - after_low < LEAST else "smaller"
            yield (
                f"calibration data: input {name} holds {low:.3g} .. {high:.3g}, which the model's own scaling at "
                f"its beginning makes {after_low:.3g} .. {after_high:.3g}: it was made for values {wanted} by ten "
                "times and more; give it what it was trained with (pixels of 0 .. 255 where it scales by 1/255)"
            )


def spread_findings(trained: TrainedSpread, arrays: list[NDArray[Any]]) -> Iterator[str]:
    """Compare data with the statistics of the first batch normalization.

    Args:
        trained: what the model kept.
        arrays: per input in the model's order [samples, *shape].
    """
    if (trained.variance == 1).all():
        return  # never trained
    values = np.asarray(trained.function([array[:_SAMPLES] for array in arrays]), np.float64)
    deviation = values.reshape(-1, values.shape[-1]).std(axis=0)
    ratio = float(np.median(deviation / np.sqrt(np.maximum(trained.variance, 1e-12))))
    if not LEAST_SPREAD <= ratio <= MOST_SPREAD:
        yield (
            f"calibration data: the first batch normalization ({trained.layer}) meets values that spread "
            f"{ratio:.2g} times as far as in training: the data is scaled otherwise than the training data was"
        )
