"""``deploy quantize``: float model to full-integer TFLite, with the agreement between the two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

QUANTIZE_EPILOG = """Examples:

    deploy quantize model.keras --calibration train.npz -o model.tflite

    deploy quantize net.py:build --calibration images/ --io int8 -o model.tflite

Images are resized to the model's input and scaled to [0, 1]; for anything else pass FILE.py:function.
"""


def quantize(
    model: Annotated[
        str | None, typer.Argument(help=".keras, .h5, SavedModel folder, FILE.py:function, or models:NAME.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An option of the network that models:NAME or FILE.py:function builds, e.g. size=96; repeatable.",
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(help="Real data: .npz, .npy, a folder of images, or FILE.py:function; or random."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Samples to calibrate with; default 200.")] = None,
    io: Annotated[str | None, typer.Option(help="Inputs and outputs: uint8 (default) or int8.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; default: MODEL.tflite here.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the agreement as a JSON document here.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the converter prints.")] = False,
) -> None:
    """Quantize a float model to int8 with real data, and report how closely it follows the float model.

    MODEL is a .keras or .h5 file, a SavedModel folder, FILE.py:function, or models:NAME.
    """
    from deploy import settings
    from deploy.cli.console import stdout
    from deploy.cli.quantizing import chosen_calibration, chosen_model, quantize_source
    from deploy.errors import BadInputError
    from deploy.files import check_writable, write_bytes, write_text
    from deploy.quantizing import model_source
    from deploy.reporting.text import agreement_table

    kept = settings.load()
    source = chosen_model(model, assignments, kept, "deploy quantize MODEL --calibration DATA -o model.tflite")
    text = source.text
    if source.kind is model_source.ModelKind.TFLITE:
        raise BadInputError(
            f"{text}: a TFLite file cannot be quantized any more", hints=["pass the Keras model it comes from"]
        )
    target = output or Path(f"{source.name}.tflite")
    for path in filter(None, (target, json)):
        check_writable(path)
    result = quantize_source(
        source,
        chosen_calibration(source, calibration, model, kept),
        samples=samples or kept.samples,
        io=io or kept.io,
        again=f"deploy quantize {text}",
        quiet=quiet,
        verbose=verbose,
    )
    write_bytes(target, result.model.content)
    if json is not None:
        write_text(json, result.document.model_dump_json(indent=2) + "\n")
    if not quiet:
        document = result.document
        console = stdout()
        console.print(agreement_table(document.agreement, document.agreement_samples))
        for warning in document.warnings:
            console.print(f"note: {warning}")
        console.print(
            f"{target}: {len(result.model.content):,} bytes, int8 inside, {document.io} inputs and outputs, "
            f"calibrated with {document.calibration_samples} samples of {document.calibration}"
        )
