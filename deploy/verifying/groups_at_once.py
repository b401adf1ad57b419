"""Runs groups of operators on the reference kernels, as many of them as can be at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.tflite import Model, Operator
from deploy.tflite.model import CONTROL_FLOW
from deploy.verifying.group_kernels import ModelKernels, Values
from deploy.verifying.operator_groups import Group
from deploy.verifying.side_by_side import SideBySide, inputs_of, parts


class GroupsAtOnce:
    """A model's operators side by side, see :mod:`deploy.verifying.side_by_side`, for several batches of values.

    Args:
        kernels: with the model.
    """

    def __init__(self, kernels: ModelKernels) -> None:
        self._kernels = kernels
        self._prepared: dict[tuple[Operator, ...], SideBySide] = {}

    def computed(self, groups: Iterable[Group], start: Values, batch: int) -> dict[int, NDArray[Any]]:
        """What groups of operators compute.

        Args:
            groups: of the model.
            start: with the tensors that they start from, index -> ``(batch, *shape)``.
            batch: how many inferences these hold.

        Returns:
            Tensor index -> ``(batch, *shape)`` for what the operators compute, as far as they can be run so: not
            where they keep state or hold subgraphs, or where the reference kernels cannot run one. Which one that
            is, and why, is found out where they are asked one by one.
        """
        source, made, values = self._kernels.source, dict[int, NDArray[Any]](), dict(start)
        left = {each.index: each for group in groups for each in group.operators if _stands_alone(each, source)}
        # What has no known result waits for what it reads to be computed.
        while ready := [each for each in left.values() if values.keys() >= {*inputs_of([each], source)}]:
            for operator in ready:
                del left[operator.index]
            for part in parts(source, ready):
                with contextlib.suppress(DeployError):
                    made |= self._side_by_side(part).run_batch(values, batch)
            values = {**made, **values}
        return made

    def _side_by_side(self, operators: tuple[Operator, ...]) -> SideBySide:
        if operators not in self._prepared:
            self._prepared[operators] = self._kernels.side_by_side(operators)
        return self._prepared[operators]


def _stands_alone(operator: Operator, source: Model) -> bool:
    keeps_state = any(index >= 0 and source.tensors[index].is_variable for index in operator.inputs)
    return not keeps_state and operator.code not in CONTROL_FLOW
