"""``deploy optimize``: the same model in forms that the NPU computes faster, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.settings import options
from deploy.settings.declared import Writes, option

OPTIMIZE_EPILOG = """Examples:

    deploy optimize model.tflite --npu U55-128

    deploy optimize model.tflite --npu U55-128 --data test.npz --count 50 --tolerance 2 -o faster.tflite

    deploy optimize model.tflite --npu U65-256 --exact        only what computes the same integers by construction

Nothing is written unless the outputs stay within the tolerance and the NPU model computes them.
"""

DEFAULT_COUNT = 8


def optimize(
    model: Annotated[Path, typer.Argument(help="A quantized .tflite.")],
    npu: options.Npu,
    signature: options.Signature,
    inputs: options.Data,
    image_range: options.ImageRange,
    count: Annotated[int | None, option(help=f"How many inputs; default {DEFAULT_COUNT}.", min=1), options.COUNT],
    tolerance: options.Tolerance,
    exact: Annotated[
        bool, option("--exact", help="Only forms that compute the same integers by construction.", default=False)
    ],
    system_config: options.SystemConfig,
    memory_mode: options.MemoryMode,
    optimise: options.Optimise,
    output: Annotated[
        Path | None,
        option("-o", "--output", help="File to write; default MODEL_optimized.tflite beside it."),
        Writes("file"),
    ],
    json: options.Json,
    quiet: options.Quiet,
) -> int:
    """Rewrite a model into forms that an Ethos-U computes faster, and prove that it computes the same.

    Every form is tried by Vela, alone and in the network; what does not pay is left as it is. The outputs are then
    compared with the original's on LiteRT's kernels, and the compiled model runs on the NPU model.

    Exit status: 0 done (or nothing to win), 1 the NPU model disagrees, 2 bad input, 3 something is not installed,
    4 the NPU model refused the stream.
    """
    import click

    from deploy.cli.latency import starting_vela
    from deploy.errors import BadInputError
    from deploy.hardware.npus import npu_named

    if model.suffix != ".tflite":
        raise BadInputError(
            f"{model}: rewrites work on a quantized .tflite",
            hints=[f"deploy quantize {model} --data DATA -o model.tflite, and then that"],
        )
    if npu is None:
        raise BadInputError("no NPU given", hints=[f"deploy optimize {model} --npu U55-128"])
    target = npu_named(npu)
    # Vela loads beside what is imported below; it ends with this command, whatever comes.
    run = click.get_current_context().with_resource(starting_vela())
    from deploy.cli.progress import working

    bar = working("reading model and inputs", quiet=quiet)
    from deploy.cli.call_documents import current
    from deploy.cli.console import note, note_slow_npu_model, stdout
    from deploy.compiling.compile_options import compile_options
    from deploy.compiling.compiler import Compiler
    from deploy.data.image_range import parsed
    from deploy.files import check_writable, write_bytes
    from deploy.intake.taking import take_file
    from deploy.judging.inputs import given_inputs, random_inputs
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.optimizing.optimization import optimize as run_optimization
    from deploy.reporting.text.optimization import print_optimization

    wanted = compile_options(
        target,
        system_config=system_config,
        memory_mode=memory_mode,
        optimise=optimise,
    )
    result_file = output or model.with_name(f"{model.stem}_optimized.tflite")
    if result_file.exists() and model.exists() and result_file.samefile(model):
        raise BadInputError(f"{result_file}: is the model itself", hints=["-o ANOTHER_FILE"])
    check_writable(result_file)
    taken = take_file(model, signature)
    quantized = taken.model
    samples = (
        given_inputs(inputs, quantized, count or DEFAULT_COUNT, image_range=parsed(image_range))
        if inputs is not None
        else random_inputs(quantized, count or DEFAULT_COUNT)
    )

    note_slow_npu_model(quiet=quiet)
    for each in (*taken.notes, *samples.notes):
        note(each, quiet=quiet)

    optimized = run_optimization(
        quantized,
        wanted,
        samples,
        source=str(model),
        tolerance=DEFAULT_TOLERANCE_LSB if tolerance is None else tolerance,
        exact=exact,
        compiler=Compiler(run),
        say=bar.stage,
    )
    bar.close()
    document = optimized.document
    if document.verdict != "fail":
        write_bytes(result_file, optimized.model.content)
    current().answer(lambda: document, written=[result_file] if document.verdict != "fail" else ())
    if not quiet:
        console = stdout()
        for each in taken.notes:
            console.print(f"note: {each}")
        print_optimization(document, console)
        if document.verdict == "fail":
            console.print("nothing written")
        elif document.verdict == "unchanged":
            console.print(f"{result_file}: {'the same model' if taken.notes else 'a copy of'} {model}")
        else:
            console.print(f"{result_file}: {len(optimized.model.content):,} bytes")
    return 1 if document.verdict == "fail" else 0
