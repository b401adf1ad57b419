"""What ``quantize`` and ``compile`` share: which model and data are meant, and quantizing with a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deploy.cli.progress import Bar
    from deploy.quantizing.quantization import Quantized
    from deploy.zoo.model_source import ModelSource


def chosen_model(
    model: str | None, assignments: list[str] | None, again: str, *, signature: str | None = None
) -> ModelSource:
    """The model to work on.

    Args:
        model: MODEL of the command line or of ``deploy.toml``.
        assignments: its options.
        again: an example of the command.
        signature: of several, the one to take.

    Raises:
        BadInputError: there is none, or it is none.
    """
    from deploy.errors import BadInputError
    from deploy.zoo import model_source

    if model is None:
        raise BadInputError("no MODEL given", hints=[again, "deploy init"])
    return model_source.parse(model, assignments or (), signature)


def quantize_source(
    source: ModelSource,
    calibration: str | None,
    *,
    samples: int | None,
    image_range: str | None,
    io: str | None,
    precision: str | None = None,
    floating: Sequence[str] = (),
    debug: bool = False,
    again: str,
    bar: Bar,
    verbose: bool,
) -> Quantized:
    """:func:`deploy.api.quantize`; the bar says how far it is."""
    from deploy import api

    bar.stage("quantizing")
    compared = False

    def advance(done: int, total: int) -> None:
        nonlocal compared
        if not compared:
            bar.stage("comparing float and quantized model")
            compared = True
        bar.advance(done, total)

    return api.quantize(
        source,
        calibration,
        samples=samples,
        image_range=image_range,
        io=io,
        precision=precision,
        floating=floating,
        debug=debug,
        verbose=verbose,
        again=again,
        progress=advance,
    )


def keep_samples(target: Path, result: Quantized) -> Path | None:
    """Write calibration samples beside a quantized model, for ``compile`` to find; nothing where there are none.

    Args:
        target: the model's file.
        result: what was quantized.

    Returns:
        The file; None where none was written: there are no samples, or something else lies there, which is said.

    Raises:
        BadInputError: it cannot be written.
    """
    from deploy.cli.console import note
    from deploy.files import write_bytes
    from deploy.judging.sample_file import beside, holds_samples, samples_content
    from deploy.streams import is_stream

    file = beside(target)
    if result.samples is None or is_stream(target):
        return None
    if file.exists() and not holds_samples(file):
        note(f"{file}: not a file of deploy, so it stays; no samples are kept")
        return None
    write_bytes(file, samples_content(result.samples.samples, result.model, result.samples.source))
    return file
