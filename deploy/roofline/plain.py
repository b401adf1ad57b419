"""The plain roofline: a machine is a peak rate of multiply-accumulates and one memory bandwidth.

A layer takes ``max(MACs / peak, (weight bytes + activation bytes) / bandwidth)`` and a network the sum over its
layers (Qin et al., arXiv:2404.10518). The ridge point of a machine is peak / bandwidth in MACs a byte: a layer
with more multiply-accumulates by byte than that is limited by computing, one with fewer by the memory. Seen with
many ridge points at once, a network is judged for a whole spectrum of machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deploy.errors import BadInputError
from deploy.roofline.layer import Layer

RIDGE_POINTS = tuple(range(0, 501, 25))
"""0 to 500 MACs a byte, the range that the family was designed with."""


def layer_time(layer: Layer, peak_macs: float, bandwidth: float) -> float:
    """Time of one layer at so many MACs and bytes by unit of time (cycle, second).

    Raises:
        BadInputError: a rate is not positive.
    """
    if not (peak_macs > 0 and bandwidth > 0):
        raise BadInputError(
            f"a machine of {peak_macs} MACs and {bandwidth} bytes a time unit: both must be positive"
        )
    return max(layer.macs / peak_macs, (layer.weight_bytes + layer.activation_bytes) / bandwidth)


def model_time(layers: Iterable[Layer], peak_macs: float, bandwidth: float) -> float:
    """Time of a network, in the unit of the rates."""
    return sum(layer_time(layer, peak_macs, bandwidth) for layer in layers)


def sweep(layers: Sequence[Layer], ridge_points: Iterable[float] = RIDGE_POINTS) -> dict[float, float]:
    """Time of a network on machines that differ in their ridge point, in MACs a byte.

    The unit is the time of one multiply-accumulate at the peak, so that at ridge point 0 (unlimited bandwidth) the
    result is the number of multiply-accumulates.

    Returns:
        Ridge point -> time.

    Raises:
        BadInputError: a ridge point is negative.
    """
    times: dict[float, float] = {}
    for ridge in ridge_points:
        if not ridge >= 0:
            raise BadInputError(f"a ridge point of {ridge} MACs a byte: must be 0 or more")
        times[ridge] = sum(
            max(layer.macs, (layer.weight_bytes + layer.activation_bytes) * ridge) for layer in layers
        )
    return times
