"""Quantizes whatever a MODEL argument names, and networks that were built by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from deploy.chatter import silenced
from deploy.data import FORMS
from deploy.data.image_range import ImageRange
from deploy.data.loading import Given, check_there
from deploy.data.specs import InputSpec
from deploy.data.stream import Dataset
from deploy.errors import BadInputError, NotInstalledError
from deploy.quantizing import dataset
from deploy.quantizing.float_model import FloatModel, freeze_keras
from deploy.quantizing.float_tflite import FloatTflite, read_float
from deploy.quantizing.precision import INT8, Precision
from deploy.quantizing.quantization import AGREEMENT_SAMPLES, IO_TYPES, Quantized, quantize
from deploy.zoo import keras_files, model_source
from deploy.zoo.model_source import ModelKind, ModelSource
from deploy.zoo.networks import Network, network, settle
from deploy.zoo.project import function

_SETTLE_IMAGES = 4


def check(source: ModelSource, calibration: Given | None, io: str, *, again: str = "") -> None:
    """Check, before any work, that a model can be quantized with what is given; ``again`` completes a hint.

    Raises:
        BadInputError: calibration data is missing or not there, ``io`` is no type of inputs and outputs, or a
            Keras file is cut off.
    """
    if source.kind is ModelKind.KERAS:
        keras_files.check(source.path, source.text)
    if io not in IO_TYPES:
        raise BadInputError(f"--io {io}: choose {' or '.join(IO_TYPES)}")
    if calibration is None and source.kind not in (ModelKind.TFLITE, ModelKind.PROJECT):
        raise _no_data(source, again)
    if calibration is not None and not dataset.is_random(calibration):
        check_there(calibration)


def _no_data(source: ModelSource, again: str) -> BadInputError:
    return BadInputError(
        f"{source.text}: a float model must be quantized, which needs real data",
        hints=[
            f"{again} --calibration DATA  ({FORMS})".lstrip(),
            "--calibration random: for time and memory, not for accuracy",
        ],
    )


def quantize_source(
    source: ModelSource,
    calibration: Given | None,
    *,
    samples: int | None = None,
    image_range: ImageRange | None = None,
    io: str | None = None,
    precision: Precision = INT8,
    verbose: bool = False,
    compare: int | None = None,
    debug: bool = False,
    again: str = "deploy quantize MODEL",
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Quantized:
    """Load a float model and its calibration data, and quantize: see :func:`deploy.api.quantize`.

    Raises:
        BadInputError: model or data cannot be used.
        NotInstalledError: TensorFlow is missing.
    """
    io = IO_TYPES[0] if io is None else io
    check(source, calibration, io, again=again)
    if source.kind is ModelKind.PROJECT:
        with silenced(verbose=verbose):
            built = network(source.project, source.assignments)
        return quantize_network(
            built,
            data=calibration,
            samples=samples,
            image_range=image_range,
            io=io,
            precision=precision,
            verbose=verbose,
            compare=compare,
            debug=debug,
            advance=advance,
        )
    model: FloatModel | FloatTflite
    if source.kind is ModelKind.TFLITE:
        model = read_float(source.path, source.text, source.name, source.signature)
        if calibration is None:
            raise _no_data(source, again)
    else:
        model = model_source.load_float(source, verbose=verbose)
    data = dataset.load("" if calibration is None else calibration, model.inputs, samples, image_range=image_range)
    return quantize(
        model,
        data,
        io=io,
        precision=precision,
        verbose=verbose,
        compare=AGREEMENT_SAMPLES if compare is None else compare,
        debug=debug,
        advance=advance,
    )


def quantize_network(
    network: Network,
    *,
    data: Given | None = None,
    samples: int | None = None,
    image_range: ImageRange | None = None,
    io: str = IO_TYPES[0],
    precision: Precision = INT8,
    verbose: bool = False,
    compare: int | None = None,
    debug: bool = False,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Quantized:
    """Quantize a network; one with random weights after its batch normalization has seen data.

    Args:
        network: built; its model is changed when its weights are random.
        data: calibration data as ``--data`` names it; None for the project's own, or random images.
        samples: how many to use at most; None for a default.
        image_range: what pixels of images are scaled to; None for what the model shows.
        io: ``uint8`` or ``int8``.
        precision: of what lies between.
        verbose: let TensorFlow print.
        compare: on how many samples float and quantized network are compared at most; None for a default.
        debug: measure the error of each operator.
        advance: called with (samples compared, samples to compare).

    Returns:
        The quantized network; the warnings of its document say what it is not good for.

    Raises:
        BadInputError: the data does not fit, or the network cannot be quantized.
        NotInstalledError: TensorFlow is missing, or the data set that a trained network needs.
    """
    with silenced(verbose=verbose):
        frozen = freeze_keras(network.model, network.text, network.project.name)
        specs = frozen.inputs
        found = (
            calibration(network, specs, samples)
            if data is None
            else dataset.load(data, specs, samples, image_range=image_range)
        )
        if not network.trained and len(specs) == 1:
            settle(network.model, found.arrays[specs[0].name][:_SETTLE_IMAGES])
            frozen = freeze_keras(network.model, network.text, network.project.name)
    return quantize(
        frozen,
        found,
        io=io,
        precision=precision,
        verbose=verbose,
        compare=(AGREEMENT_SAMPLES if network.trained else 1) if compare is None else compare,
        debug=debug,
        notes=_notes(network),
        advance=advance,
    )


def _notes(network: Network) -> tuple[str, ...]:
    if network.trained:
        return ()
    return (
        f"random weights ({network.project.name} brings no trained ones for these options): the figures are "
        "about time and memory, not about accuracy",
    )


def calibration(network: Network, specs: Sequence[InputSpec], samples: int | None = None) -> Dataset:
    """Calibration data for a network.

    Args:
        network: built.
        specs: its inputs.
        samples: how many to use at most; None for the default of real data, or of random images.

    Raises:
        BadInputError: the project's data does not fit its network.
        NotInstalledError: the network is trained and the project's data set is missing.
    """
    count = samples or (dataset.DEFAULT_SAMPLES if network.trained else dataset.RANDOM_SAMPLES)
    found = _own(network, count)
    if found is None:
        return dataset.random_images(specs, count)
    arrays = found if isinstance(found, Mapping) else {specs[0].name: np.asarray(found)}
    source = f"{network.project.name}'s own data"
    return dataset.of_arrays(source, arrays, specs, count)


def _own(network: Network, count: int) -> Any:
    """The project's own data; None where it has none."""
    if "calibration" not in network.project.functions:
        return None
    try:
        return function(network.project, "calibration")(network.options, count=count)
    except NotInstalledError as error:
        if not network.trained:
            return None  # random weights have no accuracy to lose
        raise NotInstalledError(
            error.message, hints=[*error.hints, "or --data random: for time and memory, not for accuracy"]
        ) from error
