"""The pipeline as functions: quantize, compile, verify, run and evaluate, for notebooks, test suites and programs.

The command line, the pytest plugin and model projects call the same. ``import deploy`` offers these names, too, and
imports nothing of it before one of them is used. What goes wrong is a :class:`deploy.errors.DeployError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.compiling.compile_options import CompileOptions
    from deploy.compiling.compiler import Compiler
    from deploy.evaluating.document import EvaluationDocument
    from deploy.judging.answer import Answerer
    from deploy.judging.inputs import Given
    from deploy.judging.opinion import OracleChoice
    from deploy.judging.samples import Stacked
    from deploy.judging.verdict import Verdict
    from deploy.quantizing.model_source import ModelSource
    from deploy.quantizing.quantization import Quantized
    from deploy.tflite.model import Model

DEFAULT_NPU = "U55-128"

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


def no_progress(_done: int, _total: int) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Run:
    """What came back from a target.

    Attributes:
        outputs: output name -> raw values ``[inputs, *shape]`` of the model's dtype.
        verdict: what they are worth, as ``deploy run-fvp --json`` writes it.
    """

    outputs: Stacked
    verdict: Verdict


def quantize(
    model: str | Path | ModelSource,
    calibration: str | Path | None = None,
    *,
    assignments: Sequence[str] = (),
    samples: int | None = None,
    io: str | None = None,
    verbose: bool = False,
    again: str = "deploy quantize MODEL",
    progress: Progress = no_progress,
) -> Quantized:
    """Quantize a float model to int8 with real data.

    Args:
        model: ``.keras``, ``.h5``, a SavedModel folder, ``FILE.py:function`` or ``models:NAME``.
        calibration: ``.npz``, ``.npy``, a folder of images, ``FILE.py:function`` or ``random``; None for the data
            that ``models:NAME`` brings.
        assignments: options of the network, ``KEY=VALUE`` each.
        samples: calibration samples; None for 200.
        io: type of inputs and outputs: ``uint8`` (None) or ``int8``.
        verbose: let TensorFlow print.
        again: the command that a hint about missing data completes.
        progress: called as float and quantized model are compared.

    Raises:
        BadInputError: model or data cannot be used.
        NotInstalledError: TensorFlow is missing.
    """
    from deploy.quantizing.from_source import quantize_source

    return quantize_source(
        _source(model, assignments),
        None if calibration is None else str(calibration),
        samples=samples,
        io=io,
        verbose=verbose,
        again=again,
        advance=progress,
    )


def compile(  # noqa: A001 - the verb's name
    model: str | Path | Model | Quantized | ModelSource,
    npu: str | CompileOptions = DEFAULT_NPU,
    *,
    output: Path | None = None,
    name: str | None = None,
    calibration: str | Path | None = None,
    assignments: Sequence[str] = (),
    samples: int | None = None,
    io: str | None = None,
    system_config: str | None = None,
    memory_mode: str | None = None,
    optimise: str | None = None,
    sram_limit: int | str | None = None,
    compiler: Compiler | None = None,
) -> BuildFolder:
    """Compile a model for an NPU and write its build folder, whole or not at all.

    Args:
        model: what :func:`quantize` takes or returns, a ``.tflite`` file, or a model that was read from one.
        npu: ``U55-128`` and so on; or complete options, which stand for those below.
        output: build folder; None for ``build/<model>-<npu>`` in the working folder. An existing build folder is
            replaced.
        name: of the model in reports; None for the file's.
        calibration: for float models, as :func:`quantize` takes it.
        assignments: as :func:`quantize` takes them.
        samples: as :func:`quantize` takes them.
        io: as :func:`quantize` takes it.
        system_config: section of ``Arm/vela.ini``; None for the NPU's default.
        memory_mode: section of ``Arm/vela.ini``; None for the NPU's default.
        optimise: ``Performance`` (None) or ``Size``.
        sram_limit: most SRAM that it may take, in bytes or as ``512K``; None for the board's.
        compiler: what runs Vela; None for a process of its own.

    Raises:
        BadInputError: the model cannot be compiled, does not fit, or the folder cannot be written.
        NotInstalledError: Vela, or for a float model TensorFlow, is missing.
    """
    from deploy.build_folder import FLOAT_MODEL, QUANTIZE_DOCUMENT
    from deploy.compiling.compilation import check_replaceable, compile_model
    from deploy.compiling.compile_options import compile_options
    from deploy.compiling.compiler import VELA
    from deploy.hardware.npus import npu_named
    from deploy.quantizing.model_source import ModelKind, ModelSource
    from deploy.quantizing.quantization import Quantized
    from deploy.tflite.model import read

    options = (
        compile_options(
            npu_named(npu),
            system_config=system_config,
            memory_mode=memory_mode,
            optimise=optimise,
            sram_limit=sram_limit,
        )
        if isinstance(npu, str)
        else npu
    )
    text = "the model"
    if isinstance(model, str | Path | ModelSource):
        source = _source(model, assignments)
        text, name = source.text, name or source.name
        output = output or _default_folder(name, options)
        check_replaceable(output)
        model = (
            read(source.path)
            if source.kind is ModelKind.TFLITE
            else quantize(
                source,
                calibration,
                samples=samples,
                io=io,
                again=f"deploy compile {text} --npu {options.npu.name}",
            )
        )
    extra: dict[str, bytes] = {}
    notes: tuple[str, ...] = ()
    if isinstance(model, Quantized):
        text, notes = model.document.model, model.document.warnings
        extra[QUANTIZE_DOCUMENT] = (model.document.model_dump_json(indent=2) + "\n").encode()
        if model.floating is not None:
            extra[FLOAT_MODEL] = model.floating
        model = model.model
    name = name or "model"
    return compile_model(
        model,
        options,
        output or _default_folder(name, options),
        name=name,
        source=text,
        extra=extra,
        notes=notes,
        compiler=compiler or VELA,
    )


def open_build(folder: str | Path) -> BuildFolder:
    """Open a build folder that was compiled before.

    Raises:
        BadInputError: it is none, or it is damaged.
    """
    from deploy.build_folder import BuildFolder

    return BuildFolder.open(Path(folder))


def verify(
    build: BuildFolder,
    inputs: Given = None,
    *,
    labels: Path | None = None,
    count: int | None = None,
    oracle: OracleChoice = "auto",
    tolerance: float | None = None,
    layers: bool = False,
    progress: Progress = no_progress,
) -> Verdict:
    """Run inputs through the NPU model on this host, and hold its outputs to the reference kernels.

    Args:
        build: what :func:`compile` returns.
        inputs: ``.npz`` or ``.npy``; input name -> array ``[samples, *shape]`` of the model's dtype; the array
            alone for a model with one input; None for made-up data.
        labels: ``.json`` with class names and true labels.
        count: how many inputs; None for all that are given, or four made-up ones.
        oracle: which kernels to compare with: ``auto``, ``litert``, ``tflm`` or ``both``.
        tolerance: largest difference that passes, in LSB; None for 1.
        layers: compare operator by operator, too.
        progress: called as inputs are done.

    Raises:
        BadInputError: build, inputs or options do not fit together.
        NotInstalledError: an oracle is missing.
        TargetError: the NPU model refused the command stream.
    """
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.verifying.verification import Verification, VerifyOptions

    options = VerifyOptions(
        inputs=inputs,
        labels=labels,
        count=count,
        oracle=oracle,
        tolerance=DEFAULT_TOLERANCE_LSB if tolerance is None else tolerance,
        layers=layers,
    )
    return Verification(build, options).run(progress)


def run(
    build: BuildFolder,
    inputs: Given = None,
    *,
    firmware: str = "runner",
    fvp: str | None = None,
    port: str | None = None,
    labels: Path | None = None,
    count: int | None = None,
    jobs: int | None = None,
    tolerance: float | None = None,
    timeout_s: float | None = None,
    timing: bool = False,
    progress: Progress = no_progress,
) -> Run:
    """Boot a build on a simulator, or reach the board that runs it; feed inputs, and judge the raw answers.

    A verdict that does not pass is no error: it is for the caller to look at.

    Args:
        build: what :func:`compile` returns.
        inputs: as :func:`verify` takes them; None for one made-up input.
        firmware: ``runner`` (Arm's prebuilt TFLM runner), ``npu`` or ``tflm`` (rendered), or the path of an ELF.
        fvp: ``open``, the path of Arm's FVP, ``docker:IMAGE``, or None for Arm's where it is installed.
        port: serial port of a board that runs the firmware already; no simulator is started then.
        labels: as :func:`verify` takes them.
        count: how many inputs; None for all that are given.
        jobs: machines side by side; None for one a core.
        tolerance: largest difference that passes, in LSB; None for 1.
        timeout_s: seconds that a boot may take; None for 120, more for large models.
        timing: whether Arm's FVP has to count the NPU's cycles.
        progress: called as answers arrive.

    Raises:
        BadInputError: build, inputs and options do not fit together.
        NotInstalledError: simulator or firmware are missing.
        TargetError: there was no complete answer.
    """
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.targets.target_run import RunOptions, TargetRun

    options = RunOptions(
        firmware=firmware,
        fvp=fvp,
        port=port,
        inputs=inputs,
        labels=labels,
        count=count,
        jobs=jobs,
        tolerance=DEFAULT_TOLERANCE_LSB if tolerance is None else tolerance,
        timeout_s=timeout_s,
        timing=timing,
    )
    running = TargetRun(build, options)
    verdict = running.run(progress)
    return Run(running.outputs, verdict)


def evaluate(
    build: BuildFolder,
    data: str | Path,
    *,
    labels: Path | None = None,
    head: str | None = None,
    model: str | Path | ModelSource | None = None,
    assignments: Sequence[str] = (),
    count: int | None = None,
    top_k: int | None = None,
    fail_below: str | None = None,
    max_drop: str | None = None,
    save_wrong: Path | None = None,
    target: Answerer | None = None,
    progress: Progress = no_progress,
) -> EvaluationDocument:
    """Classify a labelled set with the float model, the quantized reference and the target; count what is right.

    Args:
        build: what :func:`compile` returns.
        data: ``.npz``, a folder of class folders, or ``FILE.py:function``.
        labels: ``.json`` with class names and true labels.
        head: the output that labels without a name are for.
        model: the float model; None for the one that the build keeps.
        assignments: options of that model's network, ``KEY=VALUE`` each.
        count: how many inputs; None for all.
        top_k: also count the true class among so many.
        fail_below: limit of the target's accuracy, ``90%``; the document says whether it is broken.
        max_drop: limit of what is lost against the float model, in percentage points.
        save_wrong: folder for inputs that only the target gets wrong.
        target: what runs the build, for example :class:`deploy.targets.session.Session`; None for the NPU model.
        progress: called with (inputs done, total as far as it is known).

    Raises:
        BadInputError: build, data or options do not fit together.
        NotInstalledError: something that was asked for is missing.
        TargetError: the target gave no complete answer.
    """
    from deploy.evaluating.evaluation import EvaluateOptions, Evaluation
    from deploy.evaluating.limits import parse_limits

    options = EvaluateOptions(
        data=str(data),
        labels=labels,
        output=head,
        model=None if model is None else _source(model, assignments),
        count=count,
        top_k=top_k,
        limits=parse_limits(fail_below, max_drop),
        save_wrong=save_wrong,
    )
    return Evaluation(build, options, target).run(progress)


def _source(model: str | Path | ModelSource, assignments: Iterable[str]) -> ModelSource:
    from deploy.quantizing import model_source

    if isinstance(model, model_source.ModelSource):
        return model
    return model_source.parse(str(model), tuple(assignments))


def _default_folder(name: str, options: CompileOptions) -> Path:
    return Path("build") / f"{name}-{options.npu.name.lower()}"
