"""What an instruction set is: its commands, and the kinds of operations that they start.

:mod:`deploy.npu.u55` is one: the table of what Ethos-U55 and U65 do. :mod:`deploy.npu.u85` is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

from deploy.npu.core.records import Record, Tables
from deploy.npu.core.weights import Packing
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.commands import Command, CommandSet, Settings
from deploy.npu.stream.operations import Operation
from deploy.npu.timing.cycles import OperationTime
from deploy.npu.weights.unpacked import ChannelScales, Streams

AnyOperation = TypeVar("AnyOperation", bound=Operation)


class Registers(Protocol):
    """The registers that a command stream sets; they keep their values between operations.

    Attributes:
        settings: what was set.
    """

    settings: Settings


@dataclass(frozen=True)
class Kind(Generic[AnyOperation]):
    """A kind of operation.

    What it counts and moves, an operation says itself (:class:`deploy.npu.stream.operations.Operation`).

    Attributes:
        read: called with the registers, the command and the operation's number; gives the operation.
        translate: gives it to the compiled core, called with the operation and the tables that records refer to;
            None where the core has nothing for it (see :mod:`deploy.npu.core.translation`).
        time: estimates it, called with the operation, the NPU, the memories behind it and the operations that are
            chained to it (there are none but on U85).
        pack: packs its weights for the compiled core; None for what has none.
        scales: unpacks its biases and scales, called with the operation and the bytes of its scale streams; None
            for what has none.
    """

    operation: type[AnyOperation]
    commands: tuple[IntEnum, ...]
    read: Callable[[Any, Command, int], AnyOperation]
    execute: Callable[[AnyOperation, Workspace], None]
    translate: Callable[[AnyOperation, Tables], Record] | None
    time: Callable[..., OperationTime]
    pack: Packing | None = None
    scales: Callable[[Any, Streams], ChannelScales] | None = None


@dataclass(frozen=True)
class InstructionSet:
    """What a family's command streams are written in.

    Attributes:
        registers: makes the registers, none of them set, of an NPU.
        ignored: commands without a meaning here: program order is execution order, nothing has to be waited for.
            Every other command sets a register, or is refused.
        refused: name of each command that is not modelled -> what it is.
        roles: name of each other command that sets no register -> the kind of operation that it starts, or None.
    """

    commands: CommandSet
    registers: Callable[[Any], Registers]
    kinds: tuple[Kind[Any], ...]
    stop: IntEnum
    ignored: tuple[IntEnum, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    roles: dict[str, Kind[Any] | None] = field(init=False, repr=False)
    _by_operation: dict[type[Operation], Kind[Any]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # By names: the numbers of commands of one and of two words coincide.
        roles = dict.fromkeys(command.name for command in (*self.ignored, self.stop))
        roles |= {command.name: kind for kind in self.kinds for command in kind.commands}
        object.__setattr__(self, "roles", roles)
        object.__setattr__(self, "_by_operation", {kind.operation: kind for kind in self.kinds})

    def started_by(self, code: IntEnum) -> Kind[Any] | None:
        """The kind of operation that a command starts; None if it starts none."""
        return self.roles.get(code.name)

    def ignores(self, code: IntEnum) -> bool:
        """Whether a command has no meaning here."""
        return any(code is ignored for ignored in self.ignored)

    def kind_of(self, operation: Operation) -> Kind[Any]:
        """The kind of an operation of this instruction set."""
        return self._by_operation[type(operation)]
