"""Which of a model's signatures is taken, and a file with that one alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.errors import BadInputError
from deploy.tflite import Model, damage_named, schema

DEFAULT = "serving_default"
"""What TensorFlow calls the signature of a model that has one; chosen where there are others beside it."""


@dataclass(frozen=True)
class Entry:
    """A SignatureDef.

    Attributes:
        key: its name.
        subgraph: what it runs, as a number.
    """

    key: str
    subgraph: int


def signatures_of(model: Model) -> tuple[Entry, ...]:
    """All SignatureDefs of a file, in its order.

    Raises:
        BadInputError: one of them names a subgraph that there is not.
    """
    with damage_named("the signatures"):
        root = schema().Model.GetRootAs(model.content, 0)
        items = [root.SignatureDefs(i) for i in range(root.SignatureDefsLength())]
        found = tuple(
            Entry((item.SignatureKey() or b"").decode("utf-8", "replace"), item.SubgraphIndex()) for item in items
        )
        for entry in found:
            if not 0 <= entry.subgraph < len(model.tensor_counts):
                raise ValueError(f"signature {entry.key} runs subgraph {entry.subgraph}")
    return found


def chosen(keys: Sequence[str], wanted: str | None, source: str) -> int | None:
    """Which signature is meant: the wanted one, else ``serving_default``, else the only one.

    Args:
        keys: their names, in the file's order.
        wanted: by the user; None for the default.
        source: names the file in errors.

    Returns:
        Its position; None for a file without signatures.

    Raises:
        BadInputError: there is none of that name, or several and no default among them.
    """
    listed = ", ".join(keys) or "none"
    if wanted is not None:
        if wanted not in keys:
            raise BadInputError(f"{source}: no signature {wanted} (its signatures: {listed})")
        return list(keys).index(wanted)
    if not keys:
        return None
    if DEFAULT in keys:
        return list(keys).index(DEFAULT)
    if len(keys) == 1:
        return 0
    raise BadInputError(
        f"{source}: holds {len(keys)} signatures ({listed}) and none of them is {DEFAULT}",
        hints=[f"choose one: --signature {keys[0]}"],
    )


def choice_notes(keys: Sequence[str], number: int) -> tuple[str, ...]:
    """Which signature was taken, in one sentence; none where there was no other."""
    others = ", ".join(key for at, key in enumerate(keys) if at != number)
    return (f"signature {keys[number]} is taken; --signature chooses another one: {others}",) if others else ()


def keep(record: Any, number: int) -> None:
    """Leave one signature in a file, with the subgraph that it runs and those that this one refers to.

    Args:
        record: ``ModelT``; is changed.
        number: position of the signature.
    """
    definition = record.signatureDefs[number]
    order = _reached(record, definition.subgraphIndex)
    place = {old: new for new, old in enumerate(order)}
    record.subgraphs = [record.subgraphs[old] for old in order]
    codes: dict[int, int] = {}
    for graph in record.subgraphs:
        for operator in graph.operators or []:
            for field, old in _references(operator):
                setattr(operator.builtinOptions, field, place[old])
            operator.opcodeIndex = codes.setdefault(operator.opcodeIndex, len(codes))
    # LiteRT looks for kernels of all codes in a file, whether an operator has them or not.
    record.operatorCodes = [record.operatorCodes[old] for old in codes]
    definition.subgraphIndex = 0
    record.signatureDefs = [definition]
    used = {tensor.buffer for graph in record.subgraphs for tensor in graph.tensors}
    used.update(each.buffer for each in record.metadata or [])
    record.buffers = [
        buffer if place in used else schema().BufferT() for place, buffer in enumerate(record.buffers)
    ]


def _reached(record: Any, first: int) -> list[int]:
    """A subgraph and those that its operators (IF, WHILE, CALL_ONCE) run, that one first."""
    order = [first]
    for number in order:  # which grows meanwhile
        for operator in record.subgraphs[number].operators or []:
            for _, other in _references(operator):
                if other not in order:
                    order.append(other)
    return order


def _references(operator: Any) -> list[tuple[str, int]]:
    """The fields of an operator's options that hold the number of a subgraph."""
    fields = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
    return [(name, int(value)) for name, value in fields.items() if name.lower().endswith("subgraphindex")]
