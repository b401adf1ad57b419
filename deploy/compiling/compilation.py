"""Compiles a quantized model for an NPU and writes the build folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import deploy
from deploy import build_folder as folder_layout
from deploy.build_folder import BuildFolder, CompileDocument, sha256_of_bytes, tensor_records
from deploy.compiling import vela
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.fitting import limit_name, sram_limit, vela_options
from deploy.compiling.placement import NPU_OPERATOR, Placement, place
from deploy.compiling.vela import VelaResult
from deploy.compiling.vela_config import installed_config
from deploy.compiling.vela_figures import figures_of
from deploy.errors import BadInputError
from deploy.files import replacing_folder
from deploy.processes import supervisor
from deploy.quantizing.float_operators import float_operators
from deploy.tflite import model as tflite_model
from deploy.tflite.model import Model


class DoesNotFitError(BadInputError):
    """A model that takes more SRAM than there is.

    Args:
        message: as always.
        taken: bytes of SRAM that it takes.
        hints: as always.
    """

    def __init__(self, message: str, *, taken: int, hints: Sequence[str] = ()) -> None:
        super().__init__(message, hints=hints)
        self.taken = taken


def check_model(model: Model, source: str) -> tuple[str, ...]:
    """Check that a TFLite model is one to compile.

    Args:
        model: as read.
        source: names it in errors.

    Returns:
        Warnings, one sentence each.

    Raises:
        BadInputError: it is compiled already, empty, or computes in floating point.
    """
    if any(operator.code == NPU_OPERATOR for operator in model.operators):
        raise BadInputError(
            f"{source}: compiled by Vela already (it holds {NPU_OPERATOR} operators)",
            hints=["pass the model that it was compiled from"],
        )
    if not model.operators or not model.inputs or not model.outputs:
        raise BadInputError(f"{source}: the model has no operators, inputs or outputs")
    computing = float_operators(model)
    if computing:
        listed = ", ".join(f"{code} ({count})" if count > 1 else code for code, count in sorted(computing.items()))
        raise BadInputError(
            f"{source}: not quantized, these operators compute in floating point: {listed}",
            hints=["deploy quantize MODEL --calibration DATA -o model.tflite, with the Keras model it comes from"],
        )
    border = [
        tensor.name for tensor in (*model.input_tensors, *model.output_tensors) if tensor.dtype.startswith("float")
    ]
    if border:
        return (f"float inputs or outputs ({', '.join(border)}): their QUANTIZE and DEQUANTIZE run on the CPU",)
    return ()


def compile_model(
    model: Model,
    options: CompileOptions,
    build: Path,
    *,
    name: str,
    source: str,
    extra: dict[str, bytes] | None = None,
    notes: tuple[str, ...] = (),
    run: supervisor.Run = supervisor.run,
) -> BuildFolder:
    """Compile a model and write its build folder, whole or not at all.

    Args:
        model: quantized.
        options: what for.
        build: folder to write; an existing build folder there is replaced when all went well.
        name: the model's name in reports.
        source: names the model in errors.
        extra: further files for the folder, name -> content.
        notes: further warnings for the document.
        run: runs Vela's command, as :func:`deploy.compiling.vela.compile_bytes` takes it.

    Raises:
        BadInputError: the model cannot be compiled, or the folder cannot be written.
        DoesNotFitError: it takes more SRAM than the user's limit or the board has.
        NotInstalledError: Vela is missing.
    """
    warnings = (*notes, *check_model(model, source))
    check_replaceable(build)
    result = vela.compile_bytes(model.content, vela_options(options), source=source, run=run)
    compiled = tflite_model.load(result.compiled, source=f"{source} (compiled)")
    _check_names(model, compiled, source)
    placement = place(model, compiled, result.layers, result.fallbacks)
    document = _document(model, compiled, result, placement, options, name, warnings)
    _check_sram(document, options, source)
    with replacing_folder(build) as folder:
        (folder / folder_layout.SOURCE_MODEL).write_bytes(model.content)
        (folder / folder_layout.COMPILED_MODEL).write_bytes(result.compiled)
        (folder / folder_layout.VELA_FOLDER).mkdir()
        for file, content in result.files.items():
            (folder / folder_layout.VELA_FOLDER / file).write_bytes(content)
        for file, content in (extra or {}).items():
            (folder / file).write_bytes(content)
        (folder / folder_layout.COMPILE_DOCUMENT).write_text(
            document.model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
    written = BuildFolder(build, document)
    written.source_model, written.compiled_model = model, compiled
    return written


def _check_names(model: Model, compiled: Model, source: str) -> None:
    """Every later step matches inputs and outputs of the two models by name."""
    for before, after in (
        (model.input_names(), compiled.input_names()),
        (model.output_names(), compiled.output_names()),
    ):
        if set(before.values()) != set(after.values()):
            raise BadInputError(
                f"{source}: inputs or outputs cannot be told apart after compilation: "
                f"{', '.join(before.values())} became {', '.join(after.values())}",
                hints=["convert the model with a SignatureDef, as `deploy quantize` does"],
            )


def check_replaceable(build: Path) -> None:
    """Check that a build folder may be written there.

    Raises:
        BadInputError: there is something that is not a build folder.
    """
    if not build.exists():
        return
    if not build.is_dir():
        raise BadInputError(f"{build}: exists and is not a folder", hints=["-o FOLDER"])
    if any(build.iterdir()) and not (build / folder_layout.COMPILE_DOCUMENT).is_file():
        raise BadInputError(
            f"{build}: holds other files and is no build folder; it will not be replaced",
            hints=["-o NEW_FOLDER", "or empty it first"],
        )


def _document(
    model: Model,
    compiled: Model,
    result: VelaResult,
    placement: Placement,
    options: CompileOptions,
    name: str,
    warnings: tuple[str, ...],
) -> CompileDocument:
    figures = figures_of(result.summary, placement.operators, options, f"Vela {vela.version()}")
    inputs, outputs = tensor_records(compiled)
    cpu = [operator for operator in placement.operators if operator.placement == "CPU"]
    notes = [*warnings, *placement.warnings]
    if len(cpu) == len(placement.operators):
        notes.append("nothing runs on the NPU")
    elif cpu:
        notes.append(f"inference_time leaves out the {len(cpu)} operators on the CPU: Vela does not estimate them")
    cache = installed_config().cache_bytes(options.memory_mode)
    sram = next(figure.value for figure in figures if figure.name == "sram_peak")
    if cache is not None and sram > cache:
        notes.append(f"the model takes {int(sram)} bytes of SRAM, more than the {cache} of {options.memory_mode}")
    return CompileDocument(
        model=name,
        npu=options.npu.name,
        accelerator=options.npu.accelerator,
        system_config=options.system_config,
        memory_mode=options.memory_mode,
        optimise=options.optimise,
        source_sha256=sha256_of_bytes(model.content),
        compiled_sha256=sha256_of_bytes(result.compiled),
        inputs=inputs,
        outputs=outputs,
        operators=placement.operators,
        figures=figures,
        layers=tuple(
            {**layer.cells, "source_operator": layer.source_operator}
            if layer.source_operator is not None
            else layer.cells
            for layer in result.layers
        ),
        warnings=tuple(notes),
        versions={
            "deploy": deploy.__version__,
            "ethos-u-vela": vela.version(),
        },
        sram_limit=sram_limit(options),
    )


def _check_sram(document: CompileDocument, options: CompileOptions, source: str) -> None:
    limit = sram_limit(options)
    figure = document.figure("sram_peak")
    if limit is None or figure is None or figure.value <= limit:
        return
    hints = ["a smaller input, or channel counts that are multiples of 16 (17 channels take as much as 32)"]
    if options.sram_limit is None:
        hints.append("--sram-limit SIZE, if your own board has more")
    raise DoesNotFitError(
        f"{source}: takes {int(figure.value)} bytes of SRAM on {document.npu} with {document.memory_mode} "
        f"({document.optimise}), more than {limit_name(options)} of {limit} bytes",
        taken=int(figure.value),
        hints=hints,
    )
