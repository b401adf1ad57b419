"""``deploy quantize``: float model to full-integer TFLite, with the agreement between the two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from deploy.settings import options
from deploy.settings.declared import Writes, option

QUANTIZE_EPILOG = """Examples:

    deploy quantize model.keras --data train.npz -o model.tflite

    deploy quantize net.py:build --data images/ --io int8 -o model.tflite

Images are resized to the model's input and scaled to the range for which its first layers (Rescaling) are made,
to 0..1 where it shows none, or to that of --image-range; for anything else pass FILE.py:function.
"""


def quantize(
    model: options.Model,
    set_: options.Set,
    signature: options.Signature,
    calibration: options.Calibration,
    image_range: options.ImageRange,
    samples: options.Samples,
    io: options.Io,
    precision: Annotated[
        str | None,
        option(help="int8 (default), or int16x8: activations, inputs and outputs of 16 bits, weights of 8."),
    ],
    floating: Annotated[
        list[str] | None,
        option(
            "--float",
            metavar="OPERATOR",
            help="Stays float: TFLite's name of an operator, or a regular expression of tensor names; repeatable.",
        ),
    ],
    debug: Annotated[
        bool, option(help="Show the error of each operator, alone and carried so far.", default=False)
    ],
    output: Annotated[
        Path | None, option("-o", "--output", help="File to write; default: MODEL.tflite here."), Writes("file")
    ],
    json: options.Json,
    quiet: options.Quiet,
    verbose: options.ConverterVerbose,
) -> None:
    """Quantize a float model to int8 with real data, and report how closely it follows the float model.

    MODEL is a .keras or .h5 file, a SavedModel folder, a float .tflite, FILE.py:function, or models:NAME.
    """
    from deploy.cli.progress import working

    bar = working("reading model and data", quiet=quiet or verbose)
    from deploy.cli.call_documents import current
    from deploy.cli.console import stdout
    from deploy.cli.quantizing import chosen_model, keep_samples, quantize_source
    from deploy.files import check_writable, write_bytes
    from deploy.reporting.text.build import agreement_table, layer_error_table

    source = chosen_model(model, set_, "deploy quantize MODEL --data DATA -o model.tflite", signature=signature)
    target = output or Path(f"{source.name}.tflite")
    check_writable(target)
    result = quantize_source(
        source,
        calibration,
        samples=samples,
        image_range=image_range,
        io=io,
        precision=precision,
        floating=floating or (),
        debug=debug,
        again=f"deploy quantize {source.text}",
        bar=bar,
        verbose=verbose,
    )
    bar.close()
    write_bytes(target, result.model.content)
    kept = keep_samples(target, result)
    current().answer(lambda: result.document, written=[target, kept])
    if not quiet:
        document = result.document
        console = stdout()
        console.print(agreement_table(document.agreement, document.agreement_samples))
        if debug:
            console.print(layer_error_table(document.layers))
        for warning in document.warnings:
            console.print(f"note: {warning}")
        inside = ", ".join([f"{document.precision} inside", *(f"{code} in float" for code in document.floating)])
        console.print(
            f"{target}: {len(result.model.content):,} bytes, {inside}, {document.io} inputs and outputs, "
            f"calibrated with {document.calibration_samples} samples of {document.calibration}"
        )
        if kept is not None:
            console.print(f"{kept}: samples of them, which builds of this model are tested with")
