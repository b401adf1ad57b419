"""A file that Vela compiled elsewhere, as a build folder: vendors ship these, without the model they come from.

The NPU is the one whose CONFIG word the command stream carries. What the report shows comes from the stream: the
NPU model's count of operations and its estimate of their time. Vela's own reports and its debug database are not
there, so operators of the original model cannot be told apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import deploy
from deploy.build_folder import (
    COMPILE_DOCUMENT,
    COMPILED_MODEL,
    SOURCE_MODEL,
    BuildFolder,
    CompileDocument,
    Figure,
    Label,
    OperatorRecord,
    tensor_records,
)
from deploy.errors import BadInputError
from deploy.hardware.npus import Npu, npu_named
from deploy.npu import NpuError, Statistics, architecture_of, parse_payload
from deploy.npu.program import Program, decode
from deploy.npu.regions import FAST, region_config
from deploy.tflite import Model, read
from deploy.tflite.compiled import arena_end, arena_offsets, npu_operators

_DEDICATED, _SHARED = "Dedicated_Sram", "Shared_Sram"
_UNKNOWN = "unknown"
_HANDED_OVER = "_cpu"
_SOURCE = f"NPU model of deploy {deploy.__version__}, from the command stream"


def build_of(path: Path, folder: Path, source: Path | None = None) -> BuildFolder:
    """Make a build folder of a file that Vela compiled.

    Args:
        path: the file.
        folder: an empty folder.
        source: the model that it was compiled from; None where nobody has it: there is no reference then.

    Raises:
        BadInputError: it is no file of Vela's, the NPU model does not cover its NPU, or the source is another
            model.
    """
    compiled = read(path)
    if not any(operator.on_npu for operator in compiled.operators):
        raise BadInputError(
            f"{path}: not compiled by Vela (it holds no ethos-u operator); wanted is a build folder, or a .tflite "
            "that Vela compiled",
            hints=[f"deploy compile {path} --npu U55-128, and then this without a file: it takes that build"],
        )
    original = None if source is None else read(source)
    if original is not None and any(operator.on_npu for operator in original.operators):
        raise BadInputError(f"--source {source}: compiled by Vela, too", hints=["the model before Vela"])
    if original is not None:
        compiled, original = _named_alike(compiled, original, f"{path} and --source {source}")
        (folder / SOURCE_MODEL).write_bytes(original.content)
    (folder / COMPILED_MODEL).write_bytes(compiled.content)
    document = _document(path, compiled, original)
    (folder / COMPILE_DOCUMENT).write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")
    build = BuildFolder(folder, document)
    build.compiled_model, build.source_model = compiled, compiled if original is None else original
    return build


def _named_alike(compiled: Model, source: Model, which: str) -> tuple[Model, Model]:
    """Both with the same names of inputs and outputs; SignatureDefs, which Vela did not always keep, may go."""
    plain = [dataclasses.replace(model, signature=None) for model in (compiled, source)]
    for one, other in ((compiled, source), (plain[0], plain[1]), (_as_before_vela(plain[0]), plain[1])):
        inputs, outputs = set(one.input_names().values()), set(one.output_names().values())
        if inputs <= set(other.input_names().values()) and outputs == set(other.output_names().values()):
            return one, other
    raise BadInputError(
        f"{which} do not belong together: inputs and outputs "
        f"{', '.join((*compiled.input_names().values(), *compiled.output_names().values()))} and "
        f"{', '.join((*source.input_names().values(), *source.output_names().values()))}"
    )


def _as_before_vela(compiled: Model) -> Model:
    """Outputs without what the first versions of Vela put behind the names of what the NPU hands to the CPU."""
    names = {name.removesuffix(_HANDED_OVER): index for index, name in compiled.output_names().items()}
    return dataclasses.replace(compiled, signature=compiled.signature_with(names))


def _document(path: Path, compiled: Model, source: Model | None) -> CompileDocument:
    target, programs = _programs(path, compiled)
    _check_arena(path, compiled)
    dedicated = _dedicated(compiled, programs)
    streams = [program.statistics(region_config(dedicated=dedicated)) for program in programs]
    operators = _operators(compiled, streams)
    inputs, outputs = tensor_records(compiled)
    note = (
        "" if source is not None else "what it was compiled from is not known: nothing says what it must compute"
    )
    return CompileDocument(
        model=path.stem,
        npu=target.name,
        accelerator=target.accelerator,
        system_config=target.system_config,
        memory_mode=_DEDICATED if dedicated else _SHARED,
        optimise=_UNKNOWN,
        source_sha256="" if source is None else source.sha256,
        compiled_sha256=compiled.sha256,
        compiled_file=str(path),
        inputs=inputs,
        outputs=outputs,
        operators=operators,
        figures=tuple(_figures(compiled, streams, operators)),
        warnings=(note,) if note else (),
        versions={"deploy": deploy.__version__},
    )


def _programs(path: Path, compiled: Model) -> tuple[Npu, list[Program]]:
    """The NPU of a file, and its command streams."""
    try:
        payloads = [parse_payload(operator.payload_bytes) for operator in npu_operators(compiled)]
        words = {payload.config_word for payload in payloads if payload.config_word is not None}
        if len(words) != 1:
            said = "says nothing" if not words else f"says {', '.join(f'{word:#010x}' for word in sorted(words))}"
            raise BadInputError(f"{path}: which NPU it is for cannot be known: its command stream {said}")
        architecture = architecture_of(words.pop())
        programs = [decode(payload.stream, architecture) for payload in payloads]
    except NpuError as error:
        raise BadInputError(f"{path}: {error}") from error
    return npu_named(architecture.name), programs


def _check_arena(path: Path, compiled: Model) -> None:
    """Refuse what says nothing about the memory that its command stream works in."""
    if any(operator.scratch.nbytes == 0 for operator in npu_operators(compiled)):
        raise BadInputError(
            f"{path}: how much memory its command stream works in is not known: the file says 0 bytes, as the "
            "first versions of Vela wrote it",
            hints=["compile the model again: deploy compile MODEL --npu U55-128"],
        )


def _dedicated(compiled: Model, programs: Sequence[Program]) -> bool:
    """Whether an SRAM is dedicated to the NPU.

    Vela up to 4.5 wrote a tensor for it in all memory modes, the arena once more where none is dedicated; then no
    command goes there.
    """
    offsets = arena_offsets(compiled)
    for operator, program in zip(npu_operators(compiled), programs, strict=True):
        scratch, fast = operator.scratch, operator.fast
        arena_again = (offsets[scratch.index], scratch.nbytes) == (offsets[fast.index], fast.nbytes)
        used = any(region == FAST for step in program.operations for region, _ in (*step.reads, *step.writes))
        if operator.has_fast_memory and (used or not arena_again):
            return True
    return False


def _operators(compiled: Model, streams: Sequence[Statistics]) -> tuple[OperatorRecord, ...]:
    """The operations of the command streams and the operators on the CPU, in the order in which they run."""
    found: list[OperatorRecord] = []
    waiting = list(streams)
    for operator in compiled.operators:
        name = compiled.name_of(operator)
        if not operator.on_npu:
            found.append(
                OperatorRecord(
                    index=len(found), type=operator.code, name=name, placement="CPU", reason="as it was compiled"
                )
            )
            continue
        found += [
            OperatorRecord(
                index=len(found) + number,
                type=record.kind,
                name=f"{name}+{record.offset:#x}",
                placement="NPU",
                npu_cycles=record.cycles,
                macs=record.macs,
            )
            for number, record in enumerate(waiting.pop(0).records)
        ]
    return tuple(found)


def _figures(compiled: Model, streams: Sequence[Statistics], operators: Sequence[OperatorRecord]) -> list[Figure]:
    constants = sum(each.constants.nbytes + each.payload.nbytes for each in npu_operators(compiled))
    rows: list[tuple[str, float, str, Label, str]] = [
        ("total_cycles", sum(stream.cycles for stream in streams), "cycles", "estimate", _SOURCE),
        ("macs", sum(stream.macs for stream in streams), "MAC", "estimate", _SOURCE),
        ("npu_operations", sum(stream.operations for stream in streams), "operations", "estimate", _SOURCE),
        ("cpu_operators", sum(each.placement == "CPU" for each in operators), "operators", "estimate", "the file"),
        ("arena", arena_end(compiled, arena_offsets(compiled)), "bytes", "estimate", "the file"),
        ("npu_constants", constants, "bytes", "estimate", "the file"),
        ("compiled_size", len(compiled.content), "bytes", "estimate", "the file"),
    ]
    return [
        Figure(name=name, value=value, unit=unit, label=label, source=source)
        for name, value, unit, label, source in rows
    ]
