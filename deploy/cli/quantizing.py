"""What ``quantize`` and ``compile`` share: loading model and data, and quantizing with a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.quantizing.model_source import ModelSource
    from deploy.quantizing.quantization import Quantized


def quantize_source(
    source: ModelSource, calibration: str, *, samples: int | None, io: str | None, quiet: bool, verbose: bool
) -> Quantized:
    """Load a float model and its calibration data, and quantize.

    Args:
        source: any kind but a TFLite file.
        calibration: as the user named it.
        samples: at most so many; None for the default.
        io: ``uint8`` or ``int8``; None for the default.
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
