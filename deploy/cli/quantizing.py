"""What ``quantize`` and ``compile`` share: which model and data are meant, and quantizing with a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.quantizing.model_source import ModelSource
    from deploy.quantizing.quantization import Quantized
    from deploy.settings import Settings


def chosen_model(model: str | None, assignments: list[str] | None, kept: Settings, again: str) -> ModelSource:
    """The model to work on: the command line's with its options, or that of ``deploy.toml`` with its.

    Args:
        model: MODEL of the command line.
        assignments: ``--set`` of the command line; wins over the options that ``deploy.toml`` keeps for its model.
        kept: the project's settings.
        again: an example of the command.

    Raises:
        BadInputError: there is none, or it is none.
    """
    from deploy.errors import BadInputError
    from deploy.quantizing import model_source

    if model is not None:
        return model_source.parse(model, assignments or ())
    if kept.model is None:
        raise BadInputError("no MODEL given", hints=[again, "deploy init"])
    return model_source.parse(kept.model, assignments or kept.set or ())


def chosen_calibration(
    source: ModelSource, calibration: str | None, model: str | None, kept: Settings
) -> str | None:
    """The calibration data: the command line's, else that of ``deploy.toml``.

    The latter is made for the project's own model: a ``models:NAME`` that the command line names brings its own.
    """
    from deploy.quantizing.model_source import ModelKind

    if calibration is not None or (source.kind is ModelKind.PROJECT and model is not None):
        return calibration
    return kept.calibration


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
    """:func:`deploy.quantizing.from_source.quantize_source` with a progress bar, unless ``quiet``."""
    from deploy.cli.console import progress
    from deploy.quantizing import from_source

    with progress("comparing float and quantized model", quiet=quiet) as bar:
        return from_source.quantize_source(
            source, calibration, samples=samples, io=io, verbose=verbose, again=again, advance=bar.advance
        )
