"""Compiles a quantized model for an NPU and writes the build folder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import deploy
from deploy import build_folder as folder_layout
from deploy.build_folder import BuildFolder, CompileDocument, SamplesRecord, sha256_of_bytes, tensor_records
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import VELA, Compiled, Compiler
from deploy.compiling.fitting import limit_name, sram_limit
from deploy.compiling.plausibility import check_numbers
from deploy.compiling.vela_config import installed_config
from deploy.errors import BadInputError
from deploy.files import check_folder_writable, replacing_folder
from deploy.tflite import NPU_OPERATOR, Model
from deploy.tflite.arithmetic import float_operators, float_results, integer_operators, narrow_weights
from deploy.tflite.signed import with_signature

_EDGE_TPU = "edgetpu-custom-op"
"""Custom code of the operator that Google's compiler puts in the place of what runs on an Edge TPU."""

ChooseSamples = Callable[[Compiled, BuildFolder, float], tuple[bytes, SamplesRecord]]
"""Chooses test inputs for what was compiled, which the build will hold, in about so many seconds: content of their
file, and its record."""

_CHOOSING_S, _CHOOSING_SHARE = 2.0, 0.25
"""Choosing test inputs ends after so many seconds, or so much of Vela's time where that is more."""


class DoesNotFitError(BadInputError):
    """A model that takes more SRAM than there is."""

    def __init__(self, message: str, *, taken: int, hints: Sequence[str] = ()) -> None:
        super().__init__(message, hints=hints)
        self.taken = taken


def check_model(model: Model, source: str) -> tuple[str, ...]:
    """Check that a TFLite model is one to compile.

    Returns:
        Warnings, one sentence each.

    Raises:
        BadInputError: it is compiled already, empty, or computes nothing in integers.
    """
    shipped = f"`deploy verify {source}`, `run-fvp` and `report` take the file as it is"
    for code, whose, hints in (
        (NPU_OPERATOR, "by Vela", [shipped]),
        (_EDGE_TPU, "for Google's Edge TPU", []),
    ):
        if any(operator.code == code for operator in model.operators):
            raise BadInputError(
                f"{source}: compiled {whose} already (it holds {code} operators)",
                hints=["pass the model that it was compiled from", *hints],
            )
    if not model.operators or not model.inputs or not model.outputs:
        raise BadInputError(f"{source}: the model has no operators, inputs or outputs")
    check_numbers(model, source)
    computing = Counter(operator.code for operator in float_operators(model))
    listed = ", ".join(f"{code} ({count})" if count > 1 else code for code, count in sorted(computing.items()))
    if computing and not integer_operators(model):
        weights = narrow_weights(model)
        what = f"only its weights are quantized ({weights})" if weights else "not quantized"
        whole = "the float model it comes from" if weights else "this file or the Keras model it comes from"
        raise BadInputError(
            f"{source}: {what}, these operators compute in floating point: {listed}",
            hints=[f"deploy quantize MODEL --data DATA -o model.tflite, with {whole}"],
        )
    computed = float_results(model)
    border = [
        tensor.name
        for tensor in (*model.input_tensors, *model.output_tensors)
        if tensor.dtype.startswith("float") and tensor.index not in computed
    ]
    notes = []
    if border:
        notes.append(
            f"float inputs or outputs ({', '.join(border)}): their QUANTIZE and DEQUANTIZE run on the CPU"
        )
    if computing:
        count, total = sum(computing.values()), len(model.operators)
        notes.append(
            f"{count} of {total} operators ({count / total:.0%}) compute in floating point, on the CPU: {listed}"
        )
    return tuple(notes)


def compile_model(
    model: Model,
    options: CompileOptions,
    build: Path,
    *,
    name: str,
    source: str,
    extra: dict[str, bytes] | None = None,
    notes: tuple[str, ...] = (),
    compiler: Compiler = VELA,
    choose: ChooseSamples | None = None,
    lacking: Callable[[Model], tuple[str, ...]] = lambda _compiled: (),
) -> BuildFolder:
    """Compile a model and write its build folder, whole or not at all.

    Args:
        model: quantized.
        options: what for.
        build: folder to write; an existing build folder there is replaced when all went well, but for firmware
            projects in it.
        name: the model's name in reports.
        source: names the model in errors.
        extra: further files for the folder, name -> content.
        notes: further warnings for the document.
        compiler: what compiles it.
        choose: chooses the test inputs that the folder keeps; None for none.
        lacking: says which operators of Vela's output the usual firmware cannot compute, one sentence each.

    Raises:
        BadInputError: the model cannot be compiled, or the folder cannot be written.
        DoesNotFitError: it takes more SRAM than the user's limit or the board has.
        NotInstalledError: Vela is missing.
    """
    warnings = (*notes, *check_model(model, source))
    check_replaceable(build)
    # Here, where Vela may be at work already.
    limit, source_sha256 = sram_limit(options), model.sha256
    began = time.monotonic()
    compiled = compiler.compile(model, options, source=source)
    if model.signature is None and _lost_names(compiled):
        # For U85 Vela writes tensors of its own in the place of an operator's: a signature keeps their names.
        compiled = replace(compiler.compile(with_signature(model), options, source=source), source=model)
    vela_s = time.monotonic() - began
    _check_names(compiled)
    document = _document(compiled, name, warnings, lacking(compiled.model), source_sha256, limit)
    _check_sram(compiled, limit)
    files = dict(extra or {})
    if choose is not None:
        limit_s = max(_CHOOSING_S, _CHOOSING_SHARE * vela_s)
        content, record = choose(compiled, _build_of(compiled, build, document), limit_s)
        files[folder_layout.SAMPLES] = content
        document = document.model_copy(update={"samples": record})
    with replacing_folder(build, keep=_is_firmware_project) as folder:
        (folder / folder_layout.SOURCE_MODEL).write_bytes(model.content)
        (folder / folder_layout.COMPILED_MODEL).write_bytes(compiled.output.model)
        (folder / folder_layout.VELA_FOLDER).mkdir()
        for file, content in compiled.output.files.items():
            (folder / folder_layout.VELA_FOLDER / file).write_bytes(content)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        (folder / folder_layout.COMPILE_DOCUMENT).write_text(
            document.model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
    return _build_of(compiled, build, document)


def _build_of(compiled: Compiled, path: Path, document: CompileDocument) -> BuildFolder:
    """A build folder whose models and debug database need not be read."""
    build = BuildFolder(path, document)
    build.source_model, build.compiled_model, build.debug = compiled.source, compiled.model, compiled.debug
    return build


def _is_firmware_project(path: Path) -> bool:
    """Whether a folder is a project that `deploy firmware` wrote: its user may have edited it."""
    listed = (path / folder_layout.FIRMWARE_LIST).is_file()
    return listed or (path.name.startswith(folder_layout.FIRMWARE_PREFIX) and path.is_dir())


def _check_names(compiled: Compiled) -> None:
    """Every later step matches inputs and outputs of the two models by name."""
    for before, after in _lost_names(compiled):
        raise BadInputError(
            f"{compiled.name}: inputs or outputs cannot be told apart after compilation: "
            f"{', '.join(before)} became {', '.join(after)}"
        )


def _lost_names(compiled: Compiled) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Inputs and outputs, before and after, where they are called otherwise."""
    ends = (
        (compiled.source.input_names(), compiled.model.input_names()),
        (compiled.source.output_names(), compiled.model.output_names()),
    )
    named = [(tuple(before.values()), tuple(after.values())) for before, after in ends]
    return [(before, after) for before, after in named if set(before) != set(after)]


def check_replaceable(build: Path) -> None:
    """Check that a build folder may be written there.

    Raises:
        BadInputError: there is something that is not a build folder, or no folder can be made there.
    """
    if build.is_dir():
        if any(build.iterdir()) and not (build / folder_layout.COMPILE_DOCUMENT).is_file():
            raise BadInputError(
                f"{build}: holds other files and is no build folder; it will not be replaced",
                hints=["-o NEW_FOLDER", "or empty it first"],
            )
    elif build.exists():
        raise BadInputError(f"{build}: exists and is not a folder", hints=["-o FOLDER"])
    check_folder_writable(build)


def _document(
    compiled: Compiled,
    name: str,
    warnings: tuple[str, ...],
    runner_lacks: tuple[str, ...],
    source_sha256: str,
    limit: int | None,
) -> CompileDocument:
    options, operators = compiled.options, compiled.placement.operators
    inputs, outputs = tensor_records(compiled.model)
    on_cpu, sram = len(compiled.cpu_operators), int(compiled.figure("sram_peak"))
    notes = [*warnings, *compiled.placement.warnings]
    if on_cpu == len(operators):
        notes.append("nothing runs on the NPU")
    elif on_cpu:
        notes.append(f"inference_time leaves out the {on_cpu} operators on the CPU: Vela does not estimate them")
    cache = installed_config().cache_bytes(options.memory_mode)
    if cache is not None and sram > cache:
        notes.append(f"the model takes {sram} bytes of SRAM, more than the {cache} of {options.memory_mode}")
    return CompileDocument(
        model=name,
        npu=options.npu.name,
        accelerator=options.npu.accelerator,
        system_config=options.system_config,
        memory_mode=options.memory_mode,
        optimise=options.optimise,
        source_sha256=source_sha256,
        compiled_sha256=sha256_of_bytes(compiled.output.model),
        inputs=inputs,
        outputs=outputs,
        operators=operators,
        figures=compiled.figures,
        layers=tuple(
            {**layer.cells, "source_operator": layer.source_operator}
            if layer.source_operator is not None
            else layer.cells
            for layer in compiled.layers
        ),
        warnings=tuple(notes),
        runner_lacks=runner_lacks,
        versions={
            "deploy": deploy.__version__,
            "ethos-u-vela": vela.version(),
        },
        sram_limit=limit,
    )


def _check_sram(compiled: Compiled, limit: int | None) -> None:
    options, taken = compiled.options, int(compiled.figure("sram_peak"))
    if limit is None or taken <= limit:
        return
    hints = ["a smaller input, or channel counts that are multiples of 16 (17 channels take as much as 32)"]
    if options.sram_limit is None:
        hints.append("--sram-limit SIZE, if your own board has more")
    raise DoesNotFitError(
        f"{compiled.name}: takes {taken} bytes of SRAM on {options.npu.name} with {options.memory_mode} "
        f"({options.optimise}), more than {limit_name(options)} of {limit} bytes",
        taken=taken,
        hints=hints,
    )
