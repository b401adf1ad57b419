"""Float ``.tflite`` files to full-integer ones, with ai-edge-quantizer: no Keras model, no TensorFlow.

Its recipes say per operator how many bits weights and activations have, or that an operator stays float. The
ranges are found here, as the least and the largest value of each tensor: its own calibration takes a moving
average, which cuts off what the last samples do not show.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.chatter import silenced
from deploy.data.specs import InputSpec, specs_of
from deploy.data.stream import Dataset
from deploy.errors import BadInputError, NotInstalledError
from deploy.intake.taking import take_file
from deploy.quantizing.integer_forms import with_integer_forms
from deploy.quantizing.precision import INT8, Precision
from deploy.quantizing.tensor_values import TensorValues, tensor_ranges
from deploy.tflite import Model, Quantization, load
from deploy.tflite.arithmetic import float_operators
from deploy.tflite.graph import Graph, Node

INSTALL_QUANTIZER = "pip install ai-edge-quantizer==0.10.0"
"""What the extra ``quantizer`` of this package installs."""

_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class FloatTflite:
    """A float TFLite model, to be used as a :class:`deploy.quantizing.float_model.FloatModel`.

    Attributes:
        source: what the user typed, for messages.
        name: short name.
        model: the file.
        inputs: names, shapes (batch of 1 included) and dtypes.
        outputs: names.
        notes: what was chosen or changed in the file, one sentence each.
    """

    source: str
    name: str
    model: Model
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()
    spread: None = None

    def run(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run one inference: per input an array of its shape and dtype.

        Returns:
            Per output an array.
        """
        values = self._inside.run(sample)
        return {name: values[index] for index, name in self.model.output_names().items()}

    @functools.cached_property
    def _inside(self) -> TensorValues:
        return TensorValues(self.model, self.model.outputs)


def read_float(path: Path, source: str, name: str, signature: str | None = None) -> FloatTflite:
    """Read a float TFLite file.

    Args:
        path: of the file.
        source: what the user typed.
        name: short name.
        signature: of several, the one to take; None for ``serving_default``, or the only one.

    Raises:
        BadInputError: it cannot be read, is quantized already, has control flow, or dimensions that stay open.
    """
    taken = take_file(path, signature)
    return of_model(taken.model, source, name, taken.notes)


def is_quantized(model: Model) -> bool:
    """Whether a TFLite model, or a part of it, has integers that stand for real numbers."""
    return not float_operators(model) or any(
        tensor.dtype in ("int8", "int16", "uint8") and tensor.quantization is not None for tensor in model.tensors
    )


def of_model(model: Model, source: str, name: str, notes: tuple[str, ...] = ()) -> FloatTflite:
    """A float TFLite model as what can be quantized.

    Raises:
        BadInputError: as :func:`read_float`.
    """
    if is_quantized(model):
        raise BadInputError(
            f"{source}: a TFLite file that is quantized (or whose weights are) cannot be quantized any more",
            hints=["pass the float model it comes from: .keras, a SavedModel, or a float .tflite"],
        )
    if len(model.tensor_counts) != 1:
        raise BadInputError(
            f"{source}: has control flow (loops or branches), which cannot be quantized",
            hints=["convert it with recurrent layers unrolled, or pass the .keras file: it is unrolled here"],
        )
    specs = specs_of(model)
    for spec in specs:
        if not spec.shape or spec.shape[0] != 1 or any(size < 1 for size in spec.shape):
            raise BadInputError(
                f"{source}: input {spec.name} has shape {list(spec.shape)}; "
                "a microcontroller needs [1, fixed sizes ...]",
                hints=["convert the model with a batch of 1"],
            )
    return FloatTflite(source, name, model, specs, tuple(model.output_names().values()), notes)


def quantize_tflite(
    source: FloatTflite, data: Dataset, io: str, precision: Precision = INT8, *, verbose: bool = False
) -> tuple[bytes, bytes]:
    """Quantize a float TFLite model.

    Args:
        source: float.
        data: calibration samples.
        io: type of inputs and outputs.
        precision: of what lies between.
        verbose: let the quantizer print.

    Returns:
        The quantized file, and the float one in the form that was quantized.

    Raises:
        BadInputError: the quantizer refuses the model.
        NotInstalledError: ai-edge-quantizer is missing.
    """
    quantizer = _import()
    with silenced(verbose=verbose):
        form = with_integer_forms(source.model, lambda model, tensors: tensor_ranges(model, tensors, data))
        prepared = _named(form, source.model)
        activations = [tensor.index for tensor in prepared.tensors if tensor.data is None]
        ranges = tensor_ranges(prepared, activations, data)
        try:
            work = quantizer.Quantizer(prepared.content)
            precision.apply(work)
            # What it finds in one sample has the right form; the numbers are replaced by those of all samples.
            found = work.calibrate({_SIGNATURE: [next(iter(data))]}, num_threads=1)
            for index, (low, high) in ranges.items():
                entry = found.get(prepared.tensors[index].name)
                if entry:
                    entry["min"], entry["max"] = np.full_like(entry["min"], low), np.full_like(entry["max"], high)
            content = bytes(work.quantize(found, enable_progress_report=False).quantized_model)
        except (ValueError, RuntimeError, KeyError, TypeError, NotImplementedError) as error:
            said = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise BadInputError(
                f"{source.source}: ai-edge-quantizer refuses the model: {said[0][:300] if said else type(error)}",
                hints=["keep the operator that it names in float: --float OPERATOR"],
            ) from error
    names = [list(found) for found in (prepared.input_names().values(), prepared.output_names().values())]
    return _with_borders(content, io, *names), prepared.content


def _import() -> Any:
    try:
        from ai_edge_quantizer import quantizer
    except ImportError as error:
        raise NotInstalledError(
            f"float TFLite models need ai-edge-quantizer ({error})",
            hints=[INSTALL_QUANTIZER, "or pass the Keras model that the file comes from"],
        ) from error
    return quantizer


def _named(model: Model, original: Model) -> Model:
    """The model with a SignatureDef, and with a name of its own for each tensor: the quantizer goes by both."""
    graph = Graph(model)
    seen: set[str] = set()
    for index, tensor in enumerate(graph.tensors):
        name = tensor.name or "tensor"
        if name in seen:
            name = f"{name}_{index}"
            graph.rename(index, name)
        elif not tensor.name:
            graph.rename(index, name)
        seen.add(name)
    inputs = dict(zip(original.input_names().values(), graph.inputs, strict=True))
    outputs = dict(zip(original.output_names().values(), graph.outputs, strict=True))
    return graph.model(inputs=inputs, outputs=outputs)


def _with_borders(content: bytes, io: str, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """A quantized model with QUANTIZE at its inputs and outputs, where they are int8 and shall be uint8.

    Names go by position: the quantizer's SignatureDef may name another tensor than the graph's output, one behind
    which it has put a DEQUANTIZE.
    """
    graph = Graph(load(content, source="the quantized model"))
    before = {index: _outside(graph, index, io) for index in graph.inputs}
    after = {index: _outside(graph, index, io) for index in graph.outputs}
    graph.nodes = [
        *(Node("QUANTIZE", (new,), (old,), version=2) for old, new in before.items() if new != old),
        *graph.nodes,
        *(Node("QUANTIZE", (old,), (new,), version=2) for old, new in after.items() if new != old),
    ]
    return graph.model(
        inputs=dict(zip(inputs, before.values(), strict=True)),
        outputs=dict(zip(outputs, after.values(), strict=True)),
    ).content


def _outside(graph: Graph, index: int, io: str) -> int:
    """The tensor that stands for an int8 one outside; that one itself where it is of another type."""
    tensor = graph.tensors[index]
    if tensor.dtype != "int8" or tensor.quantization is None or io != "uint8":
        return index
    shifted = Quantization(tensor.quantization.scales, (tensor.quantization.zero_points[0] + 128,))
    return graph.add_tensor(f"{tensor.name}_{io}", tensor.shape, io, shifted)
