"""Groups of operators that are compared as one: one whose result lies in memory, and those that it absorbs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from deploy.tflite import Model, Operator
from deploy.tflite.state import RESOURCE_OPERATORS


@dataclass(frozen=True)
class Group:
    """Operators that are compared as one.

    Attributes:
        operators: in the model's order; the last one has the result, the others have none that is known.
        inputs: tensors that they start from, all known.
        outputs: the tensors of the last operator that are known.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def last(self) -> Operator:
        """The operator with the result."""
        return self.operators[-1]

    @property
    def absorbed(self) -> tuple[str, ...]:
        """The others, as ``index type``."""
        return tuple(named(operator) for operator in self.operators[:-1])


def named(operator: Operator) -> str:
    """``index type``."""
    return f"{operator.index} {operator.code}"


def groups(source: Model, known: Collection[int]) -> tuple[tuple[Group, ...], tuple[Operator, ...]]:
    """Cut a model into groups.

    Args:
        source: the model.
        known: tensors whose values are known: its inputs, and what was seen of the rest.

    Returns:
        The groups in the model's order, and the operators that are in none: neither a result of theirs is known
        nor one of an operator behind them, or what they start from is not. Those of resource variables, which
        compute nothing, are in neither.
    """
    computing = [operator for operator in source.operators if operator.code not in RESOURCE_OPERATORS]
    producer = {index: operator for operator in computing for index in operator.outputs}
    found: list[Group] = []
    for operator in computing:
        outputs = tuple(index for index in operator.outputs if index in known)
        if not outputs:
            continue
        members, inputs, whole = {operator.index: operator}, dict[int, None](), True
        ahead = [operator]
        while ahead:
            for tensor in source.activations(ahead.pop()):
                maker = producer.get(tensor.index)
                if tensor.index in known:
                    inputs[tensor.index] = None
                elif maker is None:
                    whole = False
                elif maker.index not in members:
                    members[maker.index] = maker
                    ahead.append(maker)
        if whole:
            found.append(Group(tuple(members[index] for index in sorted(members)), tuple(inputs), outputs))
    covered = {operator.index for group in found for operator in group.operators}
    return tuple(found), tuple(operator for operator in computing if operator.index not in covered)
