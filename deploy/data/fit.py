"""Whether real values are of the size that a model's inputs take: what saturates is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.quantized import real_range
from deploy.data.specs import InputSpec
from deploy.errors import BadInputError

_FAR_OFF = 10.0
_MANY = 0.25
"""Data that goes ten times beyond what an input holds, with a quarter of it outside, was scaled otherwise."""

_LEAST_FILLED = 0.05
"""So little of an input's range leaves 12 of 256 steps; calibration data alone hardly makes that."""


@dataclass
class _Seen:
    low: float = np.inf
    high: float = -np.inf
    outside: int = 0
    total: int = 0


class Fit:
    """Looks at the real values that are fed to a model's inputs, as they go by.

    Args:
        source: of the data, for errors.
        hints: what to do where they were scaled for something else.
    """

    def __init__(self, source: str, *hints: str) -> None:
        self._source, self._hints = source, hints
        self._seen: dict[str, tuple[InputSpec, _Seen]] = {}

    def add(self, spec: InputSpec, values: NDArray[Any]) -> None:
        """Look at values for an input; nothing is known of those for a float input that shows no range.

        Raises:
            BadInputError: they were scaled for something else.
        """
        held = _held(spec)
        if held is None or values.size == 0:
            return
        low, high, step = held
        _, seen = self._seen.setdefault(spec.name, (spec, _Seen()))
        seen.low, seen.high = min(seen.low, float(values.min())), max(seen.high, float(values.max()))
        seen.outside += int(np.count_nonzero((values < low - step) | (values > high + step)))
        seen.total += values.size
        beyond = max(seen.high / high if high > 0 else 0.0, seen.low / low if low < 0 else 0.0)
        if seen.outside > _MANY * seen.total and beyond > _FAR_OFF:
            raise BadInputError(
                f"{self._source}: the values for input {spec.name} go from {seen.low:.4g} to {seen.high:.4g}, "
                f"the model takes {low:.4g} to {high:.4g}: {seen.outside / seen.total:.0%} would be cut off",
                hints=self._hints,
            )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a reader of results should know, so far: one sentence for each input that does not fit."""
        found = []
        for spec, seen in self._seen.values():
            low, high, _ = _held(spec) or (0.0, 0.0, 0.0)
            data = f"the data goes from {seen.low:.4g} to {seen.high:.4g}, the model takes {low:.4g} to {high:.4g}"
            if seen.outside:
                what = "saturate" if real_range(spec) is not None else "are outside the range that it prepares"
                share = f"{seen.outside:,} of {seen.total:,} values of {spec.name} {what}"
                found.append(f"{share} ({100 * seen.outside / seen.total:.2g} %): {data}")
            elif 0 < max(abs(seen.low), abs(seen.high)) < _LEAST_FILLED * max(abs(low), abs(high)):
                found.append(f"{spec.name}: {data}: is it scaled as in training?")
        return tuple(found)


def _held(spec: InputSpec) -> tuple[float, float, float] | None:
    """The smallest and the largest value that an input takes, and how much beyond them is nothing to speak of."""
    held = real_range(spec)
    if held is not None and spec.quantization is not None:
        return (*held, spec.quantization.scales[0])
    if spec.prepares is not None:
        low, high = spec.prepares.low, spec.prepares.high
        return low, high, 0.05 * (high - low)
    return None
