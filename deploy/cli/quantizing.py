"""What ``quantize`` and ``compile`` share: loading model and data, and quantizing with a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.quantizing.model_source import ModelSource
    from deploy.quantizing.quantization import Quantized


def chosen_model(model: str | None, assignments: list[str] | None, again: str) -> ModelSource:
    """The model to work on.

    Args:
        model: MODEL of the command line or of ``deploy.toml``.
        assignments: its options.
        again: an example of the command.

    Raises:
        BadInputError: there is none, or it is none.
    """
    from deploy.errors import BadInputError
    from deploy.quantizing import model_source

    if model is None:
        raise BadInputError("no MODEL given", hints=[again, "deploy init"])
    return model_source.parse(model, assignments or ())


def quantize_source(
    source: ModelSource,
    calibration: str | None,
    *,
    samples: int | None,
    io: str | None,
    again: str,
    quiet: bool,
    verbose: bool,
) -> Quantized:
    """Load a float model and its calibration data, and quantize.

    Args:
        source: any kind but a TFLite file.
        calibration: as the user named it; None for a model project's own, which no other model has.
        samples: at most so many; None for the default.
        io: ``uint8`` or ``int8``; None for the default.
        again: the command to type, but for its calibration data.
        quiet: no progress bar.
        verbose: let TensorFlow print.

    Raises:
        BadInputError: model or data cannot be used.
        NotInstalledError: TensorFlow is missing.
    """
    from deploy.cli.console import progress
    from deploy.errors import BadInputError
    from deploy.quantizing import dataset, model_source
    from deploy.quantizing.quantization import IO_TYPES, quantize

    if io is not None and io not in IO_TYPES:
        raise BadInputError(f"--io {io}: choose {' or '.join(IO_TYPES)}")
    if source.kind is model_source.ModelKind.PROJECT:
        return _quantize_project(source, calibration, samples, io or IO_TYPES[0], quiet, verbose)
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
    with progress("comparing float and quantized model", quiet=quiet) as bar:
        return quantize(
            model,
            data,
            io=io or IO_TYPES[0],
            verbose=verbose,
            advance=bar.advance,
        )


def _quantize_project(
    source: ModelSource, calibration: str | None, samples: int | None, io: str, quiet: bool, verbose: bool
) -> Quantized:
    """A network by name: with trained weights and data of its own where the project brings them."""
    from deploy import zoo
    from deploy.chatter import silenced
    from deploy.cli.console import progress
    from deploy.zoo.quantized import quantize_network

    with silenced(verbose=verbose):
        network = zoo.network(source.project, source.assignments)
    with progress("comparing float and quantized model", quiet=quiet) as bar:
        return quantize_network(
            network, data=calibration, samples=samples, io=io, verbose=verbose, advance=bar.advance
        )
