"""What firmware has to know about a compiled network: arrays, arena, tensor tables, NPU."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from deploy import npu
from deploy.build_folder import BuildFolder, TensorRecord
from deploy.errors import BadInputError
from deploy.firmware_project.network_state import (
    FirmwareState,
    Move,
    NetworkState,
    is_single,
    resources_of,
    state_bytes,
    state_of,
)
from deploy.hardware.boards import Board, FirmwareHardware, Region, default_board, firmware_boards
from deploy.hardware.npus import npu_named
from deploy.npu.regions import region_config
from deploy.printable import printable
from deploy.tflite import NPU_OPERATOR, Model
from deploy.tflite.compiled import arena_end, arena_offsets, npu_operators
from deploy.tflite.generated import DTYPE_NUMBERS
from deploy.tflite.reading import subgraph
from deploy.tflite.state import RESOURCE_OPERATORS

ARENA_MARGIN_BYTES = 2048
"""On top of Vela's figure: TFLM needs 452 to 576 bytes of its own (measured on 12 models), and bricks of the
NHCWB16 format may reach past the end of a tensor."""

_TFLM_TENSORS, _TFLM_TENSOR_BYTES = 16, 80
"""So many tensors the margin covers; each further one takes TFLM so much while it plans (source: the structures of
its GreedyMemoryPlanner, AllocationInfo and TfLiteEvalTensor). A LSTM leaves one behind for every gate and step."""

_ALIGNMENT = 16
_MAX_NAME_BYTES = 0xFFFF
"""What the protocol has room for."""


@dataclass(frozen=True)
class FirmwareTensor:
    """An input or output.

    Attributes:
        record: name, shape, dtype, quantization and size.
        position: among the compiled model's inputs or outputs.
        arena_offset: where it lies in the arena, in bytes; -1 if Vela did not place it.
    """

    record: TensorRecord
    position: int
    arena_offset: int
    labels: tuple[str, ...] = ()

    @property
    def scale(self) -> float:
        """Scale, 0 for a tensor that is not quantized."""
        return self.record.scales[0] if self.record.scales else 0.0

    @property
    def zero_point(self) -> int:
        """Zero point, 0 for a tensor that is not quantized."""
        return self.record.zero_points[0] if self.record.zero_points else 0


@dataclass(frozen=True)
class FirmwareNetwork:
    """A compiled network for a board, ready to be written as C.

    Attributes:
        memory_mode: Vela's.
        sha256: of the compiled ``.tflite``, in hex.
        operators: codes of the compiled model's operators, in order (``ethos-u``, ``SOFTMAX``), and of those that
            initialise it.
        commands: payload of the ethos-u operator (driver actions, command stream); empty unless it is the only
            operator, besides those that move the state.
        weights: its read-only data; empty likewise.
        tensors: how many there are, in all subgraphs.
        resources: how many resource variables there are.
        state_bytes: what the state takes besides what Vela planned.
        state: where the state lies, and how it moves; nothing unless there is one ethos-u operator.
        config_word: CONFIG register of the NPU it was compiled for.
        scratch_bytes: end of the last tensor in the arena, dedicated fast memory left out.
        planned_bytes: the same with dedicated fast memory, which TFLM places in its arena as well.
        fast_memory_bytes: size of dedicated fast memory, 0 if the memory mode has none.
    """

    board: Board
    hardware: FirmwareHardware
    name: str
    npu: str
    memory_mode: str
    sha256: str
    inputs: tuple[FirmwareTensor, ...]
    outputs: tuple[FirmwareTensor, ...]
    operators: tuple[str, ...]
    model: bytes = field(repr=False)
    commands: bytes = field(repr=False)
    weights: bytes = field(repr=False)
    config_word: int
    scratch_bytes: int
    planned_bytes: int
    fast_memory_bytes: int
    tensors: int = 0
    resources: int = 0
    state_bytes: int = 0
    state: NetworkState = field(default_factory=NetworkState)

    @property
    def states(self) -> tuple[FirmwareState, ...]:
        """The parts of the state."""
        return self.state.parts

    @property
    def moves(self) -> tuple[Move, ...]:
        """What moves them."""
        return self.state.moves

    @property
    def moves_before(self) -> int:
        """How many of these come before the NPU runs."""
        return self.state.moves_before

    @property
    def cpu_operators(self) -> tuple[str, ...]:
        """Codes of the operators that stay on the CPU, each once, sorted."""
        return tuple(sorted(set(self.operators) - {NPU_OPERATOR}))

    @property
    def model_in_sram(self) -> bool:
        """Whether Vela assumed the read-only data to lie in SRAM too."""
        return self.memory_mode == "Sram_Only"

    @property
    def arena_in_sram(self) -> bool:
        """Whether the arena lies in SRAM (else in DDR, with a dedicated SRAM beside it)."""
        return self.fast_memory_bytes == 0

    @property
    def arena_region(self) -> Region:
        """Where the arena lies."""
        return self.hardware.arena if self.arena_in_sram else self.hardware.model

    @property
    def data_region(self) -> Region:
        """Where the read-only data lies."""
        return self.hardware.arena if self.model_in_sram else self.hardware.model

    @property
    def region_config(self) -> int:
        """The NPU's REGIONCFG register."""
        return region_config(dedicated=not self.arena_in_sram)

    def arena_bytes(self, runtime: str) -> int:
        """Size of the tensor arena for ``npu`` or ``tflm``."""
        used = self.planned_bytes if runtime == "tflm" else self.scratch_bytes
        beyond = max(0, self.tensors - _TFLM_TENSORS) if runtime == "tflm" else 0
        return _rounded(used + ARENA_MARGIN_BYTES + beyond * _TFLM_TENSOR_BYTES) + self.state_bytes


def read_network(
    build: BuildFolder, labels: dict[str, tuple[str, ...]] | None = None, board: Board | None = None
) -> FirmwareNetwork:
    """Read what firmware needs from a build folder.

    Raises:
        BadInputError: the compiled model has nothing for the NPU, is damaged, or does not fit the board (another
            NPU, too little memory).
    """
    document = build.document
    config = npu_named(document.npu)
    board = board or default_board(config.family)
    if board.hardware is None:
        raise BadInputError(f"no firmware for {board.name}: its memories are not known")
    if not board.has(config.family, config.macs):
        able = [other.id for other in firmware_boards() if other.has(config.family, config.macs)]
        raise BadInputError(
            f"no firmware for Ethos-{config.name}: {board.name} has {' and '.join(board.npu_names)}",
            hints=[*(f"--board {name} has it" for name in able), "`deploy verify` runs it here, on the NPU model"],
        )
    model = build.compiled_model
    on_npu = npu_operators(model)
    if not on_npu:
        raise BadInputError(
            f"{build.compiled}: no ethos-u operator in it: the NPU would have nothing to do",
            hints=["`deploy report` says why the operators stay on the CPU"],
        )
    offsets = arena_offsets(model)
    fast = {operator.fast.index for operator in on_npu if operator.has_fast_memory}
    for operator in on_npu:
        try:
            npu.parse_payload(operator.payload_bytes)
        except npu.NpuError as error:
            raise BadInputError(f"{build.compiled}: the command stream is damaged: {error}") from error
    first, weights = on_npu[0], on_npu[0].constants.data
    single = is_single(model)
    scratch_bytes = arena_end(model, offsets, leave_out=fast)
    network = FirmwareNetwork(
        board=board,
        hardware=board.hardware,
        name=document.model,
        npu=document.npu,
        memory_mode=document.memory_mode,
        sha256=document.compiled_sha256,
        inputs=_tensors(document.inputs, model, model.inputs, offsets, {}),
        outputs=_tensors(document.outputs, model, model.outputs, offsets, labels or {}),
        operators=tuple(operator.code for graph in _graphs(model) for operator in graph.operators),
        model=model.content,
        commands=first.payload_bytes if single else b"",
        weights=weights.tobytes() if single and weights is not None else b"",
        config_word=config.config_word,
        scratch_bytes=scratch_bytes,
        planned_bytes=arena_end(model, offsets),
        fast_memory_bytes=max((_rounded(model.tensors[index].nbytes) for index in fast), default=0),
        tensors=sum(model.tensor_counts),
        resources=len(resources_of(model)),
        state_bytes=state_bytes(model, offsets),
        state=state_of(model, offsets, _rounded(scratch_bytes + ARENA_MARGIN_BYTES)) if single else NetworkState(),
    )
    _check_memory(network)
    return network


def _graphs(model: Model) -> list[Model]:
    """The subgraphs of a model, from the first on."""
    return [model, *(subgraph(model, number) for number in range(1, len(model.tensor_counts)))]


def check_single_operator(network: FirmwareNetwork) -> None:
    """Refuse what the ``npu`` runtime cannot run.

    Raises:
        BadInputError: the model is more than one ``ethos-u`` operator; lists the operators.
    """
    computing = [code for code in network.operators if code not in RESOURCE_OPERATORS]
    if computing == [NPU_OPERATOR]:
        unplaced = [t.record.name for t in (*network.inputs, *network.outputs) if t.arena_offset < 0]
        if unplaced:
            raise BadInputError(
                f"Vela gave {', '.join(unplaced)} no place in the arena",
                hints=["`--runtime tflm` places it itself"],
            )
        return
    raise BadInputError(
        f"the `npu` runtime runs a single ethos-u operator; this model has {len(network.operators)}: "
        f"{', '.join(network.operators[:12])}{', ...' if len(network.operators) > 12 else ''}",
        hints=[
            "`--runtime tflm --tflm DIR` runs operators on the CPU as well",
            "`deploy report` says why they stay",
        ],
    )


def _rounded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _tensors(
    records: tuple[TensorRecord, ...],
    model: Model,
    indices: tuple[int, ...],
    offsets: tuple[int, ...],
    labels: dict[str, tuple[str, ...]],
) -> tuple[FirmwareTensor, ...]:
    if len(records) != len(indices):
        raise BadInputError("compile.json and the compiled model differ in their inputs or outputs")
    tensors = []
    for position, (record, index) in enumerate(zip(records, indices, strict=True)):
        tensor = model.tensors[index]
        if (record.shape, record.dtype, record.bytes) != (tensor.shape, tensor.dtype, tensor.nbytes):
            raise BadInputError(f"{record.name}: compile.json and the compiled model differ")
        if len(record.name.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
            raise BadInputError(
                f"{printable(record.name[:60])}...: firmware has no room for names beyond {_MAX_NAME_BYTES} bytes",
                hints=["convert the model with a SignatureDef, whose names are used instead"],
            )
        if record.dtype not in DTYPE_NUMBERS:
            raise BadInputError(f"{record.name}: firmware cannot exchange tensors of type {record.dtype}")
        if not all(math.isfinite(np.float32(scale)) for scale in record.scales):
            raise BadInputError(f"{record.name}: its quantization scale is no finite number")
        tensors.append(FirmwareTensor(record, position, offsets[index], labels.get(record.name, ())))
    return tuple(tensors)


def _check_memory(network: FirmwareNetwork) -> None:
    """The NPU reaches the memories for arena and model; the TCMs it does not."""
    needed = Counter[Region]()
    needed[network.hardware.arena] += network.fast_memory_bytes
    needed[network.arena_region] += network.arena_bytes("tflm")
    needed[network.data_region] += len(network.model)
    needed[network.hardware.model] += sum(tensor.record.bytes for tensor in network.inputs)
    for region, size in needed.items():
        if size > region.size:
            raise BadInputError(
                f"the network needs {size} bytes of {region.memory} in memory mode {network.memory_mode}, "
                f"{network.board.name} has {region.size}",
                hints=["`deploy compile ... --optimise Size`", "another --memory-mode, or a smaller input"],
            )
