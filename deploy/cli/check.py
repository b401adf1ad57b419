"""``deploy check``: compile, verify and hold to limits in one command, for CI and for hooks before a commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from deploy.settings import options
from deploy.settings.declared import Writes, argument, option

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.errors import DeployError
    from deploy.judging.verdict import Verdict
    from deploy.judging.verification_record import MiscompiledError
    from deploy.reporting.data.limits import Limit
    from deploy.verifying.verification import Verification

CHECK_EPILOG = """Examples:

    deploy check                                    the model and the limits of deploy.toml

    deploy check model.tflite --npu U55-128 --limit 'sram<=200K' --limit 'time<=2ms'

    deploy check build/demo --data test.npz --labels labels.json --limit 'accuracy>=90%'

    deploy check --markdown summary.md --junit check.xml --annotations

A limit is a figure, <= or >=, and a value: bytes (K, M), ms, cycles, operators, or percent for shares.
`deploy.toml` keeps them: limits = ["sram<=200K", "cpu_operators<=0"].
"""

_COMPILING = (
    "npu",
    "set_",
    "signature",
    "calibration",
    "samples",
    "io",
    "system_config",
    "memory_mode",
    "optimise",
    "sram_limit",
)
"""Options that a build folder has behind it."""

_CHART_WIDTH = 760
_DRAWN = 'class="marks"'
"""In the head of every chart that the library draws."""


def check(
    model: Annotated[
        str | None,
        argument(
            metavar="MODEL|BUILD",
            help="What to compile: .tflite, .keras, .h5, SavedModel, FILE.py:function, or models:NAME; or a build "
            "folder, which is not compiled again. Default: the model of deploy.toml.",
        ),
        options.MODEL,
        options.MODEL_PATH,
    ],
    npu: options.Npu,
    set_: options.Set,
    signature: options.Signature,
    calibration: Annotated[
        str | None,
        option("--calibration", help="Real data that a float model is quantized with."),
        replace(options.CALIBRATION, also=("data",)),
        options.CALIBRATION_PATH,
    ],
    image_range: options.ImageRange,
    samples: options.Samples,
    io: options.Io,
    system_config: options.SystemConfig,
    memory_mode: options.MemoryMode,
    optimise: options.Optimise,
    sram_limit: options.SramLimit,
    build: options.BuildOutput,
    inputs: options.Data,
    labels: options.Labels,
    count: options.Count,
    oracle: options.Oracle,
    tolerance: options.Tolerance,
    require_evidence: options.RequireEvidence,
    limits: options.Limits,
    annotations: Annotated[
        bool,
        option("--annotations", help="Print what is wrong as GitHub's annotations, too.", default=False),
    ],
    markdown: Annotated[
        Path | None,
        option(
            "--markdown",
            help="Write a summary in Markdown here, and the chart of the cycles beside it (.svg); - is standard "
            "output, without a chart.",
        ),
        Writes("answer"),
    ],
    json: options.Json,
    junit: options.VerdictJunit,
    quiet: options.QuietVerdict,
) -> int:
    """Compile a model, verify on this host what Vela made of it, and hold its figures to limits.

    It is verified as `deploy verify` does: the NPU model against the reference kernels, end to end and operator by
    operator.

    Exit status: 0 pass, 1 the verdict is fail or a limit is broken, 2 bad input, 3 something is not installed,
    4 the NPU model refused the stream.
    """
    from deploy.cli.progress import working

    bar = working("reading the model", quiet=quiet)
    import click
    from click.core import ParameterSource

    from deploy import api
    from deploy.build_folder import COMPILE_DOCUMENT
    from deploy.cli.builds import open_build
    from deploy.cli.call_documents import current
    from deploy.cli.quantizing import chosen_model
    from deploy.cli.verdict_files import run_and_report
    from deploy.compiling.compile_options import compile_options
    from deploy.errors import BadInputError, DeployError
    from deploy.hardware.npus import npu_named
    from deploy.judging.verification_record import MiscompiledError
    from deploy.reporting.data.limits import parse_limits
    from deploy.settings.last_build import remember_build
    from deploy.settings.merging import typed
    from deploy.settings.project_settings import ProjectSettings
    from deploy.zoo.model_source import ModelKind

    context = click.get_current_context()
    miscompiled: MiscompiledError | None = None
    try:
        held = parse_limits(limits or ())
        if model is not None and (Path(model) / COMPILE_DOCUMENT).is_file():
            for name in _COMPILING:
                if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                    option_ = f"--{name.strip('_').replace('_', '-')}"
                    raise BadInputError(f"{option_} goes with a model: {model} is compiled already")
            opened = open_build(Path(model))
        else:
            again = f"deploy check {model or 'MODEL'} --npu {api.DEFAULT_NPU}"
            source = chosen_model(model, set_, again, signature=signature)
            if npu is None:
                raise BadInputError("no NPU given", hints=[again])
            wanted = compile_options(
                npu_named(npu),
                system_config=system_config,
                memory_mode=memory_mode,
                optimise=optimise,
                sram_limit=sram_limit,
            )
            project = context.find_object(ProjectSettings) or ProjectSettings()
            if source.kind is ModelKind.TFLITE and typed("model") and not typed("calibration"):
                calibration = None  # what is kept is for the kept model: a quantized one does without
            folder = build or api.default_folder(source.name, wanted, project.folder)
            bar.stage("compiling")
            try:
                opened = api.compile(
                    source,
                    wanted,
                    output=folder,
                    calibration=calibration,
                    samples=samples,
                    image_range=image_range,
                    io=io,
                )
            except MiscompiledError as error:
                opened, miscompiled = error.build, error
            remember_build(folder, project.folder)
        if markdown is not None:
            bar.stage("drawing")
            current().below = _chart(opened, markdown)
        verification = api.verification(
            opened,
            inputs,
            labels=labels,
            image_range=image_range,
            count=count,
            oracle=oracle,
            tolerance=tolerance,
            require_evidence=require_evidence,
        )
        checked = Checked(verification, opened, held, miscompiled)
        status = run_and_report(checked, opened, "check", "verifying on the host", bar, quiet=quiet)
    except DeployError as error:
        if annotations:
            from deploy.reporting.text.annotations import annotation

            _print([annotation("error", error.message)])
        raise
    if annotations:
        from deploy.reporting.text.annotations import annotations_of

        _print(annotations_of(checked.verdict))
    return status


class Checked:
    """A verification whose verdict holds figures to limits as well.

    Args:
        verification: runs and judges.
        build: what it judges.
        limits: of its figures.
        miscompiled: what the compilation said, where it found a fault.

    Attributes:
        verdict: the last one.
    """

    verdict: Verdict

    def __init__(
        self,
        verification: Verification,
        build: BuildFolder,
        limits: Sequence[Limit],
        miscompiled: MiscompiledError | None,
    ) -> None:
        self._verification = verification
        self._build = build
        self._limits = limits
        self._miscompiled = miscompiled

    def run(self, on_progress: Callable[[int, int], None], /) -> Verdict:
        """Verify, and hold the figures to the limits.

        Raises:
            DeployError: there was no complete answer, or a limit is about a figure that is not there.
        """
        from deploy.errors import ExitStatus
        from deploy.reporting.data.build_documents import build_figures
        from deploy.reporting.data.limits import apply_limits

        verdict = self._verification.run(on_progress)
        measured = {figure.name: figure for figure in verdict.figures}
        known = build_figures(self._build, str(self._build.path)).figures | measured
        outcomes = apply_limits(self._limits, known)
        broken = [outcome.sentence for outcome in outcomes if not outcome.holds]
        changed: dict[str, object] = {
            "figures": (*self._build.document.figures, *verdict.figures),
            "limits": outcomes,
        }
        if self._miscompiled and verdict.verdict == "pass":  # what the compilation saw, this run's inputs may not
            broken.append(self._miscompiled.message)
        if broken:
            reasons = [*broken, verdict.reason]
            changed |= {"verdict": "fail", "exit_status": int(ExitStatus.FAIL), "reason": "; ".join(reasons)}
        self.verdict = verdict.model_copy(update=changed)
        return self.verdict

    def failed(self, error: DeployError) -> Verdict:
        """The document for a check that ended without a complete answer."""
        return self._verification.failed(error)


def _chart(build: BuildFolder, summary: Path) -> str:
    """Draw the cycles beside a summary; returns the Markdown that shows the chart, or says why there is none.

    Raises:
        BadInputError: something else than a chart lies where it belongs.
    """
    from urllib.parse import quote

    from deploy.errors import BadInputError, NotInstalledError
    from deploy.files import read_bytes, write_text
    from deploy.reporting.charts import library
    from deploy.reporting.charts.cycles import cycles
    from deploy.reporting.charts.vega import printable_spec
    from deploy.reporting.data.report import collect
    from deploy.reporting.text.markdown import escaped
    from deploy.streams import is_stream

    if is_stream(summary):
        return ""
    try:
        library.installed_version("the chart")
    except NotInstalledError as error:
        return escaped(f"No chart of the cycles: {error.message}.")
    chart = next(cycles(collect(build)), None)
    if chart is None:
        return "No chart of the cycles: there is no estimate of any operator's."
    file = summary.with_suffix(".svg")
    if file.exists() and _DRAWN.encode() not in read_bytes(file)[:500]:
        raise BadInputError(
            f"--markdown {summary}: its chart would overwrite {file}, which is no chart of deploy",
            hints=["name another file"],
        )
    write_text(file, library.svg(printable_spec({**chart.spec, "width": _CHART_WIDTH})))
    return f"![{escaped(chart.summary)}]({quote(file.name)})"


def _print(lines: Sequence[str]) -> None:
    from deploy.printable import printable

    for line in lines:
        print(printable(line))
