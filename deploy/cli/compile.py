"""``deploy compile``: quantize where needed, run Vela, write the build folder."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from deploy.api import DEFAULT_NPU
from deploy.settings import options
from deploy.settings.declared import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.judging.samples import Sample
    from deploy.processes.supervisor import RunCommand
    from deploy.quantizing.quantization import Quantized
    from deploy.reporting.data.build_report import BuildReport
    from deploy.tflite import Model

COMPILE_EPILOG = """Examples:

    deploy compile model.tflite --npu U55-128

    deploy compile model.keras --data train.npz --npu U65-256 -o build/demo

    deploy compile models:multihead-mobilenetv3 --set alpha=0.5 --npu U55-256

The build folder is replaced as a whole when Vela went through, and left alone otherwise.

Then a few inputs run on the NPU model, and its operators are compared with the reference kernels, for at most as
long as Vela took; what was left out is said. An operator that is miscompiled is named, with the way around where
one is known, and the exit status is 1; the build folder is there all the same.
"""


def compile_(
    model: options.Model,
    npu: options.Npu,
    set_: options.Set,
    signature: options.Signature,
    calibration: options.Calibration,
    image_range: options.ImageRange,
    samples: options.Samples,
    io: options.Io,
    system_config: options.SystemConfig,
    memory_mode: options.MemoryMode,
    optimise: options.Optimise,
    sram_limit: options.SramLimit,
    advice: options.Advice,
    verify: options.Verify,
    build: options.BuildOutput,
    json: options.Json,
    quiet: options.Quiet,
    verbose: Annotated[
        bool, option("--verbose", "-v", help="Print every operator, and what the converter prints.", default=False)
    ],
) -> None:
    """Compile a model for an Ethos-U NPU and write the build folder that every later step reads.

    MODEL is a .tflite, .keras or .h5 file, a SavedModel folder, FILE.py:function, or models:NAME.

    Exit status: 0 done, 1 an operator is miscompiled, 2 bad input, 3 something is not installed.
    """
    import click

    from deploy.cli.advice import Advising, advice_level
    from deploy.cli.checking import Checking, verify_level
    from deploy.cli.latency import load_report, starting_vela, with_first

    context, advising, checking = click.get_current_context(), Advising(), Checking(verify_level(verify))
    context.call_on_close(advising.join)
    context.call_on_close(checking.close)
    vela, run = ExitStack(), None
    context.call_on_close(vela.close)
    if model is not None and model.endswith(".tflite"):
        # Vela loads beside what is imported below; it ends with this command, whatever comes.
        run = vela.enter_context(starting_vela(twin=advice != "none"))
        checking.vela_starts()
    from deploy.cli.progress import working

    bar = working("reading model and data", quiet=quiet or verbose)
    # No more than Vela's command needs: it is what takes longest.
    from deploy import api, tflite
    from deploy.cli.quantizing import chosen_model, quantize_source
    from deploy.compiling.compile_options import compile_options
    from deploy.compiling.vela_ahead import VelaAhead
    from deploy.errors import BadInputError
    from deploy.hardware.npus import npu_named
    from deploy.settings.merging import typed
    from deploy.settings.project_settings import ProjectSettings
    from deploy.zoo import model_source

    project = context.find_object(ProjectSettings) or ProjectSettings()
    level = advice_level(advice)
    source = chosen_model(model, set_, "deploy compile MODEL --npu U55-128", signature=signature)
    text = source.text
    if npu is None:
        raise BadInputError("no NPU given", hints=[f"deploy compile {text} --npu {DEFAULT_NPU}"])
    wanted = compile_options(
        npu_named(npu),
        system_config=system_config,
        memory_mode=memory_mode,
        optimise=optimise,
        sram_limit=sram_limit,
    )
    folder = build or api.default_folder(source.name, wanted, project.folder)
    chosen: Model | Quantized
    read_from: Path | None = None
    if source.kind is model_source.ModelKind.TFLITE:
        chosen, read_from = tflite.read(source.path), source.path
        if typed("model") and not typed("calibration"):
            calibration = None  # what is kept is for the kept model: a quantized one does without
    else:
        from deploy.compiling.compilation import check_replaceable

        check_replaceable(folder)
        chosen = quantize_source(
            source,
            calibration,
            samples=samples,
            image_range=image_range,
            io=io,
            again=f"deploy compile {text} --npu {wanted.npu.name}",
            bar=bar,
            verbose=verbose,
        )
    chosen, notes = api.taken(chosen, text, source.signature_of_file)
    quantized = chosen if isinstance(chosen, tflite.Model) else chosen.model
    if run is None:
        run = vela.enter_context(starting_vela(twin=level is not None))
        checking.vela_starts()
    ahead = VelaAhead(quantized, wanted, run)
    context.call_on_close(ahead.close)
    context.call_on_close(vela.close)  # before the other
    bar.stage("Vela compiles")

    def seen() -> Sequence[Sample]:
        from deploy.judging.sample_file import samples_beside

        if not isinstance(chosen, tflite.Model):
            found = chosen.samples
        else:
            found = samples_beside(read_from, chosen)[0] if read_from and calibration is None else None
        return found.samples if found else ()

    checking.prepare(quantized, wanted.npu, seen)
    from deploy.build_folder import SOURCE_MODEL
    from deploy.cli.fitting import with_advice
    from deploy.compiling.compilation import DoesNotFitError
    from deploy.compiling.compiler import Compiler
    from deploy.settings.last_build import remember_build

    target = text if source.kind is model_source.ModelKind.TFLITE else str(folder / SOURCE_MODEL)

    def beside_vela(run: RunCommand = ahead.run) -> None:
        load_report()
        if level is not None:
            advising.start(quantized, wanted, level, target=target, run=run, source=source)

    compiler = Compiler(checking.timing(with_first(ahead.run, beside_vela)))
    try:
        opened = api.write_build(
            chosen,
            wanted,
            output=folder,
            name=source.name,
            source=text,
            compiler=compiler,
            read_from=read_from,
            notes=notes,
            data=calibration,
            image_range=image_range,
            ready=functools.partial(checking.begin, quiet=quiet),
        )
    except DoesNotFitError as error:
        bar.stage("looking for what fits")
        raise with_advice(error, source, quantized, wanted, compiler, quiet=quiet) from error
    # While the check goes on, what tells of it: before, it would delay Vela.
    from deploy.cli.call_documents import current
    from deploy.cli.html_report import refresh_report

    remember_build(folder, project.folder)
    bar.stage("looking for what would be cheaper")
    advising.finish(opened, quiet=quiet)
    vela.close()
    bar.stage("writing the report")
    report = refresh_report(opened, quiet=quiet)
    if not quiet:
        from deploy.cli.console import stdout
        from deploy.reporting.text.build import MOST_HINTS, print_build
    bar.stage("checking the operators")
    record = checking.finish()
    bar.close()

    def report_document() -> BuildReport:
        from deploy.reporting.data.build_report import build_report

        return build_report(opened)

    current().answer(report_document, written=[folder, report])
    if not quiet:
        console = stdout()
        print_build(opened, console, every_operator=verbose, most_hints=None if verbose else MOST_HINTS)
        if report is not None:
            console.print(f"report: {report}")
        console.print(f"build folder: {folder}")
    if record.faults:
        from deploy.judging.verification_record import MiscompiledError

        raise MiscompiledError(opened, record)
