"""``deploy evaluate``: accuracy over a labelled set, in float, quantized and on target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from deploy.api import HOST
from deploy.settings import options
from deploy.settings.declared import Writes, option

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.evaluating.documents import EvaluationDocument

EVALUATE_EPILOG = """Examples:

    deploy evaluate build/demo --data test.npz --labels labels.json

    deploy evaluate build/demo --data photos --fail-below 90% --save-wrong wrong    a folder of images per class

    deploy evaluate build/demo --data test.npz --target open --count 64             on the whole machine

    deploy evaluate build/demo --data test.npz --scheduler tcp://10.0.0.5:8786      on a Dask cluster's workers

DATA is an .npz with the inputs and an array labels_OUTPUT (labels, where there is one output), an .npz with
--labels, a folder with a folder of images per class, or FILE.py:function that returns such arrays,
(inputs, labels), or an iterable of (input, label). Inputs are as the model takes them, or real values, which are
quantized; values that saturate are counted. Images are scaled to the range that the input was quantized for.
"""


def evaluate(
    build: options.Build,
    data: options.LabelledData,
    image_range: options.ImageRange,
    labels: options.Labels,
    head: Annotated[
        str | None, option(help="The output that labels without a name are for, where there are several.")
    ],
    model: Annotated[
        str | None,
        option(
            help="The float model (Keras); default: the one that the build keeps, if it was quantized by compile."
        ),
        options.MODEL_PATH,
    ],
    set_: Annotated[
        list[str] | None,
        option("--set", metavar="KEY=VALUE", help="An option of the network that --model names; repeatable."),
    ],
    target: Annotated[
        str,
        option(
            "--target",
            "--fvp",
            help="host (default; the NPU model alone), open, path of Arm's FVP, or docker:IMAGE.",
            default=HOST,
        ),
        options.FVP_PATH,
    ],
    oracle: Annotated[
        str,
        option(
            "--oracle",
            help="Kernels to classify with beside the target: litert (LiteRT's reference), tflm, or auto "
            "(default): litert, and tflm where that cannot run the model.",
            default="auto",
        ),
    ],
    firmware: options.Firmware,
    jobs: options.Jobs,
    scheduler: options.Scheduler,
    timeout: options.Timeout,
    count: Annotated[int | None, option(help="How many inputs; default: all.", min=1)],
    sequence: options.Sequence,
    state: options.State,
    top_k: Annotated[int | None, option("--top-k", help="Count the true class among the K largest, too.", min=2)],
    fail_below: Annotated[
        str | None, option(help="Exit 1 where an output's accuracy on target is below, e.g. 90%.")
    ],
    max_drop: Annotated[
        str | None,
        option(
            help="Exit 1 where it is more percentage points below the float model (without one: the reference)."
        ),
    ],
    save_wrong: Annotated[
        Path | None,
        option(help="Folder for inputs that only the target gets wrong (.npz, images)."),
        Writes("replaced folder"),
    ],
    json: options.Json,
    quiet: Annotated[bool, option("--quiet", "-q", help="Print the outcome only.", default=False)],
    verbose: Annotated[bool, option("--verbose", "-v", help="Print every class.", default=False)],
) -> int:
    """Classify a labelled set in float, with the quantized reference and on target, and count what is right.

    The build folder keeps the document (evaluate.json), and `deploy report` shows and compares it.

    Exit status: 0 done, 1 a limit is missed, 2 bad input, 3 something is not installed, 4 no complete answer.
    """
    from deploy.cli.progress import working

    bar = working("reading build and data", quiet=quiet)
    from deploy import api
    from deploy.cli.builds import open_build
    from deploy.cli.call_documents import current
    from deploy.cli.console import note_slow_npu_model, stdout
    from deploy.errors import BadInputError
    from deploy.reporting.text.evaluation import print_evaluation, print_outcome
    from deploy.settings.merging import typed

    if data is None:
        raise BadInputError("no labelled set given", hints=["deploy evaluate BUILD --data DATA"])
    if set_ and model is None:
        raise BadInputError("--set goes with --model")
    if target == HOST and any(typed(name) for name in ("firmware", "jobs", "timeout")):
        raise BadInputError("--firmware, --jobs and --timeout need a machine", hints=["--target open"])
    if typed("jobs") and typed("scheduler"):
        raise BadInputError("--jobs is for this computer: the cluster of --scheduler has its own workers")
    opened = open_build(build)
    note_slow_npu_model(quiet=quiet)
    bar.stage("evaluating")
    evaluation = api.evaluate(
        opened,
        data,
        image_range=image_range,
        labels=labels,
        head=head,
        model=model,
        assignments=set_ or (),
        count=count,
        sequence=sequence,
        state=state or (),
        top_k=top_k,
        fail_below=fail_below,
        max_drop=max_drop,
        save_wrong=save_wrong,
        target=target,
        oracle=oracle,
        firmware=firmware,
        jobs=jobs,
        timeout_s=timeout,
        scheduler=scheduler,
        progress=bar.advance,
    )
    bar.close()
    current().answer(lambda: evaluation, written=[save_wrong])
    _keep(opened, evaluation, quiet=quiet)
    if quiet:
        print_outcome(evaluation, stdout())
    else:
        print_evaluation(evaluation, stdout(), every_class=verbose)
    return evaluation.exit_status


def _keep(build: BuildFolder, evaluation: EvaluationDocument, *, quiet: bool) -> None:
    from deploy.cli.console import note
    from deploy.errors import BadInputError
    from deploy.evaluating.documents import evaluation_path
    from deploy.files import write_text

    try:
        write_text(evaluation_path(build), evaluation.model_dump_json(indent=2) + "\n")
    except BadInputError as error:
        note(f"the build folder does not keep this evaluation: {error.message}", quiet=quiet)
