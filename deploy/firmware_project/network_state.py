"""What firmware has to know about a network's state: its places in the arena, first contents, and moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.errors import BadInputError
from deploy.tflite import Model
from deploy.tflite.state import (
    RESOURCE_OPERATORS,
    accesses,
    has_resources,
    initial_resources,
    initial_variable,
    variable_tensors,
)

_ALIGNMENT = 16


@dataclass(frozen=True)
class FirmwareState:
    """A part of a network's state.

    Attributes:
        arena_offset: where it lies in the arena, in bytes.
        initial: what it holds at first.
    """

    arena_offset: int
    initial: bytes = field(repr=False)

    @property
    def fill(self) -> int | None:
        """The value of all bytes of ``initial``; None where they differ."""
        return self.initial[0] if len(set(self.initial)) == 1 else None


@dataclass(frozen=True)
class Move:
    """Bytes that an operator of a resource variable moves within the arena; places are offsets in it, in bytes."""

    origin: int
    destination: int
    bytes: int


@dataclass(frozen=True)
class NetworkState:
    """The state of a network that firmware keeps itself, without an interpreter.

    Attributes:
        parts: each part once.
        moves: in the order of the operators.
        moves_before: how many of them come before the NPU runs.
    """

    parts: tuple[FirmwareState, ...] = ()
    moves: tuple[Move, ...] = ()
    moves_before: int = 0


def resources_of(model: Model) -> dict[str, bytes]:
    """The resource variables of a model: name -> what each holds at first.

    Raises:
        BadInputError: they are initialised with more than constants.
    """
    if not has_resources(model):
        return {}
    return {name: content.tobytes() for name, content in initial_resources(model).items()}


def state_bytes(model: Model, offsets: tuple[int, ...]) -> int:
    """What the state takes besides Vela's arena: resource variables, and variable tensors it did not place."""
    unplaced = (tensor.nbytes for tensor in variable_tensors(model) if offsets[tensor.index] < 0)
    return sum(_rounded(size) for size in (*unplaced, *map(len, resources_of(model).values())))


def state_of(model: Model, offsets: tuple[int, ...], arena_end: int) -> NetworkState:
    """The state of a network whose operators are one ``ethos-u`` operator and those of resource variables.

    Args:
        model: that Vela wrote.
        offsets: of its tensors in the arena, in bytes.
        arena_end: where the arena that Vela planned ends; resource variables lie behind it.

    Raises:
        BadInputError: a variable has no place in the arena.
    """
    parts: dict[int, FirmwareState] = {}
    for tensor in variable_tensors(model):
        if offsets[tensor.index] < 0:
            raise BadInputError(f"Vela gave the state {tensor.name!r} no place in the arena")
        place = offsets[tensor.index]
        parts.setdefault(place, FirmwareState(place, initial_variable(tensor).tobytes()))
    places: dict[str, int] = {}
    for name, content in resources_of(model).items():
        places[name] = arena_end
        parts[arena_end] = FirmwareState(arena_end, content)
        arena_end += _rounded(len(content))
    (npu,) = (operator.index for operator in model.operators if operator.on_npu)
    moves, before = [], 0
    for access in accesses(model) if places else ():
        variable, place = places[access.name], offsets[access.tensor.index]
        if place < 0:
            raise BadInputError(f"Vela gave {access.tensor.name!r}, which is kept, no place in the arena")
        origin, destination = (place, variable) if access.assigns else (variable, place)
        moves.append(Move(origin, destination, access.tensor.nbytes))
        before += access.operator.index < npu
    return NetworkState(tuple(parts.values()), tuple(moves), before)


def is_single(model: Model) -> bool:
    """Whether a network is one ``ethos-u`` operator, besides operators that only move its state."""
    others = [operator for operator in model.operators if operator.code not in RESOURCE_OPERATORS]
    return len(others) == 1 and others[0].on_npu


def _rounded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
