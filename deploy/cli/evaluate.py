"""``deploy evaluate``: accuracy over a labelled set, in float, quantized and on target."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.evaluating.document import EvaluationDocument
    from deploy.targets.session import Session

HOST = "host"
"""The target that is the NPU model alone."""

EVALUATE_EPILOG = """Examples:

    deploy evaluate build/demo --data test.npz --labels labels.json

    deploy evaluate build/demo --data photos --fail-below 90% --save-wrong wrong    a folder of images per class

    deploy evaluate build/demo --data test.npz --target open --count 64             on the whole machine

DATA is an .npz with the inputs and an array labels_OUTPUT (labels, where there is one output), an .npz with
--labels, a folder with a folder of images per class, or FILE.py:function that returns such arrays,
(inputs, labels), or an iterable of (input, label). Inputs are as the model takes them, or real values, which are
quantized.
"""


def evaluate(
    build: Annotated[Path | None, typer.Argument(help="Build folder; default: the one compiled last.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Labelled set: .npz, folder of class folders, or FILE.py:function.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help=".json with class names and true labels.")] = None,
    head: Annotated[
        str | None, typer.Option(help="The output that labels without a name are for, where there are several.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The float model (Keras); default: the one that the build keeps, if it was quantized by compile."
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="An option of the network that --model names; repeatable."
        ),
    ] = None,
    target: Annotated[
        str, typer.Option(help="host (the NPU model alone), open, path of Arm's FVP, or docker:IMAGE.")
    ] = HOST,
    firmware: Annotated[
        str | None, typer.Option(help="What to boot: runner, npu, tflm, or FILE.elf; not with --target host.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Machines side by side; default: one a core.")] = None,
    timeout: Annotated[float | None, typer.Option(min=1, help="Seconds a boot may take.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many inputs; default: all.")] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", min=2, help="Count the true class among the K largest, too.")
    ] = None,
    fail_below: Annotated[
        str | None, typer.Option(help="Exit 1 where an output's accuracy on target is below, e.g. 90%.")
    ] = None,
    max_drop: Annotated[
        str | None,
        typer.Option(
            help="Exit 1 where it is more percentage points below the float model (without one: the reference)."
        ),
    ] = None,
    save_wrong: Annotated[
        Path | None, typer.Option(help="Folder for inputs that only the target gets wrong (.npz, images).")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the document here, too.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the outcome only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every class.")] = False,
) -> int:
    """Classify a labelled set in float, with the quantized reference and on target, and count what is right.

    The build folder keeps the document (evaluate.json), and `deploy report` shows and compares it.

    Exit status: 0 done, 1 a limit is missed, 2 bad input, 3 something is not installed, 4 no complete answer.
    """
    from deploy import settings
    from deploy.build_folder import BuildFolder
    from deploy.cli.console import progress, stdout
    from deploy.errors import BadInputError
    from deploy.evaluating.evaluation import EvaluateOptions, Evaluation
    from deploy.evaluating.limits import parse_limits
    from deploy.evaluating.text import print_evaluation, print_outcome
    from deploy.files import check_writable
    from deploy.quantizing import model_source

    kept = settings.load()
    limits = parse_limits(fail_below, max_drop)
    source = data or kept.inputs
    if source is None:
        raise BadInputError("no labelled set given", hints=["deploy evaluate BUILD --data DATA"])
    if assignments and model is None:
        raise BadInputError("--set goes with --model")
    if target == HOST and (firmware or jobs or timeout):
        raise BadInputError("--firmware, --jobs and --timeout need a machine", hints=["--target open"])
    if json is not None:
        check_writable(json)
    options = EvaluateOptions(
        data=source,
        labels=labels or (Path(kept.labels) if kept.labels and data is None else None),
        output=head,
        model=model_source.parse(model, assignments or ()) if model else None,
        count=count,
        top_k=top_k,
        limits=limits,
        save_wrong=save_wrong,
    )
    opened = BuildFolder.open(build or (Path(kept.build) if kept.build else settings.last_build()))
    machine: Session | None = None
    if target != HOST:
        from deploy.targets.session import Session, TargetOptions

        machine = Session(
            opened,
            TargetOptions(
                firmware=firmware or kept.firmware or "runner",
                fvp=target,
                jobs=jobs or kept.jobs,
                timeout_s=timeout if timeout is not None else kept.timeout,
            ),
        )
    with progress("evaluating", quiet=quiet) as bar:
        evaluation = Evaluation(opened, options, machine).run(bar.advance)
    _keep(opened, evaluation, json, quiet=quiet)
    if quiet:
        print_outcome(evaluation, stdout())
    else:
        print_evaluation(evaluation, stdout(), every_class=verbose)
    return evaluation.exit_status


def _keep(build: BuildFolder, evaluation: EvaluationDocument, json: Path | None, *, quiet: bool) -> None:
    from deploy.errors import BadInputError
    from deploy.evaluating.document import evaluation_path
    from deploy.files import write_text

    text = evaluation.model_dump_json(indent=2) + "\n"
    if json is not None:
        write_text(json, text)
    try:
        write_text(evaluation_path(build), text)
    except BadInputError as error:
        if not quiet:
            print(f"note: the build folder does not keep this evaluation: {error.message}", file=sys.stderr)
