"""Compares the NPU with the reference operator by operator, each on what the NPU itself computed before it.

A difference in one layer makes every later layer differ, too. So the walk starts each operator from the tensors
that the NPU had there: what differs behind it is that operator's own doing. Operators whose result never lies in
memory (padding that a convolution absorbs, a concatenation that costs nothing) are computed by the reference, and
the next operator with a result answers for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.chatter import silenced
from deploy.errors import BadInputError, DeployError, TargetError
from deploy.judging.known_differences import Evidence, alternatives, explain
from deploy.judging.operator_result import FirstDifference, OperatorResult
from deploy.judging.reference import ReferenceKernels
from deploy.npu.stream.operations import BlockOperation
from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.single_operator import OperatorFiles
from deploy.verifying.cpu_operators import CpuOperator
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.npu_parameters import describe
from deploy.verifying.operator_limits import overflow

_MAX_DESCRIBED = 4


def walk(
    source: Model,
    capture: LayerCapture,
    inputs: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, NDArray[Any]],
    on_operator: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[OperatorResult, ...]:
    """Walk through all operators.

    Args:
        source: the model that was compiled.
        capture: what the NPU computed.
        inputs: name -> ``(batch, *shape)``, what it computed from.
        outputs: name -> ``(batch, *shape)``, its outputs.
        on_operator: called with (done, total).

    Returns:
        One result per operator that has one, in the model's order.

    Raises:
        BadInputError: the reference kernels lack an operator.
        NotInstalledError: LiteRT is missing.
    """
    taken = dict(capture.tensors)
    # The compiled model's outputs are known wherever the last operator ran, be it on the CPU.
    taken |= {index: outputs[name] for index, name in source.output_names().items()}
    values: dict[int, NDArray[Any]] = {index: inputs[name] for index, name in source.input_names().items()}
    files, results = OperatorFiles(source), []
    pending: dict[int, list[str]] = {}
    last_use = {index: operator.index for operator in source.operators for index in operator.inputs}
    for operator in source.operators:
        batch = len(next(iter(values.values())))
        computed = _reference(operator, source, files, values, batch)
        absorbed = [text for index in operator.inputs for text in pending.get(index, [])]
        for index in operator.outputs:
            tensor = source.tensors[index]
            if index not in taken:
                values[index] = computed[index]
                pending[index] = [*absorbed, f"{operator.index} {operator.code}"]
                continue
            result = _compare(operator, tensor, taken[index], computed[index], tuple(dict.fromkeys(absorbed)))
            if result.mismatches:
                done = capture.operations.get(operator.index, [])
                result = _judged(result, operator, source, files, values, taken[index], done)
            results.append(result)
            values[index] = taken[index]
        for index in operator.inputs:
            if last_use.get(index) == operator.index and len(values) > 1:
                values.pop(index, None)
        on_operator(operator.index + 1, len(source.operators))
    return tuple(results)


def _reference(
    operator: Operator, source: Model, files: OperatorFiles, values: Mapping[int, NDArray[Any]], batch: int
) -> dict[int, NDArray[Any]]:
    """What LiteRT's reference kernel computes; where there is none (ELU), what another one does."""
    content, refusals = files.content(operator), []
    for kernels in (ReferenceKernels, *alternatives().values()):
        try:
            with silenced():
                return _run(CpuOperator(operator, source, content, kernels), values, batch)
        except (BadInputError, TargetError) as error:
            refusals.append(error)
    raise refusals[0]


def _run(operator: CpuOperator, values: Mapping[int, NDArray[Any]], batch: int) -> dict[int, NDArray[Any]]:
    runs = [
        operator.run({tensor.index: values[tensor.index][i] for tensor in operator.inputs}) for i in range(batch)
    ]
    return {tensor.index: np.stack([run[tensor.index] for run in runs]) for tensor in operator.outputs}


def _compare(
    operator: Operator, tensor: Tensor, npu: NDArray[Any], reference: NDArray[Any], absorbs: tuple[str, ...]
) -> OperatorResult:
    different = npu != reference
    mismatches = int(different.sum())
    first = None
    largest = 0.0
    if mismatches:
        where = tuple(int(position) for position in np.argwhere(different)[0])
        first = FirstDifference(
            input=where[0], position=where[1:], npu=float(npu[where]), reference=float(reference[where])
        )
        unit = 1.0
        if np.dtype(tensor.dtype).kind == "f" and tensor.quantization:
            unit = tensor.quantization.scales[0]
        largest = float(np.abs(npu.astype(np.float64) - reference.astype(np.float64)).max()) / unit
    return OperatorResult(
        index=operator.index,
        type=operator.code,
        name=tensor.name,
        dtype=tensor.dtype,
        absorbs=absorbs,
        elements=int(npu.size),
        mismatches=mismatches,
        max_lsb=largest,
        first=first,
    )


def _judged(
    result: OperatorResult,
    operator: Operator,
    source: Model,
    files: OperatorFiles,
    values: Mapping[int, NDArray[Any]],
    npu: NDArray[Any],
    operations: list[BlockOperation],
) -> OperatorResult:
    """Add what is known about a difference: who agrees with the NPU, and why."""
    agreeing = []
    for name, kernels in alternatives().items():
        try:
            with silenced():  # TFLM says on standard error what it cannot run
                other = _run(CpuOperator(operator, source, files.content(operator), kernels), values, len(npu))
        except DeployError:
            continue
        if any(np.array_equal(array, npu) for array in other.values()):
            agreeing.append(name)
    shown = [describe(operation) for operation in operations[:_MAX_DESCRIBED]]
    if len(operations) > _MAX_DESCRIBED:
        shown.append(f"and {len(operations) - _MAX_DESCRIBED} more")
    evidence = Evidence(
        code=result.type,
        dtype=result.dtype,
        max_lsb=result.max_lsb,
        share=result.mismatches / result.elements,
        agreeing=tuple(agreeing),
        overflow=overflow(operator, source),
    )
    return result.model_copy(
        update={"agrees_with": tuple(agreeing), "operations": tuple(shown), "cause": explain(evidence)}
    )
