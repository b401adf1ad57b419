"""Float model to full-integer TFLite: int8 inside, uint8 or int8 inputs and outputs."""

from __future__ import annotations

import importlib.metadata
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from deploy import tflite
from deploy.build_folder import Answer, TensorRecord, tensor_records
from deploy.chatter import silenced
from deploy.data.quantized import quantize_values
from deploy.data.stream import Dataset
from deploy.errors import BadInputError
from deploy.judging.comparison import dequantize, output_scale
from deploy.judging.inputs import InputSet
from deploy.judging.oracles import OptimisedKernels
from deploy.judging.reference import ReferenceKernels
from deploy.judging.sample_file import kept_count
from deploy.quantizing.agreement import OutputAgreement, agreements
from deploy.quantizing.conversion import converted, refuse_float
from deploy.quantizing.dataset import RANDOM_IMAGES
from deploy.quantizing.float_model import FloatModel
from deploy.quantizing.float_tflite import FloatTflite
from deploy.quantizing.judging import low, warnings_of_agreement, warnings_of_data
from deploy.quantizing.layer_errors import LayerError, layer_errors
from deploy.quantizing.precision import INT8, Precision
from deploy.quantizing.unsigned_outputs import kept_note, with_unsigned_outputs_kept
from deploy.shown import Shown
from deploy.tflite import Model
from deploy.tflite.arithmetic import float_operators

QUANTIZE_SCHEMA_VERSION = 1
IoType = Literal["uint8", "int8"]
IO_TYPES: tuple[str, ...] = get_args(IoType)

DEBUG_SAMPLES = 20
"""Samples on which the error of each operator is measured."""

AGREEMENT_SAMPLES = 100
"""Samples on which float and quantized model are compared: the reference kernels take about a second for a
network of 300 million multiply-accumulates (measured), so all of a large data set would take minutes."""


class QuantizationDocument(Answer):
    """What ``deploy quantize --json`` writes.

    Attributes:
        model: as the user named it.
        io: type of inputs and outputs.
        precision: ``int8``, or ``int16x8``: activations of 16 and weights of 8 bits.
        floating: operators that compute in floating point, because the user wants it, with how often each occurs.
        calibration: where the calibration data comes from.
        calibration_samples: how many samples set the ranges.
        agreement_samples: how many of them were compared.
        layers: error of each operator, where that was asked for, or an output agrees badly.
        kernels: what ran the quantized model for it.
    """

    schema_version: int = QUANTIZE_SCHEMA_VERSION
    model: str
    io: str
    precision: str = INT8.bits
    floating: dict[str, int] = Field(default_factory=dict)
    calibration: str
    calibration_samples: int
    agreement_samples: int
    agreement: tuple[OutputAgreement, ...]
    layers: tuple[LayerError, ...] = ()
    kernels: str
    warnings: tuple[str, ...] = ()
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    sha256: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Quantized(Shown):
    """A quantized model and how it was made.

    Attributes:
        document: agreement, tensor table, versions.
        floating: the float model as a TFLite file; None where nothing was compared, or TFLite cannot hold it.
        samples: part of the calibration data, as the model's inputs take it, to test with; None where the data was
            random.
    """

    model: Model
    document: QuantizationDocument
    floating: bytes | None = None
    samples: InputSet | None = None


def quantize(
    model: FloatModel | FloatTflite,
    data: Dataset,
    *,
    io: str = "uint8",
    precision: Precision = INT8,
    verbose: bool = False,
    compare: int = AGREEMENT_SAMPLES,
    notes: tuple[str, ...] = (),
    debug: bool = False,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Quantized:
    """Convert a float model and compare the result with it.

    Args:
        model: frozen float model, or a float TFLite file.
        data: calibration samples for its inputs.
        io: ``uint8`` or ``int8``; with activations of 16 bits inputs and outputs have 16, too.
        precision: of what lies between inputs and outputs.
        verbose: let the converter print.
        compare: on how many samples float and quantized model are compared at most; 0 for no comparison.
        notes: warnings for the document.
        debug: measure the error of each operator; without it that is done where an output agrees badly.
        advance: called with (samples compared, samples to compare).

    Raises:
        BadInputError: the converter refuses the model, or part of it would stay float (operators are named).
        NotInstalledError: TensorFlow is missing.
    """
    if io not in IO_TYPES:
        raise BadInputError(f"--io {io}: choose uint8 or int8")
    io = precision.io if precision.bits != INT8.bits else io
    made = converted(model, data, io, precision, floating=compare > 0, verbose=verbose)
    floating = made.floating
    integer = tflite.load(made.strict, source=f"{model.source} (converted)")
    quantized, kept = with_unsigned_outputs_kept(integer)
    notes += tuple(map(kept_note, kept))
    if not precision.floating:
        refuse_float(quantized, model.source)
    _check_names(quantized, model)
    compared = list(itertools.islice(data, compare))
    with silenced(verbose=verbose):
        floats = [model.run(sample) for sample in compared]
    kernels, warnings = _kernels(quantized) if compared else (None, ())
    reals = []
    for done, sample in enumerate(compared, start=1):
        answer = kernels.run(quantized_inputs(quantized, sample)) if kernels else {}
        reals.append(dequantized_outputs(quantized, answer))
        advance(done, len(compared))
    agreement = agreements(floats, reals, output_steps(quantized)) if kernels else ()
    layers: tuple[LayerError, ...] = ()
    if data.source == RANDOM_IMAGES:
        notes += (f"calibrated with {RANDOM_IMAGES}: the figures are about time and memory, not about accuracy",)
    else:
        if debug or low(agreement):
            layers = _layer_errors(made.prepared, integer, compared[:DEBUG_SAMPLES], verbose=verbose)
        as_file = tflite.load(floating, source=model.source) if floating is not None else None
        warnings += (*warnings_of_data(model, as_file, data), *warnings_of_agreement(agreement, layers))
    inputs, outputs = tensor_records(quantized)
    return Quantized(
        quantized,
        QuantizationDocument(
            model=model.source,
            io=io,
            precision=precision.bits,
            floating=Counter(operator.code for operator in float_operators(quantized)),
            calibration=data.source,
            calibration_samples=len(data),
            agreement_samples=len(compared),
            agreement=agreement,
            layers=layers,
            kernels=kernels.name if kernels else "none",
            warnings=(*model.notes, *data.notes, *notes, *warnings),
            inputs=inputs,
            outputs=outputs,
            sha256=quantized.sha256,
            versions={name: importlib.metadata.version(name) for name in made.tools},
        ),
        floating,
        None if data.source == RANDOM_IMAGES else _test_inputs(quantized, data),
    )


def _layer_errors(
    prepared: bytes | None, quantized: Model, samples: list[dict[str, NDArray[Any]]], *, verbose: bool
) -> tuple[LayerError, ...]:
    """The error of each operator; nothing where LiteRT cannot run one of them alone."""
    if prepared is None or not samples:
        return ()
    pairs = [(sample, quantized_inputs(quantized, sample)) for sample in samples]
    with silenced(verbose=verbose):
        try:
            return layer_errors(tflite.load(prepared, source="the float model"), quantized, pairs)
        except (ValueError, RuntimeError):
            return ()


def _test_inputs(quantized: Model, data: Dataset) -> InputSet:
    """As many of the samples as are worth keeping, evenly spread: data is often sorted by class."""
    places = np.unique(np.linspace(0, len(data) - 1, kept_count(quantized)).astype(int))
    samples = ({name: array[i : i + 1] for name, array in data.arrays.items()} for i in places)
    return InputSet(
        tuple(quantized_inputs(quantized, sample) for sample in samples), f"calibration data {data.source}"
    )


def _kernels(quantized: Model) -> tuple[ReferenceKernels, tuple[str, ...]]:
    """The reference kernels, or the optimised ones for an untrained network on which those abort."""
    try:
        return ReferenceKernels(quantized), ()
    except BadInputError as error:
        kernels = OptimisedKernels(quantized)
        return kernels, (f"{error.message}; no verdict will be possible, agreement is with {kernels.name}",)


def _check_names(quantized: Model, model: FloatModel | FloatTflite) -> None:
    """Inputs and outputs are matched by name from here on, so none may have been lost on the way."""
    wanted_inputs, wanted_outputs = {spec.name for spec in model.inputs}, set(model.outputs)
    lost = (wanted_inputs - set(quantized.input_names().values())) | (
        wanted_outputs - set(quantized.output_names().values())
    )
    if lost:
        raise BadInputError(
            f"{model.source}: the converter loses the name of {', '.join(sorted(lost))}",
            hints=["an input that is also an output, unused, or two outputs that are one tensor: remove one"],
        )


def quantized_inputs(model: Model, sample: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Quantize a float sample as the model's inputs take it, rounding as TFLite's QUANTIZE does.

    Args:
        model: quantized model.
        sample: real values by input name, in each input's shape; an input that is not quantized passes through.
    """
    return {
        name: quantize_values(sample[name], model.tensors[index]) for index, name in model.input_names().items()
    }


def dequantized_outputs(model: Model, outputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
    """Real values of a quantized model's outputs, by name."""
    return {
        name: dequantize(outputs[name], output_scale(model, model.tensors[index]))
        for index, name in model.output_names().items()
    }


def output_steps(model: Model) -> dict[str, float | None]:
    """What one step of each output is worth, by name; None where it is not quantized."""
    found = ((name, model.tensors[index].quantization) for index, name in model.output_names().items())
    return {name: quantization.scales[0] if quantization else None for name, quantization in found}
