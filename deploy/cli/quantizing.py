"""What ``quantize`` and ``compile`` share: which model and data are meant, and quantizing with a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.quantizing.quantization import Quantized
    from deploy.zoo.model_source import ModelSource


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
    from deploy.zoo import model_source

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
    """:func:`deploy.api.quantize` with a progress bar, unless ``quiet``."""
    from deploy import api
    from deploy.cli.console import progress

    with progress("comparing float and quantized model", quiet=quiet) as bar:
        return api.quantize(
            source, calibration, samples=samples, io=io, verbose=verbose, again=again, progress=bar.advance
        )
