"""QUANTIZE and DEQUANTIZE on the CPU: learned from their kernels at the first run, and looked up afterwards.

They stand at the ends of networks whose inputs and outputs are float. Each element is made from one element alone,
so that what the kernels say of every one there is says all: of 256 bytes their results; of float32, where 8 bits
come out and more never becomes less, the smallest ones that become each level. What is learned are the kernels'
own answers; where they do not look like that, or an element is beyond what they define, they are asked each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deploy.judging.oracles import TflmKernels
from deploy.judging.reference import ReferenceKernels
from deploy.npu.core.library import native
from deploy.tflite import Tensor
from deploy.verifying.cpu_operators import CpuOperator

Ask: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Elements -> what the kernels make of each."""


class Learned(Protocol):
    """Elements -> what the kernels would make of each; None where they have to be asked.

    It is written into ``out`` if that is given, of as many elements; both then are contiguous and apart.
    """

    def __call__(self, elements: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any] | None:
        """See the class."""


class _Levels(NamedTuple):
    """How floats become levels.

    Attributes:
        dtype: of levels.
        per_unit: float32; a float times this, and ``first`` added, is the level from 0 on, or one too low.
        limit: magnitude beyond which nothing is known.
        beyond: float32 ``(256,)``, where the level behind each begins.
    """

    dtype: np.dtype[Any]
    per_unit: np.float32
    first: np.float32
    limit: np.float32
    beyond: NDArray[np.float32]


_CODES = ("QUANTIZE", "DEQUANTIZE")
_LEVELS = 256
_AROUND = np.arange(-2, 3)
"""Floats next to where a level is expected to begin, at which the kernels are asked."""
_LARGEST_LEVEL = 2.0**30
"""Kernels turn scaled floats into 32-bit integers, which is undefined beyond them."""
_TOO_HIGH = 2.0**-8
"""How much too high levels are guessed to begin, in levels: what is guessed is right then, or one too low."""


class LearnedOperator:
    """One operator, whose kernels are asked for what is not known of it yet; as :class:`CpuOperator`.

    Args:
        operator: the operator before its kernels.
    """

    def __init__(self, operator: CpuOperator) -> None:
        self._operator = operator
        self.index, self.code = operator.index, operator.code
        self.inputs, self.outputs = operator.inputs, operator.outputs
        self.keeps_state = False
        [self._input], [self._output] = operator.inputs, operator.outputs
        self._learned: Learned | None = None
        self._asked = False

    def run_batch(
        self, inputs: Mapping[int, NDArray[Any]], batch: int = 1, *, keep_state: bool = False
    ) -> dict[int, NDArray[Any]]:
        """See :meth:`CpuOperator.run_batch`."""
        known = self._known()
        found = None if known is None else known(inputs[self._input.index])
        if found is None:
            return self._operator.run_batch(inputs, batch, keep_state=keep_state)
        return {self._output.index: found.reshape(batch, *self._output.shape)}

    def run_in(self, given: NDArray[Any], made: NDArray[Any]) -> bool:
        """Run it from one contiguous array to another, apart from it; whether enough is known for that."""
        known = self._known()
        return known is not None and known(given, made) is not None

    def _known(self) -> Learned | None:
        if not self._asked:
            self._learned, self._asked = learned(self._ask, self._input, self._output), True
        return self._learned

    def _ask(self, elements: NDArray[Any]) -> NDArray[Any]:
        batch = -(-elements.size // self._input.elements)
        # Not np.resize: for the two elements at the ends it would join a tensor of thousands of pairs.
        filled = np.full((batch, *self._input.shape), elements[0])
        filled.reshape(-1)[: elements.size] = elements
        answers = self._operator.run_batch({self._input.index: filled}, batch)
        return answers[self._output.index].ravel()[: elements.size]


def can_be_learned(operator: CpuOperator) -> bool:
    """Whether an operator is one of those, before kernels that work on one element like on another."""
    if operator.code not in _CODES or operator.kernels not in (ReferenceKernels.name, TflmKernels.name):
        return False
    if len(operator.inputs) != 1 or len(operator.outputs) != 1:
        return False
    [given], [made] = operator.inputs, operator.outputs
    return given.elements == made.elements > 0 and _of_one_scale(given) and _of_one_scale(made)


def learned(ask: Ask, given: Tensor, made: Tensor) -> Learned | None:
    """What kernels say of every element that there is; None where that is not to be learned.

    Args:
        ask: the kernels.
        given: the tensor that they read.
        made: the tensor that they write.
    """
    if np.dtype(given.dtype).kind in "iu" and np.dtype(given.dtype).itemsize == 1:
        return _table(ask, np.dtype(given.dtype))
    if given.dtype == "float32" and made.dtype in ("int8", "uint8") and made.quantization is not None:
        return _steps(ask, np.dtype(made.dtype), made.quantization.scales[0], made.quantization.zero_points[0])
    return None


def _table(ask: Ask, dtype: np.dtype[Any]) -> Learned:
    results, core = ask(np.arange(_LEVELS, dtype=np.uint8).view(dtype)), native()

    def found(elements: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        if out is None or core is None:
            return results.take(elements.view(np.uint8), out=out)
        core.look_up(elements, results, out)
        return out

    return found


def _steps(ask: Ask, dtype: np.dtype[Any], scale: float, zero_point: int) -> Learned | None:
    bottom = int(np.iinfo(dtype).min)
    with np.errstate(all="ignore"):
        limit, per_unit = np.float32(scale * _LARGEST_LEVEL), np.float32(1 / scale)
    if not (np.isfinite(limit) and np.isfinite(per_unit) and _ends(ask(np.array([-limit, limit])), dtype)):
        return None
    if float(limit) ** 2 < np.finfo(np.float32).tiny:  # squares beyond it might vanish
        return None
    levels = np.arange(1, _LEVELS) + bottom
    lowest = _lowest(ask, levels, (levels - zero_point - 0.5) * scale)
    if lowest is None:
        return None
    first = np.float32(zero_point - bottom + 0.5 - _TOO_HIGH)
    found = _levels_by(_Levels(dtype, per_unit, first, limit, np.append(lowest, np.float32(np.inf))))
    # As more never becomes less, what is between two steps lies between what is guessed at them.
    for floats, expected in ((lowest, levels), (np.nextafter(lowest, -limit), levels - 1)):
        given = found(floats)
        if given is None or np.any(given != expected):
            return None
    return found


def _levels_by(known: _Levels) -> Learned:
    core = native()
    bottom = np.iinfo(known.dtype).min
    if core is None:
        return _levels_in_numpy(known)
    head = np.array([known.per_unit, known.first, bottom, known.limit], np.float32)
    table = np.concatenate([head, known.beyond])

    def found(elements: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any] | None:
        if out is None:
            elements, out = np.ascontiguousarray(elements), np.empty(elements.shape, known.dtype)
        return out if core.find_levels(elements, table, out) else None

    return found


def _levels_in_numpy(known: _Levels) -> Learned:
    bottom, limit_squared = np.uint8(np.iinfo(known.dtype).min & 0xFF), float(known.limit) ** 2
    lowest_level, highest_level = np.float32(0), np.float32(_LEVELS - 1)

    def found(elements: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any] | None:
        flat = elements.ravel()
        # All of them are within the limit if their squares together are; NaN is not. One look instead of two.
        with np.errstate(over="ignore", invalid="ignore"):
            if not np.dot(flat, flat) <= limit_squared:
                return None
        places = elements * known.per_unit
        places += known.first
        np.maximum(places, lowest_level, out=places)  # np.clip takes four times as long on few elements
        numbers = np.minimum(places, highest_level, out=places).astype(np.uint8)
        numbers += elements >= known.beyond.take(numbers)
        numbers += bottom  # modulo 256
        found = numbers.view(known.dtype)
        if out is None:
            return found
        out[...] = found
        return out

    return found


def _ends(elements: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether they are the lowest value there is, and the highest."""
    limits = np.iinfo(dtype)
    return bool(elements.tolist() == [limits.min, limits.max])


def _lowest(ask: Ask, levels: NDArray[Any], expected: NDArray[np.floating]) -> NDArray[np.float32] | None:
    """The smallest float that becomes each level; None where it is not near the expected one."""
    around = _neighbours(expected.astype(np.float32))
    if not np.all(np.diff(around.ravel()) > 0):
        return None
    reached = ask(around.ravel()).reshape(around.shape) >= levels[:, np.newaxis]
    if reached[:, 0].any() or not reached[:, -1].all() or np.any(reached[:, :-1] > reached[:, 1:]):
        return None
    found: NDArray[np.float32] = around[np.arange(len(levels)), reached.argmax(axis=1)]
    return found


def _neighbours(floats: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(floats, neighbours)``, in ascending order where none of them is nearly 0."""
    away = np.where(floats[:, np.newaxis] < 0, -_AROUND, _AROUND)
    return (floats.view(np.int32)[:, np.newaxis] + away).astype(np.int32).view(np.float32)


def _of_one_scale(tensor: Tensor) -> bool:
    return tensor.quantization is None or len(tensor.quantization.scales) == 1
