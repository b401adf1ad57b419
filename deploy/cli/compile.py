"""``deploy compile``: quantize where needed, run Vela, write the build folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

COMPILE_EPILOG = """Examples:

    deploy compile model.tflite --npu U55-128

    deploy compile model.keras --calibration train.npz --npu U65-256 -o build/demo

    deploy compile models:multihead-mobilenetv3 --set alpha=0.5 --npu U55-256

The build folder is replaced as a whole when all went well, and left alone otherwise.
"""

DEFAULT_NPU = "U55-128"


def compile_(
    model: Annotated[
        str | None, typer.Argument(help=".tflite, .keras, .h5, SavedModel, FILE.py:function, or models:NAME.")
    ] = None,
    npu: Annotated[
        str | None, typer.Option(help="U55-32 to U55-256, U65-256, U65-512, U85-128 to U85-2048.")
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
        typer.Option(help="For float models: .npz, .npy, a folder of images, FILE.py:function, or random."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Samples to calibrate with; default 200.")] = None,
    io: Annotated[str | None, typer.Option(help="For float models: uint8 (default) or int8.")] = None,
    system_config: Annotated[str | None, typer.Option(help="Section of Vela's Arm/vela.ini.")] = None,
    memory_mode: Annotated[str | None, typer.Option(help="Section of Vela's Arm/vela.ini.")] = None,
    optimise: Annotated[str | None, typer.Option(help="Performance (default) or Size.")] = None,
    sram_limit: Annotated[
        str | None, typer.Option(help="Most SRAM the model may take: bytes, 512K, 2M. Default: the board's.")
    ] = None,
    advice: Annotated[
        str | None,
        typer.Option(
            help="What would make the model cheaper: quick (default) has the operators tried alone, full whole "
            "networks, too, which takes minutes; or none."
        ),
    ] = None,
    build: Annotated[
        Path | None, typer.Option("-o", "--output", help="Build folder; default build/<model>-<npu>.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write compile.json here too.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every operator, and what the converter prints.")
    ] = False,
) -> None:
    """Compile a model for an Ethos-U NPU and write the build folder that every later step reads.

    MODEL is a .tflite, .keras or .h5 file, a SavedModel folder, FILE.py:function, or models:NAME.
    """
    import click

    from deploy.cli.advice import Advising, advice_level
    from deploy.compiling import vela

    context, advising = click.get_current_context(), Advising()
    context.call_on_close(advising.join)
    run = None
    if model is not None and model.endswith(".tflite"):
        # Vela loads beside what is imported below; it ends with this command, whatever comes.
        run = context.with_resource(vela.starting(twin=advice != "none"))

    from deploy import settings
    from deploy.build_folder import FLOAT_MODEL, QUANTIZE_DOCUMENT, SOURCE_MODEL
    from deploy.cli.console import stdout
    from deploy.cli.fitting import with_advice
    from deploy.cli.html_report import preload_report, refresh_report
    from deploy.cli.quantizing import chosen_calibration, chosen_model, quantize_source
    from deploy.compiling.compilation import DoesNotFitError, check_replaceable, compile_model
    from deploy.compiling.compile_options import compile_options
    from deploy.compiling.compiler import Compiler
    from deploy.errors import BadInputError
    from deploy.files import check_writable, write_text
    from deploy.hardware.npus import npu_config
    from deploy.quantizing import model_source
    from deploy.reporting.advice_text import MOST_HINTS
    from deploy.reporting.text import print_build
    from deploy.tflite import model as tflite_model

    kept = settings.load()
    level = advice_level(advice, kept.advice)
    source = chosen_model(model, assignments, kept, "deploy compile MODEL --npu U55-128")
    text = source.text
    npu_name = npu or kept.npu
    if npu_name is None:
        raise BadInputError("no NPU given", hints=[f"deploy compile {text} --npu {DEFAULT_NPU}"])
    options = compile_options(
        npu_config(npu_name),
        system_config=system_config or kept.system_config,
        memory_mode=memory_mode or kept.memory_mode,
        optimise=optimise or kept.optimise,
        sram_limit=sram_limit or kept.sram_limit,
    )
    default = Path("build") / f"{source.name}-{options.npu.name.lower()}"
    folder = build or (Path(kept.build) if kept.build else default)
    check_replaceable(folder)
    if json is not None:
        check_writable(json)
    extra: dict[str, bytes] = {}
    notes: tuple[str, ...] = ()
    if source.kind is model_source.ModelKind.TFLITE:
        quantized = tflite_model.read(source.path)
        if calibration is not None and not quiet:
            print(f"note: {text} is quantized already, --calibration is not used", file=sys.stderr)
    else:
        result = quantize_source(
            source,
            chosen_calibration(source, calibration, model, kept),
            samples=samples or kept.samples,
            io=io or kept.io,
            again=f"deploy compile {text} --npu {options.npu.name}",
            quiet=quiet,
            verbose=verbose,
        )
        quantized = result.model
        extra[QUANTIZE_DOCUMENT] = (result.document.model_dump_json(indent=2) + "\n").encode()
        if result.floating is not None:
            extra[FLOAT_MODEL] = result.floating
        notes = result.document.warnings
    preload_report()
    run = run or context.with_resource(vela.starting(twin=level is not None))
    if level is not None:
        target = text if source.kind is model_source.ModelKind.TFLITE else str(folder / SOURCE_MODEL)
        advising.start(quantized, options, level, target=target, run=run, source=source)
    compiler = Compiler(run)
    try:
        opened = compile_model(
            quantized, options, folder, name=source.name, source=text, extra=extra, notes=notes, compiler=compiler
        )
    except DoesNotFitError as error:
        raise with_advice(error, source, quantized, options, compiler, quiet=quiet) from error
    settings.remember_build(folder)
    advising.finish(opened, quiet=quiet)
    report = refresh_report(opened, quiet=quiet)
    if json is not None:
        write_text(json, opened.document.model_dump_json(indent=2) + "\n")
    if not quiet:
        console = stdout()
        print_build(opened, console, every_operator=verbose, most_hints=None if verbose else MOST_HINTS)
        if report is not None:
            console.print(f"report: {report}")
        console.print(f"build folder: {folder}")
