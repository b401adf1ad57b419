"""Holds data to a model's inputs: which array feeds which, its shape and type, and the form that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.fit import Fit
from deploy.data.image_range import UNIT, ImageRange
from deploy.data.quantized import quantize_values, real_values
from deploy.data.specs import InputSpec, listed, specs_of
from deploy.data.stream import Batch, DataStream, Request
from deploy.errors import BadInputError
from deploy.tflite import Model

LABELS, CLASSES = "labels", "classes"
"""Names of arrays with class numbers, and with class names."""

_SCALE = "scale it as in training, for example: images.astype('float32') / 255"


class InputForms:
    """How data has to look for the inputs of a model, and what is made of it.

    Args:
        request: what is asked of the data.

    Attributes:
        fit: of the real values that went through.
    """

    def __init__(self, request: Request) -> None:
        self._source, self._range = request.source, request.image_range
        self._specs = {spec.name: spec for spec in request.specs}
        without = "without --image-range images are scaled to what the model takes"
        self.fit = Fit(request.source, _SCALE if self._range is None else without)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs, in the model's order."""
        return tuple(self._specs)

    @property
    def specs(self) -> tuple[InputSpec, ...]:
        """The inputs, in the model's order."""
        return tuple(self._specs.values())

    def choose(self, arrays: Sequence[str]) -> dict[str, str]:
        """Which array feeds which input: by name; one input takes the only array that is left, whatever its name.

        Returns:
            Input name -> array name.

        Raises:
            BadInputError: an input has none.
        """
        missing = [name for name in self._specs if name not in arrays]
        data = [name for name in arrays if name.partition("_")[0] not in (LABELS, CLASSES)] or list(arrays)
        if missing and len(self._specs) == len(data) == 1:
            return {missing[0]: data[0]}
        if missing:
            raise BadInputError(
                f"{self._source}: no array named {', '.join(missing)} (it holds {', '.join(arrays) or 'nothing'})",
                hints=[f"the model's inputs: {listed(self.specs)}"],
            )
        return {name: name for name in self._specs}

    def check(self, name: str, array: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int | None:
        """Check shape and dtype of an input's data.

        Args:
            name: of the input.
            array: name of the data.
            shape: of the data: ``[samples, *shape]`` with or without the model's batch of 1, or of one sample.
            dtype: of the data.

        Returns:
            How many samples; None for one that stands alone.

        Raises:
            BadInputError: naming what the model takes.
        """
        spec, where = self._specs[name], self._where(name, array)
        inner = spec.sample_shape
        self._check_dtype(spec, where, dtype)
        if shape[1:] in (spec.shape, inner) and shape:
            return shape[0]
        if shape == inner:
            return None
        hints = []
        if inner[-1:] == (1,) and inner[:-1] in (shape, shape[1:]):
            hints = ["add the channel axis: array[..., None]"]
        wanted = ", ".join(("samples", *map(str, inner)))
        raise BadInputError(
            f"{where} has shape {list(shape)}, the model takes [{wanted}]", hints=hints or [str(spec)]
        )

    def _check_dtype(self, spec: InputSpec, where: str, dtype: np.dtype[Any]) -> None:
        wanted = np.dtype(spec.dtype)
        plain = spec.quantization is None and wanted.kind in "iu"
        fits = dtype == wanted or (dtype.kind == "f" and spec.takes_reals) or (plain and dtype.kind in "iu")
        if fits or self._are_pixels(spec, dtype):
            return
        hints = []
        if dtype.kind in "iu" and spec.takes_reals:
            hints = [_SCALE]
            if dtype == np.uint8 and spec.takes_images:
                hints.append("--image-range 0..1 or another, where these are pixels")
        kinds = f"{spec.dtype}{' or float' if spec.takes_reals and wanted.kind != 'f' else ''}"
        raise BadInputError(f"{where} is {dtype}, the model takes {kinds}", hints=hints)

    def _are_pixels(self, spec: InputSpec, dtype: np.dtype[Any]) -> bool:
        """Whether bytes are pixels that are to be scaled: what they are scaled to was said."""
        return self._range is not None and spec.takes_images and dtype == np.uint8 != np.dtype(spec.dtype)

    def batch(
        self,
        first: int,
        rows: Mapping[str, NDArray[Any]],
        true: dict[str, NDArray[np.int64]],
        arrays: Mapping[str, str] | None = None,
    ) -> Batch:
        """Make a batch of checked rows; real values are quantized where the model takes integers.

        Args:
            first: index of the first one.
            rows: input name -> ``[n, ...]``.
            true: output name -> ``[n]``.
            arrays: input name -> name of its data, for errors.

        Raises:
            BadInputError: a value is NaN or infinite, or the input cannot hold it.
        """
        batch = Batch(first, {}, {}, true)
        for name, array in rows.items():
            spec = self._specs[name]
            where = self._where(name, (arrays or {}).get(name, name))
            values = array.reshape(len(array), *spec.shape)
            if self._range is not None and self._are_pixels(spec, values.dtype):
                values = self._range.scaled(values)
            if values.dtype.kind == "f":
                batch.stored[name], batch.given[name] = self._reals(spec, values, where, first)
            else:
                batch.stored[name] = _whole_numbers(values, spec, where)
        return batch

    def _reals(
        self, spec: InputSpec, values: NDArray[Any], where: str, first: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Real values as the model stores them, and as they are."""
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused
            reals = values.astype(spec.dtype if np.dtype(spec.dtype).kind == "f" else np.float32)
        bad = ~np.isfinite(reals).reshape(len(reals), -1).all(axis=1)
        if bad.any():
            raise BadInputError(
                f"{where} holds NaN or infinity ({int(bad.sum())} of {len(reals)} samples, "
                f"first in sample {first + int(bad.argmax())})"
            )
        self.fit.add(spec, reals)
        return quantize_values(reals, spec), reals

    def _where(self, name: str, array: str) -> str:
        return f"{self._source}: array {array}" + (f" for input {name}" if array != name else "")

    def image_input(self) -> tuple[InputSpec, ImageRange, tuple[str, ...]]:
        """The input that pictures feed, the range that their pixels are scaled to, and notes about that.

        Raises:
            BadInputError: it has no such input, or its range is none that pictures usually have.
        """
        if len(self._specs) != 1:
            raise BadInputError(
                f"{self._source}: a folder of images can feed one input, the model has {len(self._specs)}: "
                f"{listed(self.specs)}",
                hints=["pass an .npz with one array per input, or FILE.py:function"],
            )
        (spec,) = self.specs
        if not spec.takes_images:
            raise BadInputError(
                f"{self._source}: images need an input of real values, float or quantized, of shape "
                f"[1, height, width, 1, 3 or 4], the model has {spec}",
                hints=["pass an .npz, or FILE.py:function that prepares the images"],
            )
        if self._range is not None:
            return spec, self._range, ()
        shown = spec.image_range(self._source)
        if shown is not None:
            return spec, shown, ()
        note = f"images are scaled to {UNIT}: nothing in the model says otherwise; --image-range does"
        return spec, UNIT, (note,)

    def stream(self, **fields: Any) -> DataStream:
        """A stream of what goes through here."""
        return DataStream(specs=self.specs, fit=self.fit, **fields)


def _whole_numbers(values: NDArray[Any], spec: InputSpec, where: str) -> NDArray[Any]:
    """Integers of the input's own width, without loss."""
    cast = values.astype(spec.dtype)
    if cast.dtype != values.dtype and not np.array_equal(cast, values):
        raise BadInputError(f"{where} is {values.dtype} with values that {spec.dtype} cannot hold")
    return cast


def real_inputs(model: Model, batch: Batch) -> dict[str, NDArray[np.float32]]:
    """A batch as a float model takes it: the data's own real values, else the integers dequantized.

    Returns:
        Input name -> ``[n, *shape]`` float32.
    """
    return {
        spec.name: batch.given[spec.name].astype(np.float32)
        if spec.name in batch.given
        else real_values(batch.stored[spec.name], spec)
        for spec in specs_of(model)
    }
