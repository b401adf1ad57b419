"""The pipeline as functions: quantize, compile, verify, run and evaluate, for notebooks, test suites and programs.

The command line, the pytest plugin and model projects call the same. ``import deploy`` offers these names, too,
and imports nothing of it before one of them is used. What goes wrong is a :class:`deploy.errors.DeployError`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from deploy.shown import Shown, show_by

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder, SamplesRecord
    from deploy.compiling.compile_options import CompileOptions
    from deploy.compiling.compiler import Compiled, Compiler
    from deploy.data.loading import Given
    from deploy.evaluating.documents import EvaluationDocument
    from deploy.judging.answer import Answerer
    from deploy.judging.inputs import InputSet
    from deploy.judging.samples import Stacked
    from deploy.judging.verdict import Verdict
    from deploy.quantizing.quantization import Quantized
    from deploy.reporting.documents import Comparison
    from deploy.targets.target_run import TargetRun
    from deploy.tflite import Model
    from deploy.verifying.verification import Verification
    from deploy.zoo.model_source import ModelSource

DEFAULT_NPU = "U55-128"

VERIFY_LEVELS = ("none", "quick")
"""How much of a build is checked right after Vela."""

HOST = "host"
"""The target that needs no machine: the NPU model on this computer."""

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


def silent(_done: int, _total: int) -> None:
    """Say nothing."""


class VerifyKeywords(TypedDict, total=False):
    """Options of :func:`verification`."""

    labels: Path | None
    image_range: str | None
    count: int | None
    sequence: bool
    state: Sequence[str]
    oracle: str
    tolerance: float | None
    require_evidence: bool
    accept_no_reference: bool
    layers: bool
    counters: Path | None


class RunKeywords(TypedDict, total=False):
    """Options of :func:`target_run`."""

    firmware: str | None
    fvp: str | None
    port: str | None
    baud: int
    labels: Path | None
    image_range: str | None
    count: int | None
    sequence: bool
    state: Sequence[str]
    seed: int | None
    jobs: int | None
    oracle: str
    tolerance: float | None
    accept_model_difference: bool
    require_evidence: bool
    accept_no_reference: bool
    timeout_s: float | None
    timing: bool
    scheduler: str | None
    locate: bool


@dataclass(frozen=True)
class Run(Shown):
    """What came back from a target.

    Attributes:
        outputs: output name -> raw values ``[inputs, *shape]`` of the model's dtype.
        verdict: what they are worth, as ``deploy run-fvp --json`` writes it.
    """

    outputs: Stacked
    verdict: Verdict


def _html_of(result: object) -> str | None:
    """What a notebook shows of a result."""
    from deploy.reporting.notebook import html_of, html_of_run

    return html_of_run(result.outputs, result.verdict) if isinstance(result, Run) else html_of(result)


show_by(_html_of)


def quantize(
    model: str | Path | ModelSource,
    calibration: Given | None = None,
    *,
    assignments: Sequence[str] = (),
    signature: str | None = None,
    samples: int | None = None,
    image_range: str | None = None,
    io: str | None = None,
    precision: str | None = None,
    floating: Sequence[str] = (),
    debug: bool = False,
    verbose: bool = False,
    again: str = "deploy quantize MODEL",
    progress: Progress = silent,
) -> Quantized:
    """Quantize a float model to int8 with real data.

    Args:
        model: ``.keras``, ``.h5``, a SavedModel folder, a float ``.tflite``, ``FILE.py:function`` or
            ``models:NAME``.
        calibration: data in any form, see :data:`deploy.data.loading.Given`: ``.npz``, ``.npy``, a folder of
            images, ``FILE.py:function``, arrays by input name, or ``random``; None for the data that
            ``models:NAME`` brings.
        assignments: options of the network, ``KEY=VALUE`` each.
        signature: of several in a SavedModel or a ``.tflite``, the one to take; None for ``serving_default``, or
            the only one.
        samples: calibration samples; None for 200.
        image_range: what pixels of images are scaled to, ``0..255``; None for what the model shows.
        io: type of inputs and outputs: ``uint8`` (None) or ``int8``.
        precision: ``int8`` (None), or ``int16x8``: activations, inputs and outputs of 16 bits, weights of 8.
        floating: operators that stay float, by TFLite's name or a regular expression of their tensors' names.
        debug: measure the error of each operator; without it that is done where an output agrees badly.
        verbose: let TensorFlow print.
        again: the command that a hint about missing data completes.
        progress: called as float and quantized model are compared.

    Raises:
        BadInputError: model or data cannot be used.
        NotInstalledError: TensorFlow is missing; or ai-edge-quantizer, where the model is a TFLite file or the
            precision not int8.
    """
    from deploy.data.image_range import parsed
    from deploy.quantizing.precision import precision_of
    from deploy.zoo.quantized import quantize_source

    how = precision_of(precision, floating, io)
    return quantize_source(
        _source(model, assignments, signature),
        calibration,
        samples=samples,
        image_range=parsed(image_range),
        io=io,
        precision=how,
        debug=debug,
        verbose=verbose,
        again=again,
        advance=progress,
    )


def compile(  # noqa: A001 - the verb's name
    model: str | Path | Model | Quantized | ModelSource,
    npu: str | CompileOptions = DEFAULT_NPU,
    *,
    output: str | Path | None = None,
    name: str | None = None,
    source: str = "the model",
    calibration: Given | None = None,
    assignments: Sequence[str] = (),
    signature: str | None = None,
    samples: int | None = None,
    image_range: str | None = None,
    io: str | None = None,
    system_config: str | None = None,
    memory_mode: str | None = None,
    optimise: str | None = None,
    sram_limit: int | str | None = None,
    compiler: Compiler | None = None,
    verify: str = "quick",
) -> BuildFolder:
    """Compile a model for an NPU, write its build folder, whole or not at all, and check what Vela made of it.

    Args:
        model: what :func:`quantize` takes or returns, a ``.tflite`` file, or a model that was read from one.
        npu: ``U55-128`` and so on; or complete options, which stand for those below.
        output: build folder; None for ``build/<model>-<npu>`` in the working folder. An existing build folder is
            replaced.
        name: of the model in reports; None for the file's.
        source: names in errors a model that is not named as a file.
        calibration: data, as :func:`quantize` takes it: a float model is calibrated with it, and the build keeps
            part of it to be tested with.
        assignments: as :func:`quantize` takes them.
        signature: of several in a ``.tflite``, the one to compile; None for ``serving_default``, or the only one.
        samples: as :func:`quantize` takes them.
        image_range: as :func:`quantize` takes it.
        io: as :func:`quantize` takes it.
        system_config: section of ``Arm/vela.ini``; None for the NPU's default.
        memory_mode: section of ``Arm/vela.ini``; None for the NPU's default.
        optimise: ``Performance`` (None) or ``Size``.
        sram_limit: most SRAM that it may take, in bytes or as ``512K``; None for the board's.
        compiler: what runs Vela; None for a process of its own.
        verify: ``quick`` compares the operators with the reference kernels on the NPU model, as ``deploy compile``
            does, for at most as long as Vela took; ``none`` does not. What was compared stands in the build
            folder, see :func:`deploy.judging.verification_record.record_of`.

    Raises:
        MiscompiledError: the build folder, which the error has, was written, and computes something else than the
            model.
        BadInputError: the model cannot be compiled, does not fit, or the folder cannot be written.
        NotInstalledError: Vela, or for a float model TensorFlow, is missing.
    """
    from deploy.compiling.compilation import check_replaceable
    from deploy.compiling.compile_options import compile_options
    from deploy.compiling.compiler import VELA, Compiler, Timed
    from deploy.errors import BadInputError
    from deploy.hardware.npus import npu_named
    from deploy.judging.verification_record import SKIPPED, MiscompiledError, keep_record, not_checked
    from deploy.tflite import read
    from deploy.zoo.model_source import ModelKind, ModelSource

    if verify not in VERIFY_LEVELS:
        raise BadInputError(f"verify={verify!r}: choose {' or '.join(VERIFY_LEVELS)}")
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
    read_from = None
    if isinstance(model, str | Path | ModelSource):
        named = _source(model, assignments, signature)
        source, name = named.text, name or named.name
        output = Path(output or default_folder(name, options))
        check_replaceable(output)
        again = f"deploy compile {source} --npu {options.npu.name}"
        if named.kind is ModelKind.TFLITE:
            model, read_from = read(named.path), named.path
        else:
            model = quantize(named, calibration, samples=samples, image_range=image_range, io=io, again=again)
            calibration = None
        signature = named.signature_of_file
    model, notes = taken(model, source, signature)
    vela = Timed((compiler or VELA).run)
    build = write_build(
        model,
        options,
        output=output,
        name=name,
        source=source,
        compiler=Compiler(vela),
        read_from=read_from,
        notes=notes,
        data=calibration,
        image_range=image_range,
    )
    if verify == "none":
        record = keep_record(build, not_checked(build, SKIPPED))
    else:
        from deploy.verifying.build_check import BuildCheck

        record = BuildCheck(build, vela.seconds).finish()
    if record.faults:
        raise MiscompiledError(build, record)
    return build


def taken(
    model: Model | Quantized, source: str, signature: str | None = None
) -> tuple[Model | Quantized, tuple[str, ...]]:
    """Choose a model's signature, and put into its file what later steps rely on; see :mod:`deploy.intake.taking`.

    Args:
        model: that is quantized.
        source: names it in errors.
        signature: that is wanted; None for ``serving_default``, or the only one.

    Returns:
        The model, and notes on what was chosen or changed, one sentence each.

    Raises:
        BadInputError: as :func:`deploy.intake.taking.take`.
    """
    from deploy.intake.taking import take
    from deploy.tflite import Model

    if isinstance(model, Model):
        found = take(model, source, signature)
        return found.model, found.notes
    found = take(model.model, source, signature)
    return dataclasses.replace(model, model=found.model), found.notes


def write_build(
    model: Model | Quantized,
    options: CompileOptions,
    *,
    output: str | Path | None = None,
    name: str | None = None,
    source: str = "the model",
    compiler: Compiler | None = None,
    read_from: Path | None = None,
    notes: tuple[str, ...] = (),
    data: Given | None = None,
    image_range: str | None = None,
    ready: Callable[[BuildFolder, InputSet], object] = lambda _build, _inputs: None,
) -> BuildFolder:
    """Compile a model that is quantized, and write its build folder; what Vela made of it is not checked.

    Args:
        model: as :func:`compile` takes it.
        options: what to compile for.
        output: as :func:`compile` takes it.
        name: as :func:`compile` takes it.
        source: as :func:`compile` takes it.
        compiler: what runs Vela; None for a process of its own.
        read_from: the file that a model was read from: calibration data that ``quantize`` left beside it is kept
            to test with; inputs are made up where there is none.
        notes: for the document, one sentence each.
        data: to be tested with instead, for a model that was read.
        image_range: as :func:`quantize` takes it.
        ready: called with the build, and the inputs that it will keep, before it is written.

    Raises:
        BadInputError: the model cannot be compiled, does not fit, or the folder cannot be written.
        NotInstalledError: Vela is missing.
    """
    from deploy.build_folder import FLOAT_MODEL, QUANTIZE_DOCUMENT
    from deploy.compiling.compilation import compile_model
    from deploy.compiling.compiler import VELA
    from deploy.data.image_range import parsed
    from deploy.hardware.fvps import default_fvp
    from deploy.judging.sample_file import inputs_to_keep, samples_beside
    from deploy.targets.runner_operators import lacking
    from deploy.tflite import Model

    extra: dict[str, bytes] = {}
    given: InputSet | None = None
    if not isinstance(model, Model):
        source, given = model.document.model, model.samples
        notes = (*model.document.warnings, *notes)
        extra[QUANTIZE_DOCUMENT] = (model.document.model_dump_json(indent=2) + "\n").encode()
        if model.floating is not None:
            extra[FLOAT_MODEL] = model.floating
        model = model.model
    elif data is not None and not _is_random(data):
        given = inputs_to_keep(data, model, image_range=parsed(image_range))
        notes = (*notes, *given.notes)
    elif read_from is not None:
        given, further = samples_beside(read_from, model)
        notes = (*notes, *further)
    name = name or "model"

    runner = default_fvp(options.npu.family).runner

    # What it needs is imported behind Vela, which would wait for it.
    def choose(compiled: Compiled, build: BuildFolder, limit_s: float) -> tuple[bytes, SamplesRecord]:
        from deploy.verifying.usual_inputs import as_kept, chosen_inputs, samples_to_keep

        inputs = chosen_inputs(compiled, limit_s, given)
        ready(build, as_kept(inputs))
        return samples_to_keep(inputs, compiled.source)

    return compile_model(
        model,
        options,
        Path(output or default_folder(name, options)),
        name=name,
        source=source,
        extra=extra,
        notes=notes,
        compiler=compiler or VELA,
        choose=choose,
        lacking=functools.partial(lacking, arena_bytes=runner.arena_bytes),
    )


def _is_random(data: Given) -> bool:
    from deploy.quantizing.dataset import is_random  # a model that comes without data does without

    return is_random(data)


def open_build(folder: str | Path) -> BuildFolder:
    """Open a build folder that was compiled before.

    Raises:
        BadInputError: it is none, or it is damaged.
    """
    from deploy.build_folder import BuildFolder

    return BuildFolder.open(Path(folder))


def open_compiled(path: str | Path, folder: str | Path, source: str | Path | None = None) -> BuildFolder:
    """Make a build folder of a file that Vela compiled elsewhere.

    Args:
        path: the ``.tflite``.
        folder: an empty folder that the build is written to.
        source: the model that it was compiled from; without it verdicts are ``no_reference`` at best.

    Raises:
        BadInputError: it is no file of Vela's, its NPU is not modelled, or the source is another model.
    """
    from deploy.verifying.compiled_file import build_of

    return build_of(Path(path), Path(folder), None if source is None else Path(source))


def verification(
    build: BuildFolder,
    inputs: Given | None = None,
    *,
    labels: Path | None = None,
    image_range: str | None = None,
    count: int | None = None,
    sequence: bool = False,
    state: Sequence[str] = (),
    oracle: str = "auto",
    tolerance: float | None = None,
    require_evidence: bool = False,
    accept_no_reference: bool = False,
    layers: bool = False,
    counters: Path | None = None,
) -> Verification:
    """What :func:`verify` runs, for callers who want a document of its errors, too.

    Args:
        build: what :func:`compile` returns.
        inputs: data in any form, see :data:`deploy.data.loading.Given`: ``.npz``, ``.npy``, a folder of images,
            ``FILE.py:function``; input name -> array ``[samples, *shape]``; the array alone for a model with one
            input. Of the model's dtype, or real values, which are quantized. None for those that the build folder
            keeps.
        labels: ``.json`` with class names and true labels; they win over those in the data.
        image_range: what pixels of images are scaled to, ``0..255``; None for what the input was quantized for.
        count: how many inputs; None for all that are given, or a few of the kept ones.
        sequence: the inputs are one sequence, in which the model keeps its state; else each starts from its
            initial state.
        state: ``INPUT=OUTPUT`` each: with ``sequence``, inputs that are an output of the inference before.
        oracle: which kernels to compare with: ``litert``, ``tflm``, ``both``, or ``auto``: LiteRT's reference
            kernels, and TFLM's where those differ or cannot run the model.
        tolerance: largest difference of quantized outputs from the reference that passes, in LSB; None for 1.
        require_evidence: fail where the evidence is weak.
        accept_no_reference: exit status 0 where nothing fails, and nothing can judge a build that
            :func:`open_compiled` made without the source.
        layers: show the comparison of every operator, not only of those that differ.
        counters: ``.csv`` to write the counters of every NPU operation to.
    """
    from deploy.data.image_range import parsed
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.verifying.verification import Verification, VerifyOptions

    options = VerifyOptions(
        inputs=inputs,
        labels=labels,
        image_range=parsed(image_range),
        count=count,
        sequence=sequence,
        state=tuple(state),
        oracle=oracle,
        tolerance=DEFAULT_TOLERANCE_LSB if tolerance is None else tolerance,
        require_evidence=require_evidence,
        accept_no_reference=accept_no_reference,
        layers=layers,
        counters=counters,
    )
    return Verification(build, options)


def verify(
    build: BuildFolder,
    inputs: Given | None = None,
    *,
    progress: Progress = silent,
    **options: Unpack[VerifyKeywords],
) -> Verdict:
    """Run inputs through the NPU model on this host, and hold its outputs to the reference kernels.

    Args:
        build: what :func:`compile` returns.
        inputs: as :func:`verification` takes them.
        progress: called as inputs are done.
        **options: of :func:`verification`.

    Raises:
        BadInputError: build, inputs or options do not fit together.
        NotInstalledError: an oracle is missing.
        TargetError: the NPU model refused the command stream.
    """
    return verification(build, inputs, **options).run(progress)


def target_run(
    build: BuildFolder,
    inputs: Given | None = None,
    *,
    firmware: str | None = None,
    fvp: str | None = None,
    port: str | None = None,
    baud: int = 115200,
    labels: Path | None = None,
    image_range: str | None = None,
    count: int | None = None,
    sequence: bool = False,
    state: Sequence[str] = (),
    seed: int | None = None,
    jobs: int | None = None,
    oracle: str = "auto",
    tolerance: float | None = None,
    accept_model_difference: bool = False,
    require_evidence: bool = False,
    accept_no_reference: bool = False,
    timeout_s: float | None = None,
    timing: bool = False,
    scheduler: str | None = None,
    locate: bool = False,
) -> TargetRun:
    """What :func:`run` runs, for callers who want a document of its errors, too.

    Args:
        build: what :func:`compile` returns.
        inputs: as :func:`verification` takes them; None for a kept one and one made up for this run alone.
        firmware: ``runner`` (Arm's prebuilt TFLM runner; None), ``npu`` or ``tflm`` (rendered), or an ELF's path.
        fvp: ``open``, the path of Arm's FVP, ``docker:IMAGE``, or None for Arm's where it is installed.
        port: serial port of a board that runs the firmware already; no simulator is started then.
        baud: bits per second on that port.
        labels: as :func:`verification` takes them.
        image_range: as :func:`verification` takes it.
        count: how many inputs; None for all that are given, or two.
        sequence: the inputs are one sequence, in which the model keeps its state; not with ``runner``, which boots
            anew for every input.
        state: as :func:`verification` takes it.
        seed: that repeats the inputs that an earlier run made up for itself; None for a random one.
        jobs: machines side by side; None for one a core.
        oracle: as :func:`verification` takes it.
        tolerance: largest difference of quantized outputs from the reference that passes, in LSB; None for 1.
        accept_model_difference: let a target pass that keeps to the tolerance, but differs from the NPU model.
        require_evidence: fail where the evidence is weak.
        accept_no_reference: exit status 0 where nothing fails, and nothing can judge a build that
            :func:`open_compiled` made without the source.
        timeout_s: seconds that a boot may take; None for 120, more for large models.
        timing: whether Arm's FVP has to count the NPU's cycles.
        scheduler: Dask scheduler whose workers boot the firmware; one that you trust.
        locate: where outputs differ from the NPU model's, run the target again to find the first operation that
            differs.
    """
    from deploy.data.image_range import parsed
    from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB
    from deploy.targets.simulated_target import RUNNER
    from deploy.targets.target_run import RunOptions, TargetRun

    options = RunOptions(
        firmware=firmware or RUNNER,
        fvp=fvp,
        port=port,
        baud=baud,
        inputs=inputs,
        labels=labels,
        image_range=parsed(image_range),
        count=count,
        sequence=sequence,
        state=tuple(state),
        seed=seed,
        jobs=jobs,
        oracle=oracle,
        tolerance=DEFAULT_TOLERANCE_LSB if tolerance is None else tolerance,
        accept_model_difference=accept_model_difference,
        require_evidence=require_evidence,
        accept_no_reference=accept_no_reference,
        timeout_s=timeout_s,
        timing=timing,
        scheduler=scheduler,
        locate=locate,
    )
    return TargetRun(build, options)


def run(
    build: BuildFolder, inputs: Given | None = None, *, progress: Progress = silent, **options: Unpack[RunKeywords]
) -> Run:
    """Boot a build on a simulator, or reach the board that runs it; feed inputs, and judge the raw answers.

    A verdict that does not pass is no error: it is for the caller to look at.

    Args:
        build: what :func:`compile` returns.
        inputs: as :func:`target_run` takes them.
        progress: called as answers arrive.
        **options: of :func:`target_run`.

    Raises:
        BadInputError: build, inputs and options do not fit together.
        NotInstalledError: simulator or firmware are missing.
        TargetError: there was no complete answer.
    """
    running = target_run(build, inputs, **options)
    verdict = running.run(progress)
    return Run(running.outputs, verdict)


def evaluate(
    build: BuildFolder,
    data: Given,
    *,
    labels: Path | None = None,
    image_range: str | None = None,
    head: str | None = None,
    model: str | Path | ModelSource | None = None,
    assignments: Sequence[str] = (),
    count: int | None = None,
    sequence: bool = False,
    state: Sequence[str] = (),
    top_k: int | None = None,
    fail_below: str | None = None,
    max_drop: str | None = None,
    save_wrong: Path | None = None,
    target: str = HOST,
    oracle: str = "auto",
    firmware: str | None = None,
    jobs: int | None = None,
    timeout_s: float | None = None,
    scheduler: str | None = None,
    progress: Progress = silent,
) -> EvaluationDocument:
    """Classify a labelled set with the float model, the quantized reference and the target; count what is right.

    Args:
        build: what :func:`compile` returns.
        data: a labelled set, in any form that :func:`verification` takes, too.
        labels: as :func:`verification` takes them.
        image_range: as :func:`verification` takes it.
        head: the output that labels without a name are for.
        model: the float model; None for the one that the build keeps.
        assignments: options of that model's network, ``KEY=VALUE`` each.
        count: how many inputs; None for all.
        sequence: the inputs are one sequence, in which the model keeps its state.
        state: as :func:`verification` takes it.
        top_k: also count the true class among so many.
        fail_below: limit of the target's accuracy, ``90%``; the document says whether it is broken.
        max_drop: limit of what is lost against the float model, in percentage points.
        save_wrong: folder for inputs that only the target gets wrong.
        target: ``host`` (the NPU model alone), or a simulator as :func:`target_run` takes it.
        oracle: which kernels are the reference: ``auto``, ``litert`` or ``tflm``.
        firmware: what that simulator boots.
        jobs: machines side by side.
        timeout_s: seconds that a boot may take.
        scheduler: Dask scheduler whose workers run target and reference, or boot the firmware; one that you trust.
        progress: called with (inputs done, total as far as it is known).

    Raises:
        BadInputError: build, data or options do not fit together.
        NotInstalledError: something that was asked for is missing.
        TargetError: the target gave no complete answer.
    """
    from deploy.data.image_range import parsed
    from deploy.evaluating.accuracy_limits import parse_limits
    from deploy.evaluating.evaluation import EvaluateOptions, Evaluation

    options = EvaluateOptions(
        data=data,
        labels=labels,
        image_range=parsed(image_range),
        output=head,
        model=None if model is None else _source(model, assignments),
        count=count,
        sequence=sequence,
        state=tuple(state),
        top_k=top_k,
        limits=parse_limits(fail_below, max_drop),
        oracle=oracle,
        save_wrong=save_wrong,
        scheduler=scheduler,
    )
    answerer: Answerer | None = None
    if target != HOST:
        from deploy.targets.session import Session, TargetOptions
        from deploy.targets.simulated_target import RUNNER

        machine = TargetOptions(
            firmware=firmware or RUNNER,
            fvp=target,
            jobs=jobs,
            timeout_s=timeout_s,
            sequence=sequence,
            scheduler=scheduler,
        )
        answerer = Session(build, machine)
    return Evaluation(build, options, answerer).run(progress)


def compare(first: BuildFolder, *others: BuildFolder) -> Comparison:
    """Compare builds with the first one: figures, and what became of the operators.

    Args:
        first: what the others are held to.
        *others: at least one.

    Raises:
        BadInputError: there is none to compare with, or a document of a build folder is damaged.
    """
    from deploy.errors import BadInputError
    from deploy.reporting.data.build_documents import build_figures
    from deploy.reporting.data.comparing import compare as compare_figures

    if not others:
        raise BadInputError("there is nothing to compare the build with", hints=["compare(before, after)"])
    return compare_figures([build_figures(build, build.shown) for build in (first, *others)])


def _source(
    model: str | Path | ModelSource, assignments: Iterable[str], signature: str | None = None
) -> ModelSource:
    from deploy.zoo import model_source

    if isinstance(model, model_source.ModelSource):
        return model
    return model_source.parse(str(model), tuple(assignments), signature)


def default_folder(name: str, options: CompileOptions, project: Path = Path()) -> Path:
    """Where the build of a model goes in a project when no folder is named."""
    return project / "build" / f"{name}-{options.npu.name.lower()}"
