"""Brings data into the form that the quantized model takes, and into real values for the float model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.judging.comparison import dequantize, output_scale
from deploy.judging.samples import Sample, unstacked
from deploy.quantizing.quantization import quantize_values
from deploy.tflite import Model


@dataclass(frozen=True)
class Batch:
    """Inputs side by side, with their labels.

    Attributes:
        first: index of the first one in the data.
        stored: input name -> ``[n, *shape]`` as the quantized model takes it.
        given: input name -> ``[n, *shape]`` real values, where the data has those; else absent.
        true: output name -> true class numbers ``[n]``.
    """

    first: int
    stored: dict[str, NDArray[Any]]
    given: dict[str, NDArray[Any]]
    true: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(next(iter(self.stored.values())))

    @property
    def samples(self) -> list[Sample]:
        """The inputs one by one, as the quantized model takes them."""
        return unstacked(self.stored, len(self))


class InputForms:
    """How data has to look for the inputs of a model, and what is made of it."""

    def __init__(self, model: Model, source: str) -> None:
        self._source = source
        self._tensors = {name: model.tensors[index] for index, name in model.input_names().items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs, in the file's order."""
        return tuple(self._tensors)

    def choose(self, arrays: Sequence[str]) -> dict[str, str]:
        """Which array feeds which input: by name; one input takes the only array that is left, whatever its name.

        Returns:
            Input name -> array name.

        Raises:
            BadInputError: an input has none.
        """
        if len(self._tensors) == 1 and len(arrays) == 1:
            return {next(iter(self._tensors)): arrays[0]}
        if missing := [name for name in self._tensors if name not in arrays]:
            raise BadInputError(
                f"{self._source}: no array named {', '.join(missing)} (it holds {', '.join(arrays) or 'nothing'})",
                hints=[f"the model's inputs: {self._listed()}"],
            )
        return {name: name for name in self._tensors}

    def check(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Check shape ``[samples, ...]`` and dtype of an input's data.

        Raises:
            BadInputError: naming what the model takes.
        """
        tensor, where = self._tensors[name], f"{self._source}: array {name}"
        takes_reals = tensor.quantization is not None and np.dtype(tensor.dtype).kind in "iu"
        wants_floats = takes_reals or np.dtype(tensor.dtype).kind == "f"
        if not (dtype.name == tensor.dtype or (dtype.kind == "f" and wants_floats)):
            hints = []
            if dtype.kind in "iu" and wants_floats:
                hints = ["scale it as in training, for example: images.astype('float32') / 255"]
            kinds = f"{tensor.dtype}{' or float' if takes_reals else ''}"
            raise BadInputError(f"{where} is {dtype}, the model takes {kinds}", hints=hints)
        inner = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
        if shape[1:] not in (tensor.shape, inner):
            raise BadInputError(
                f"{where} has shape {list(shape)}, the model takes [samples, {', '.join(map(str, inner))}]",
                hints=["add the channel axis: array[..., None]"] if inner[-1:] == (1,) else [],
            )

    def batch(self, first: int, rows: Mapping[str, NDArray[Any]], true: dict[str, NDArray[np.int64]]) -> Batch:
        """Make a batch of checked rows; real values are quantized where the model takes integers.

        Args:
            first: index of the first one.
            rows: input name -> ``[n, ...]``.
            true: output name -> ``[n]``.

        Raises:
            BadInputError: a value is NaN or infinite.
        """
        batch = Batch(first, {}, {}, true)
        for name, array in rows.items():
            tensor = self._tensors[name]
            values = array.reshape(len(array), *tensor.shape)
            if values.dtype.kind == "f":
                if not np.isfinite(values).all():
                    raise BadInputError(f"{self._source}: array {name} holds NaN or infinity")
                batch.given[name] = values.astype(np.float32)
            batch.stored[name] = values if values.dtype.name == tensor.dtype else quantize_values(values, tensor)
        return batch

    def _listed(self) -> str:
        return ", ".join(f"{name} {tensor.dtype}{list(tensor.shape)}" for name, tensor in self._tensors.items())


def real_inputs(model: Model, batch: Batch) -> dict[str, NDArray[np.float32]]:
    """The batch as a float model takes it: the data's own real values, else the integers dequantized.

    Returns:
        Input name -> ``[n, *shape]`` float32.
    """
    reals = {}
    for index, name in model.input_names().items():
        if name in batch.given:
            reals[name] = batch.given[name].astype(np.float32)
        else:
            values = dequantize(batch.stored[name], output_scale(model, model.tensors[index]))
            reals[name] = values.astype(np.float32)
    return reals
