"""``deploy optimize``: the same model in forms that the NPU computes faster, checked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

OPTIMIZE_EPILOG = """Examples:

    deploy optimize model.tflite --npu U55-128

    deploy optimize model.tflite --npu U55-128 --inputs test.npz --count 50 --tolerance 2 -o faster.tflite

    deploy optimize model.tflite --npu U65-256 --exact        only what computes the same integers by construction

Nothing is written unless the outputs stay within the tolerance and the NPU model computes them.
"""

DEFAULT_COUNT = 8


def optimize(
    model: Annotated[Path, typer.Argument(help="A quantized .tflite.")],
    npu: Annotated[
        str | None, typer.Option(help="U55-32 to U55-256, U65-256, U65-512, U85-128 to U85-2048.")
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(help=".npz with an array per input, to compare outputs with; default: made-up data."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help=f"How many inputs; default {DEFAULT_COUNT}.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, help="Largest difference of an output from the original's, in LSB; default 1."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Only forms that compute the same integers by construction.")
    ] = False,
    system_config: Annotated[str | None, typer.Option(help="Section of Vela's Arm/vela.ini.")] = None,
    memory_mode: Annotated[str | None, typer.Option(help="Section of Vela's Arm/vela.ini.")] = None,
    optimise: Annotated[str | None, typer.Option(help="Vela's strategy: Performance (default) or Size.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write; default MODEL_optimized.tflite beside it."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write what was changed, won and compared here.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> int:
    """Rewrite a model into forms that an Ethos-U computes faster, and prove that it computes the same.

    Every form is tried by Vela, alone and in the network; what does not pay is left as it is. The outputs are then
    compared with the original's on LiteRT's kernels, and the compiled model runs on the NPU model.

    Exit status: 0 done (or nothing to win), 1 the NPU model disagrees, 2 bad input, 3 something is not installed,
    4 the NPU model refused the stream.
    """
    import click

    from deploy import settings
    from deploy.cli.console import stdout
    from deploy.compiling import vela
    from deploy.compiling.compile_options import compile_options
    from deploy.compiling.compiler import Compiler
    from deploy.errors import BadInputError
    from deploy.files import check_writable, write_bytes, write_text
    from deploy.hardware.npus import npu_config
    from deploy.judging.inputs import load_inputs, random_inputs
    from deploy.optimizing.optimization import optimize as run_optimization
    from deploy.optimizing.text import print_optimization
    from deploy.targets.target_run import DEFAULT_TOLERANCE_LSB
    from deploy.tflite import model as tflite_model

    if model.suffix != ".tflite":
        raise BadInputError(
            f"{model}: rewrites work on a quantized .tflite",
            hints=[f"deploy quantize {model} --calibration DATA -o model.tflite, and then that"],
        )
    kept = settings.load()
    npu_name = npu or kept.npu
    if npu_name is None:
        raise BadInputError("no NPU given", hints=[f"deploy optimize {model} --npu U55-128"])
    options = compile_options(
        npu_config(npu_name),
        system_config=system_config or kept.system_config,
        memory_mode=memory_mode or kept.memory_mode,
        optimise=optimise or kept.optimise,
    )
    result_file = output or model.with_name(f"{model.stem}_optimized.tflite")
    if result_file.exists() and model.exists() and result_file.samefile(model):
        raise BadInputError(f"{result_file}: is the model itself", hints=["-o ANOTHER_FILE"])
    for file in (result_file, json):
        if file is not None:
            check_writable(file)
    quantized = tflite_model.read(model)
    data = inputs or (Path(kept.inputs) if kept.inputs else None)
    samples = (
        load_inputs(data, quantized, count or DEFAULT_COUNT)
        if data is not None
        else random_inputs(quantized, count or DEFAULT_COUNT)
    )
    chosen = tolerance if tolerance is not None else kept.tolerance

    def say(what: str) -> None:
        if not quiet and sys.stderr.isatty():
            print(f"deploy: {what}", file=sys.stderr, flush=True)

    optimized = run_optimization(
        quantized,
        options,
        samples,
        source=str(model),
        tolerance=DEFAULT_TOLERANCE_LSB if chosen is None else chosen,
        exact=exact,
        compiler=Compiler(click.get_current_context().with_resource(vela.starting())),
        say=say,
    )
    document = optimized.document
    if document.verdict != "fail":
        write_bytes(result_file, optimized.model.content)
    if json is not None:
        write_text(json, document.model_dump_json(indent=2) + "\n")
    if not quiet:
        console = stdout()
        print_optimization(document, console)
        if document.verdict == "fail":
            console.print("nothing written")
        elif document.verdict == "unchanged":
            console.print(f"{result_file}: a copy of {model}")
        else:
            console.print(f"{result_file}: {len(optimized.model.content):,} bytes")
    return 1 if document.verdict == "fail" else 0
