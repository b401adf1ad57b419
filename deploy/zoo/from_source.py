"""Quantizes whatever a MODEL argument names: loads the float model and its data, and converts."""

from __future__ import annotations

from collections.abc import Callable

from deploy.chatter import silenced
from deploy.errors import BadInputError
from deploy.quantizing import dataset
from deploy.quantizing.quantization import IO_TYPES, Quantized, quantize
from deploy.zoo import model_source
from deploy.zoo.model_source import ModelKind, ModelSource
from deploy.zoo.networks import network
from deploy.zoo.quantized import quantize_network


def quantize_source(
    source: ModelSource,
    calibration: str | None,
    *,
    samples: int | None = None,
    io: str | None = None,
    verbose: bool = False,
    again: str = "deploy quantize MODEL",
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Quantized:
    """Load a float model and its calibration data, and quantize.

    Args:
        source: any kind but a TFLite file.
        calibration: as a user names it; None for a model project's own, which no other model has.
        samples: at most so many; None for the default.
        io: ``uint8`` or ``int8``; None for the default.
        verbose: let TensorFlow print.
        again: the command to type, but for its calibration data.
        advance: called with (samples compared, samples to compare).

    Raises:
        BadInputError: model or data cannot be used.
        NotInstalledError: TensorFlow is missing.
    """
    io = IO_TYPES[0] if io is None else io
    if io not in IO_TYPES:
        raise BadInputError(f"--io {io}: choose {' or '.join(IO_TYPES)}")
    if source.kind is ModelKind.PROJECT:
        with silenced(verbose=verbose):
            built = network(source.project, source.assignments)
        return quantize_network(built, data=calibration, samples=samples, io=io, verbose=verbose, advance=advance)
    if calibration is None:
        raise BadInputError(
            f"{source.text}: a float model must be quantized, which needs real data",
            hints=[
                f"{again} --calibration DATA  (.npz, .npy, image folder or FILE.py:function)",
                "--calibration random: for time and memory, not for accuracy",
            ],
        )
    model = model_source.load_float(source, verbose=verbose)
    data = dataset.load(calibration, model.inputs, samples)
    return quantize(model, data, io=io, verbose=verbose, advance=advance)
