"""The build folder: what ``deploy compile`` writes and every later step reads.

Layout::

    BUILD/source.tflite       the quantized model that was compiled: the reference for every verdict
    BUILD/model_vela.tflite   Vela's output: what the target runs
    BUILD/compile.json        CompileDocument below
    BUILD/samples.npz         inputs to test with where none are named: calibration data, or searched for
    BUILD/quantize.json       QuantizationDocument, where compile quantized the model itself
    BUILD/float.tflite        the float model, where compile quantized it itself: its labels stand in reports
    BUILD/verification.json   VerificationRecord: the check of operators by compile, or by a later run
    BUILD/<command>.json      last verdict of check, run-fvp, run-board and verify
    BUILD/advice.json         AdviceDocument: what would make the model cheaper
    BUILD/report.html         the report
    BUILD/model-explorer/     values for the graph in Google's Model Explorer
    BUILD/firmware-*/         projects of `deploy firmware`, their user's to edit: a new compilation leaves them
    BUILD/cache/              what `run-fvp` builds for itself, and `verify` has searched for
    BUILD/vela/               Vela's own files (summary and per-layer CSV, debug database, log)
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticSerializationError

from deploy.debug_database import DebugDatabase, read_debug_database
from deploy.errors import BadInputError
from deploy.near_names import near_names
from deploy.printable import readable
from deploy.shown import Shown
from deploy.tflite import Model, Tensor, read

COMPILE_SCHEMA_VERSION = 1
SOURCE_MODEL = "source.tflite"
COMPILED_MODEL = "model_vela.tflite"
COMPILE_DOCUMENT = "compile.json"
SAMPLES = "samples.npz"
QUANTIZE_DOCUMENT = "quantize.json"
FLOAT_MODEL = "float.tflite"
ADVICE_DOCUMENT = "advice.json"
_REPORT = "report.html"
VERIFICATION_DOCUMENT = "verification.json"
VELA_FOLDER = "vela"
FIRMWARE_PREFIX = "firmware-"
FIRMWARE_LIST = "rendered.sha256"
CACHE_FOLDER = "cache"

MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
"""Largest JSON document that is read."""

Label = Literal["estimate", "simulated", "measured"]

# A damaged document must not get further than its reader.
_Count = Annotated[int, Field(ge=0, lt=1 << 62)]
_Small = Annotated[int, Field(ge=-(1 << 31), lt=1 << 32)]
_Finite = Annotated[float, Field(allow_inf_nan=False, gt=-1e18, lt=1e18)]


class Document(Shown, BaseModel):
    """Base of all JSON documents: immutable, unknown keys refused.

    A document's validator is built when the first of its kind is read or made: no command needs all of them.
    """

    # `model_...` is a fine name for a field; pydantic below 2.10 warns of all of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, protected_namespaces=())

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """As pydantic does it; names of files that the locale cannot decode are made readable."""
        try:
            return super().model_dump_json(indent=indent, **options)
        except PydanticSerializationError:
            return json.dumps(_readable(self.model_dump(mode="json", **options)), indent=indent)


class Answer(Document):
    """Base of the documents that ``--json`` writes, behind keys that all share: read with those as without."""

    @model_validator(mode="before")
    @classmethod
    def _own_keys(cls, value: Any) -> Any:
        """What names its schema may have keys of others, and those of later versions."""
        if isinstance(value, dict) and "schema" in value:
            return {key: each for key, each in value.items() if key in cls.model_fields}
        return value


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {readable(key): _readable(each) for key, each in value.items()}
    return [_readable(each) for each in value] if isinstance(value, list) else value


class Figure(Document):
    """A number with its unit, how it was obtained, and what produced it."""

    name: str
    value: _Finite
    unit: str
    label: Label
    source: str = ""


class TensorRecord(Document):
    """An input or output of the compiled model.

    Attributes:
        name: the SignatureDef's name where there is one, else the tensor's; what users match by.
        tensor_name: the name in the file.
        dtype: NumPy name.
        scales: quantization scales (empty for a tensor that is not quantized).
        bytes: size in memory.
    """

    name: str
    tensor_name: str
    shape: tuple[_Small, ...]
    dtype: str
    scales: tuple[_Finite, ...]
    zero_points: tuple[_Small, ...]
    bytes: _Count


class OperatorRecord(Document):
    """An operator of the source model and where it runs.

    Attributes:
        index: position in the source model's graph.
        type: TFLite's name, ``CONV_2D``.
        name: name of its first output tensor.
        reason: why it stays on the CPU; None on the NPU.
        npu_cycles: Vela's estimate of its cycles, waits for memory included; they add up to the figure
            ``total_cycles``. None where Vela gives none: operators on the CPU, or folded away while compiling.
        macs: multiply-accumulates; None where Vela gives none.
    """

    index: _Count
    type: str
    name: str
    placement: Literal["NPU", "CPU"]
    reason: str | None = None
    npu_cycles: _Count | None = None
    macs: _Count | None = None


class SamplesRecord(Document):
    """The test inputs that a build folder keeps.

    Attributes:
        count: how many.
        source: where they come from, in words.
        sha256: of the file.
    """

    count: _Count
    source: str
    sha256: str


class CompileDocument(Answer):
    """``compile.json``: everything later steps and reports need to know about a compilation.

    Attributes:
        model: name of the model, from its file name.
        npu: ``U55-128`` and so on.
        system_config: section of ``Arm/vela.ini``.
        memory_mode: section of ``Arm/vela.ini``.
        source_sha256: of ``source.tflite``; empty where nobody knows what the model was compiled from.
        compiled_sha256: of ``model_vela.tflite``.
        compiled_file: the file, where Vela compiled it elsewhere; empty for builds of ``deploy compile``.
        operators: in the source model's order.
        figures: every number, each labelled; see ``figure``.
        layers: Vela's per-layer rows, column name -> text or number, as Vela wrote them; with the column
            ``source_operator``, the index of the operator it stems from, where that is known.
        warnings: what a user should know, one sentence each.
        runner_lacks: operators on the CPU that Arm's prebuilt runner cannot compute, one sentence each.
        sram_limit: bytes of SRAM that the model was allowed to take; None where no board was known.
        samples: the test inputs beside the document; None where there are none.
    """

    schema_version: int = COMPILE_SCHEMA_VERSION
    model: str
    npu: str
    accelerator: str
    system_config: str
    memory_mode: str
    optimise: str
    source_sha256: str
    compiled_sha256: str
    compiled_file: str = ""
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    operators: tuple[OperatorRecord, ...]
    figures: tuple[Figure, ...]
    layers: tuple[dict[str, str | float | int], ...] = ()
    warnings: tuple[str, ...] = ()
    runner_lacks: tuple[str, ...] = ()
    versions: dict[str, str]
    sram_limit: _Count | None = None
    samples: SamplesRecord | None = None

    def figure(self, name: str) -> Figure | None:
        """The figure of that name, or None."""
        return next((figure for figure in self.figures if figure.name == name), None)

    @property
    def cpu_operators(self) -> tuple[OperatorRecord, ...]:
        """Operators that stay on the CPU."""
        return tuple(operator for operator in self.operators if operator.placement == "CPU")


class BuildFolder(Shown):
    """An existing, checked build folder."""

    def __init__(self, path: Path, document: CompileDocument) -> None:
        self.path = path
        self.document = document

    @property
    def shown(self) -> str:
        """What documents and people call it: the folder, or the file that Vela compiled elsewhere."""
        return self.document.compiled_file or str(self.path)

    @property
    def has_source(self) -> bool:
        """Whether it is known what was compiled; without, nothing says what the build must compute."""
        return bool(self.document.source_sha256)

    @property
    def source(self) -> Path:
        """The quantized model that was compiled."""
        return self.path / SOURCE_MODEL

    @property
    def compiled(self) -> Path:
        """Vela's output."""
        return self.path / COMPILED_MODEL

    @property
    def report_file(self) -> Path:
        """Where its HTML report is."""
        return self.path / _REPORT

    def verdict_file(self, command: str) -> Path:
        """Where the last verdict of a command is kept."""
        return self.path / f"{command}.json"

    @functools.cached_property
    def source_model(self) -> Model:
        """The quantized model, read once; where it is not known, the compiled one.

        Raises:
            BadInputError: it is damaged.
        """
        return read(self.source) if self.has_source else self.compiled_model

    @functools.cached_property
    def compiled_model(self) -> Model:
        """Vela's output, read once.

        Raises:
            BadInputError: it is damaged.
        """
        return read(self.compiled)

    @functools.cached_property
    def debug(self) -> DebugDatabase:
        """Vela's debug database, read once; an empty one where it is missing or cannot be read."""
        for path in sorted((self.path / VELA_FOLDER).glob("*_debug.xml")):
            with contextlib.suppress(BadInputError):
                return read_debug_database(path)
        return DebugDatabase("")

    @property
    def float_model(self) -> Path | None:
        """The float model that was quantized; None where the model came quantized."""
        path = self.path / FLOAT_MODEL
        return path if path.is_file() else None

    @classmethod
    def open(cls, path: Path) -> BuildFolder:
        """Open a build folder and check that its models are the ones that ``compile.json`` describes.

        Raises:
            BadInputError: something is missing, damaged or was replaced since.
        """
        again = ["run `deploy compile` again"]
        document_path = path / COMPILE_DOCUMENT
        try:
            text = document_text(document_path)
        except (OSError, UnicodeDecodeError) as error:
            what = (
                "no compile.json in it" if path.is_dir() else "it is a file" if path.exists() else "no such folder"
            )
            if document_path.exists():
                what = f"compile.json cannot be read: {error}"
            raise BadInputError(
                f"{path}: not a build folder ({what})",
                hints=[*near_names(path), "`deploy compile MODEL --npu U55-128` writes one"],
            ) from error
        try:
            document = CompileDocument.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise BadInputError(f"{document_path}: {where}: {first['msg']}", hints=again) from error
        if document.schema_version != COMPILE_SCHEMA_VERSION:
            raise BadInputError(
                f"{document_path}: schema version {document.schema_version}, "
                f"this deploy reads {COMPILE_SCHEMA_VERSION}",
                hints=again,
            )
        build = cls(path, document)
        for file, expected in (
            (build.source, document.source_sha256),
            (build.compiled, document.compiled_sha256),
        ):
            if expected and sha256_of_file(file) != expected:
                raise BadInputError(f"{file}: not the file that compile.json describes", hints=again)
        return build


def document_text(path: Path) -> str:
    """The text of a JSON document.

    Raises:
        BadInputError: it is too large, or no regular file.
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BadInputError(f"{path}: not a regular file")
    if status.st_size > MAX_DOCUMENT_BYTES:
        raise BadInputError(f"{path}: larger than the {MAX_DOCUMENT_BYTES} bytes that are read")
    return path.read_text(encoding="utf-8")


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        BadInputError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise BadInputError(f"{path}: not a regular file")
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error


def sha256_of_bytes(content: bytes) -> str:
    """SHA-256 of bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def tensor_records(model: Model) -> tuple[tuple[TensorRecord, ...], tuple[TensorRecord, ...]]:
    """The tensor table (inputs, outputs) of a model, in the file's order, with the names users match by."""
    input_names, output_names = model.input_names(), model.output_names()
    return (
        tuple(_record(tensor, input_names[tensor.index]) for tensor in model.input_tensors),
        tuple(_record(tensor, output_names[tensor.index]) for tensor in model.output_tensors),
    )


def _record(tensor: Tensor, name: str) -> TensorRecord:
    quantization = tensor.quantization
    return TensorRecord(
        name=name,
        tensor_name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scales=quantization.scales if quantization else (),
        zero_points=quantization.zero_points if quantization else (),
        bytes=tensor.nbytes,
    )
