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
from deploy.tflite.model import Model, Tensor


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


class InputForm:
    """How data has to look for one input, and what is made of it.

    Args:
        tensor: the quantized model's input.
        name: the name users match by.
        source: names the data in errors.
    """

    def __init__(self, tensor: Tensor, name: str, source: str) -> None:
        self._tensor, self._where = tensor, f"{source}: array {name}"
        self._takes_reals = tensor.quantization is not None and np.dtype(tensor.dtype).kind in "iu"

    def check(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Check shape ``[samples, ...]`` and dtype of data.

        Raises:
            BadInputError: naming what the model takes.
        """
        tensor = self._tensor
        kinds = f"{tensor.dtype}{' or float' if self._takes_reals else ''}"
        if not (dtype.name == tensor.dtype or (dtype.kind == "f" and self._wants_floats)):
            hints = []
            if dtype.kind in "iu" and self._wants_floats:
                hints = ["scale it as in training, for example: images.astype('float32') / 255"]
            raise BadInputError(f"{self._where} is {dtype}, the model takes {kinds}", hints=hints)
        if shape[1:] not in self._shapes:
            wanted = list(self._shapes[-1])
            raise BadInputError(
                f"{self._where} has shape {list(shape)}, the model takes [samples, {', '.join(map(str, wanted))}]",
                hints=["add the channel axis: array[..., None]"] if wanted[-1:] == [1] else [],
            )

    def stored(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Checked data as the model takes it: ``[n, *shape]`` of its dtype; real values are quantized."""
        rows = rows.reshape(len(rows), *self._tensor.shape)
        if rows.dtype.name == self._tensor.dtype:
            return rows
        return quantize_values(rows, self._tensor)

    def given(self, rows: NDArray[Any]) -> NDArray[Any] | None:
        """Real values that the data has, ``[n, *shape]`` float32; None where it holds the model's integers.

        Raises:
            BadInputError: one is NaN or infinite.
        """
        if rows.dtype.kind != "f":
            return None
        if not np.isfinite(rows).all():
            raise BadInputError(f"{self._where} holds NaN or infinity")
        return rows.reshape(len(rows), *self._tensor.shape).astype(np.float32)

    @property
    def _wants_floats(self) -> bool:
        return self._takes_reals or np.dtype(self._tensor.dtype).kind == "f"

    @property
    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of one sample: the tensor's own, and that without its leading 1."""
        shape = self._tensor.shape
        return (shape, shape[1:]) if shape[:1] == (1,) else (shape,)


class InputForms:
    """All inputs of a model.

    Args:
        model: quantized.
        source: names the data in errors.
    """

    def __init__(self, model: Model, source: str) -> None:
        self._source = source
        self._tensors = {name: model.tensors[index] for index, name in model.input_names().items()}
        self._forms = {name: InputForm(tensor, name, source) for name, tensor in self._tensors.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs, in the file's order."""
        return tuple(self._forms)

    def choose(self, arrays: Sequence[str]) -> dict[str, str]:
        """Which array feeds which input: by name; one input takes the only array that is left, whatever its name.

        Args:
            arrays: names of the arrays that hold no labels.

        Returns:
            Input name -> array name.

        Raises:
            BadInputError: an input has none.
        """
        if len(self._forms) == 1 and len(arrays) == 1:
            return {next(iter(self._forms)): arrays[0]}
        if missing := [name for name in self._forms if name not in arrays]:
            raise BadInputError(
                f"{self._source}: no array named {', '.join(missing)} (it holds {', '.join(arrays) or 'nothing'})",
                hints=[f"the model's inputs: {self._listed()}"],
            )
        return {name: name for name in self._forms}

    def check(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """See :meth:`InputForm.check`."""
        self._forms[name].check(shape, dtype)

    def batch(self, first: int, rows: Mapping[str, NDArray[Any]], true: dict[str, NDArray[np.int64]]) -> Batch:
        """Make a batch of checked rows.

        Args:
            first: index of the first one.
            rows: input name -> ``[n, ...]``.
            true: output name -> ``[n]``.

        Raises:
            BadInputError: a value is not finite.
        """
        given = {name: self._forms[name].given(array) for name, array in rows.items()}
        return Batch(
            first,
            {name: self._forms[name].stored(array) for name, array in rows.items()},
            {name: array for name, array in given.items() if array is not None},
            true,
        )

    def _listed(self) -> str:
        return ", ".join(f"{name} {tensor.dtype}{list(tensor.shape)}" for name, tensor in self._tensors.items())


def real_inputs(model: Model, batch: Batch) -> dict[str, NDArray[np.float32]]:
    """The batch as a float model takes it: the data's own real values, else the integers dequantized.

    Args:
        model: quantized.
        batch: for its inputs.

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
