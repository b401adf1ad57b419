"""Where a target first computes something else than the NPU model: an operation of the NPU, by its place."""

from __future__ import annotations

from typing import Literal

from deploy.build_folder import Document


class Located(Document):
    """What ``--locate`` found.

    Attributes:
        kind: what differs first: an operation of the NPU, an operator on the CPU, the ``input`` in the target's
            memory, or ``nothing`` that could be found; ``reason`` then says why.
        reason: one sentence.
        input: index of the input that was looked at: the first whose outputs differ.
        runs: how often the target ran to find it.
        compiled_operator: position of the operator in the compiled model; None where nothing was found.
        operation: number of the operation in the command stream of that ``ethos-u`` operator, from 0.
        operations: how many it has.
        command: that starts the operation, ``NPU_OP_CONV``.
        offset: of that command, in bytes of the command stream.
        operator: index of the operator of the source model that the operation computes, or for a transfer serves.
        operator_type: ``CONV_2D``.
        operator_name: name of its first output tensor.
        region: of the NPU's memory: 1 the arena, 2 the fast memory beside it.
        address: of the first element that differs, an offset into the region.
        target_address: the same in the target's own memory, where that is known.
        position: of that element in what the operation wrote: row, column and channel of a feature map; the index
            in a transfer or a tensor; empty for a byte elsewhere.
        target: its value on the target.
        model: its value in the NPU model.
        differing: how many elements differ.
        elements: of how many that it wrote.
        unseen: numbers of the operations before it that left something in the NPU's own memory, which nobody can
            look into, and that this one uses: tables, and on U85 results that stay there. The fault may be theirs.
    """

    kind: Literal["operation", "cpu operator", "input", "nothing"]
    reason: str
    input: int
    runs: int
    compiled_operator: int | None = None
    operation: int | None = None
    operations: int | None = None
    command: str | None = None
    offset: int | None = None
    operator: int | None = None
    operator_type: str | None = None
    operator_name: str | None = None
    region: int | None = None
    address: int | None = None
    target_address: int | None = None
    position: tuple[int, ...] = ()
    target: int | float | None = None
    model: int | float | None = None
    differing: int | None = None
    elements: int | None = None
    unseen: tuple[int, ...] = ()
