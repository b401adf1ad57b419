"""Made-up values for tensors inside a network, from which its operators are compared as well.

What inputs of a network bring into its middle is narrow: channels that are zero for nearly every input hide the
weights behind them, an input at the end of its range hides a table's other entries. So operators are compared on
three kinds of made-up values, too: a tensor's own ones in another order, which keeps what a layer is used to;
numbers from all of the range, few or many of them, which reaches what the tensor's own ones never do; and all
numbers of the range one after the other, down from the largest one, which shows every entry of a table, that of a
softmax, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.samples import Stacked
from deploy.tflite import Model, Tensor
from deploy.tflite.state import accesses

_PARTLY_DEFINED = frozenset(["DIV", "FLOOR_DIV", "FLOOR_MOD", "LOG", "POW", "RSQRT", "SQRT"])
"""Operators that have no answer to some numbers, or none that two kernels agree on."""


_FEW = 10
"""Elements of a tensor that need many sets to show all numbers: those in front of a softmax."""

_APART, _PARTS = 1 << 10, 1 << 16
"""Elements that are drawn one by one, and parts of a larger tensor that are put in another order: a few neighbours
each where it has more elements than these. To draw all of a large network takes longer than its inference."""


class MadeUpValues:
    """Makes them up; see :attr:`deploy.verifying.layer_capture.LayerCapture.replace`.

    Args:
        source: the model.
        seed: the same one makes the same values.
    """

    def __init__(self, source: Model, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._descended: dict[int, int] = {}
        self._orders: dict[int, NDArray[np.intp]] = {}
        self._kept = frozenset(source.outputs)
        self._narrow = frozenset(
            tensor.index
            for operator in source.operators
            if operator.code in _PARTLY_DEFINED
            for tensor in source.activations(operator)
        )
        self._reads = [access for access in accesses(source) if not access.assigns]
        self._inputs = {name: source.tensors[index] for index, name in source.input_names().items()}

    def __call__(self, tensor: Tensor, values: NDArray[Any]) -> NDArray[Any] | None:
        """Other values for a tensor.

        Args:
            tensor: of the source model.
            values: ``(batch, *shape)``, its own ones.

        Returns:
            An array like ``values``, whose rows are of the three kinds in turn; of a tensor with few elements
            nearly all are of the third. None for an output of the network, and for what is no quantized number.
        """
        if tensor.index in self._kept or tensor.quantization is None or values.dtype.kind not in "iu":
            return None
        if values.dtype.itemsize > 2 or tensor.is_variable:
            return None
        rows = values.reshape(len(values), -1)
        found = self._shuffled(rows)
        if values.dtype.itemsize == 1 and tensor.index not in self._narrow:
            limits, zeros = np.iinfo(values.dtype), tensor.quantization.zero_points
            zero = min(max(zeros[0] if zeros else 0, limits.min), limits.max)
            # Below the zero point only where some value is: behind a ReLU there is none, and Vela may rely on it.
            low = limits.min if values.min() < zero else zero
            if rows.shape[1] <= _FEW:
                found[1:] = self._descending(tensor, low, limits.max, found[1:])
            else:
                found[1::3] = self._scattered(low, limits.max, zero, found[1::3])
                found[2::3] = self._descending(tensor, low, limits.max, found[2::3])
        return found.reshape(values.shape)

    def _scattered(self, low: int, high: int, zero: int, rows: NDArray[Any]) -> NDArray[Any]:
        """Numbers from all of the range, the rest zero; of each row another share."""
        numbers = self._rng.integers(low, high, rows.shape, rows.dtype, endpoint=True)
        chosen = self._rng.random(rows.shape) < self._rng.random((len(rows), 1))
        return np.where(chosen, numbers, np.array(zero, rows.dtype))

    def _descending(self, tensor: Tensor, low: int, high: int, rows: NDArray[Any]) -> NDArray[Any]:
        """The largest number in each row, and from row to row, and call to call, those below it; in any order."""
        count, begin = high - low + 1, self._descended.get(tensor.index, 0)
        others = rows.shape[0] * (rows.shape[1] - 1)
        self._descended[tensor.index] = (begin + others) % count
        numbers = np.full(rows.shape, high, rows.dtype)
        below = (high - (begin + np.arange(count)) % count).astype(rows.dtype)
        numbers[:, 1:] = np.resize(below, others).reshape(numbers[:, 1:].shape)
        return self._shuffled(numbers)

    def _shuffled(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The elements of each row in another order; of long rows one order, begun at another place each time."""
        elements = rows.shape[1]
        if elements <= _APART:
            return self._rng.permuted(rows, axis=1)
        width = -(-elements // _PARTS)
        whole, found = elements - elements % width, np.empty_like(rows)
        order = self._orders.get(elements)
        if order is None:
            order = self._orders[elements] = self._rng.permutation(elements // width)
        for row, made in zip(rows, found, strict=True):
            turned = np.roll(row, self._rng.integers(elements))
            parts, places = turned[:whole].reshape(-1, width), made[:whole].reshape(-1, width)
            np.take(parts, order, axis=0, out=places, mode="clip")  # "raise" takes them by way of a buffer
            made[whole:] = turned[whole:]
        return found

    def variables(self, initial: Mapping[str, NDArray[np.uint8]], count: int) -> dict[str, NDArray[np.uint8]]:
        """As many contents of resource variables, for those that are read, and of a type to make numbers up for.

        Args:
            initial: name -> bytes ``(n,)`` that it holds at first.
            count: how many to make.

        Returns:
            Name -> bytes ``(count, n)``.
        """
        made: dict[str, NDArray[np.uint8]] = {}
        for access in self._reads:
            tensor, held = access.tensor, initial.get(access.name)
            if held is None or held.size != tensor.nbytes or access.name in made:
                continue
            own = np.tile(held, (count, 1)).view(tensor.dtype).reshape(count, *tensor.shape)
            other = self(tensor, own)
            if other is not None:
                made[access.name] = np.ascontiguousarray(other).view(np.uint8).reshape(count, -1)
        return made

    def inputs(self, samples: Stacked, count: int) -> Stacked:
        """As many inputs of the network, made up from given ones.

        Args:
            samples: name -> ``(n, *shape)``, at least one.
            count: how many to make.
        """
        repeated = {name: np.resize(array, (count, *array.shape[1:])) for name, array in samples.items()}
        made = ((name, array, self(self._inputs[name], array)) for name, array in repeated.items())
        return {name: array if other is None else other for name, array, other in made}
