"""Locates the first difference between a target and the NPU model, and names it: operator, address, values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import BuildFolder
from deploy.errors import DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.located import Located
from deploy.judging.samples import Sample
from deploy.npu import Architecture
from deploy.npu.execution.destinations import destinations
from deploy.npu.execution.feature_maps import read
from deploy.npu.execution.memory import Memory
from deploy.npu.regions import ARENA, CONSTANTS, FAST
from deploy.npu.stream.dma import Transfer
from deploy.npu.stream.operations import BlockOperation, Operation
from deploy.printable import printable
from deploy.targets.locating import INPUTS, FaultyStep, first_difference
from deploy.targets.session import Session
from deploy.targets.stoppable import Stoppable
from deploy.tflite.compiled import arena_offsets, npu_operators
from deploy.verifying.firmware_kernels import models_of
from deploy.verifying.steps import InferenceSteps, Step

_MOST_NAMED = 60
_LATER = (
    "after every operation the target's memory holds what the NPU model has there: the difference arises later, "
    "where outputs are copied or sent, or the target does not repeat itself"
)


def locate(
    session: Session, build: BuildFolder, samples: Sequence[Sample], answers: Sequence[Sample]
) -> Located | None:
    """Find where a target goes wrong that did not answer as the NPU model does.

    Args:
        session: that ran; it is entered and its target run again.
        build: that ran.
        samples: the inputs.
        answers: outputs by name, an input each.

    Returns:
        What was found, or why nothing could be; None where all answers equal the NPU model's.
    """
    npu = npu_named(build.document.npu)
    index = runs = 0
    located: Located | None = None
    try:
        models = models_of(build.compiled_model, npu, samples, answers)
        if not all(model.different for model in models):
            return None
        with session:
            for model in models:
                index = model.different[0]
                steps = model.steps(samples[index])
                with session.stoppable(samples[index]) as target:
                    try:
                        found = first_difference(steps, target)
                    finally:
                        runs += target.runs
                known = {"input": index, "runs": runs}
                if found is None:
                    return Located(kind="nothing", reason=_LATER, **known)
                located = _Report(build, steps, found, target, model.kernels, known).located()
                if located.kind != "cpu operator":
                    break  # else other kernels may round as the firmware's do
    except DeployError as error:
        return Located(
            kind="nothing", reason=f"the difference could not be located: {error.message}", input=index, runs=runs
        )
    return located


def _short(name: str) -> str:
    """Names of the converter's may list all that was fused."""
    return name if len(name) <= _MOST_NAMED else f"{name[: _MOST_NAMED - 3]}..."


class _Report:
    """Puts what was found into words."""

    def __init__(
        self,
        build: BuildFolder,
        steps: InferenceSteps,
        found: FaultyStep,
        target: Stoppable,
        kernels: str,
        known: dict[str, Any],
    ) -> None:
        self._build, self._steps, self._found, self._target = build, steps.steps, found, target
        self._kernels, self._known = kernels, known

    def located(self) -> Located:
        """The document."""
        if self._found.number == INPUTS:
            return self._input()
        step = self._steps[self._found.number - 1]
        self._known["compiled_operator"] = step.operator
        return self._cpu_operator(step) if step.operation is None else self._operation(step, step.operation)

    def _input(self) -> Located:
        place = self._first_byte()
        reason = f"before the first operation the target's memory holds another input: {self._words(place)}"
        return Located(kind="input", reason=reason, **self._known, **place)

    def _cpu_operator(self, step: Step) -> Located:
        model = self._build.compiled_model
        operator = model.operators[step.operator]
        place = self._first_byte()
        offsets = arena_offsets(model)
        for tensor in (model.tensors[index] for index in operator.outputs):
            start = offsets[tensor.index]
            if start < 0 or tensor.nbytes == 0:
                continue
            values, expected = (
                memory[start : start + tensor.nbytes].view(tensor.dtype)
                for memory in (self._got(ARENA), self._expected(ARENA))
            )
            # As bytes: a number that is none equals itself.
            wrong = (values.view(np.uint8) != expected.view(np.uint8)).reshape(values.size, -1).any(axis=1)
            if wrong.any():
                at = int(wrong.argmax())
                size = values.dtype.itemsize
                place = self._place(ARENA, start + at * size, (at,), values[at], expected[at], wrong)
                break
        name = printable(model.name_of(operator))
        reason = (
            f"the NPU is right up to operator {step.operator} of the compiled model ({operator.code}), which "
            f"runs on the CPU and computes something else than {self._kernels}'s kernel: {self._words(place)}"
        )
        known = {"operator_type": operator.code, "operator_name": name}
        return Located(kind="cpu operator", reason=reason, **known, **self._known, **place)

    def _operation(self, step: Step, last: Operation) -> Located:
        before = [
            operation
            for earlier in self._steps[: self._found.number]
            if earlier.operator == step.operator
            for operation in earlier.operations
        ]
        count = sum(len(other.operations) for other in self._steps if other.operator == step.operator)
        operation, place = self._wrong_result(step, last)
        source = self._source(step.operator, operation)
        kept = self._kept(step, operation)
        tables = self._tables(before, operation, kept)
        unseen = tuple(sorted({*tables, *kept}))
        named = f" for {source['operator_type']} {_short(source['operator_name'])}" if source else ""
        reason = (
            f"operation {operation.index} of 0 to {count - 1}, {operation.command} at stream offset "
            f"{operation.offset:#x}{named}, is the first that differs from the NPU model: {self._words(place)}"
        )
        if kept:
            reason += f"; results of operations before it stayed inside the NPU: {', '.join(map(str, kept))}"
        if tables:
            filled = " and ".join(map(str, tables))
            reason += f"; its table was filled by operation {filled}, in memory that cannot be looked at"
        return Located(
            kind="operation",
            reason=reason,
            operation=operation.index,
            operations=count,
            command=operation.command,
            offset=operation.offset,
            unseen=unseen,
            **source,
            **self._known,
            **place,
        )

    def _wrong_result(self, step: Step, last: Operation) -> tuple[Operation, dict[str, Any]]:
        """The first operation of the step whose result differs, and where."""
        for operation in step.operations:
            if place := self._of_operation(operation):
                return operation, place
        # Not in what it should write: it wrote elsewhere.
        return last, self._first_byte()

    def _of_operation(self, operation: Operation) -> dict[str, Any]:
        """The first element of its result that differs; empty where none does, or nobody can look at it."""
        if isinstance(operation, Transfer) and operation.writes[0].region is not None:
            region = self._region(operation.writes[0].region)
            addresses = destinations(operation, self._memory(self._found.expected.values))
            got, expected = self._got(region)[addresses], self._expected(region)[addresses]
            if (wrong := got != expected).any():
                at = int(wrong.argmax())
                return self._place(region, int(addresses[at]), (at,), got[at], expected[at], wrong)
        if isinstance(operation, BlockOperation) and operation.stores:
            ofm = operation.ofm
            got, expected = (
                read(self._memory(memories), ofm)[0] for memories in (self._found.got, self._found.expected.values)
            )
            if (wrong := got != expected).any():
                y, x, c = (int(part) for part in np.unravel_index(wrong.argmax(), wrong.shape))
                address, region = ofm.address(y, x, c), self._region(ofm.region)
                return self._place(region, address, (y, x, c), got[y, x, c], expected[y, x, c], wrong)
        return {}

    def _first_byte(self) -> dict[str, Any]:
        """The first byte that differs, where nothing tells what it belongs to."""
        region = next(region for region, mask in sorted(self._found.wrong.items()) if mask.any())
        wrong = self._found.wrong[region]
        at = int(wrong.argmax())
        return self._place(region, at, (), self._got(region)[at], self._expected(region)[at], wrong)

    def _place(
        self,
        region: int,
        address: int,
        position: tuple[int, ...],
        target: Any,
        model: Any,
        wrong: NDArray[np.bool_],
    ) -> dict[str, Any]:
        base = self._target.address(region)
        return {
            "region": region,
            "address": address,
            "target_address": None if base is None else base + address,
            "position": position,
            "target": target.item(),
            "model": model.item(),
            "differing": int(wrong.sum()),
            "elements": wrong.size if position else None,
        }

    def _words(self, place: Mapping[str, Any]) -> str:
        where = f"region {place['region']} + {place['address']:#x}"
        if place["target_address"] is not None:
            where += f" ({place['target_address']:#010x})"
        what = f"element {list(place['position'])}" if place["position"] else "the byte"
        counted = f"; {place['differing']} of {place['elements']} elements differ" if place["elements"] else ""
        return f"{what} at {where} is {place['target']} on the target and {place['model']} in the model{counted}"

    def _got(self, region: int) -> NDArray[np.uint8]:
        return self._found.got[region]

    def _expected(self, region: int) -> NDArray[np.uint8]:
        return self._found.expected.values[region]

    def _region(self, region: int) -> int:
        """Without fast memory of its own, that region is the arena."""
        return region if region in self._found.got else ARENA

    def _memory(self, memories: Mapping[int, NDArray[np.uint8]]) -> Memory:
        """All that the step sees, its operator's constants as well."""
        npu = npu_named(self._build.document.npu)
        operator = self._steps[self._found.number - 1].operator
        own = next(found for found in npu_operators(self._build.compiled_model) if found.index == operator)
        constants = np.zeros(0, np.uint8) if own.constants.data is None else own.constants.data.view(np.uint8)
        regions = {ARENA: memories[ARENA], FAST: memories.get(FAST, memories[ARENA])}
        return Memory({**regions, CONSTANTS: constants.reshape(-1)}, Architecture(npu.family, npu.macs).design)

    def _source(self, operator: int, operation: Operation) -> dict[str, Any]:
        """The operator of the source model; a transfer is none of Vela's operations, so the next one tells."""
        model = self._build.compiled_model
        stream = sum(earlier.on_npu for earlier in model.operators[:operator])
        try:
            commands = self._build.debug.commands
        except DeployError:
            return {}
        later = sorted(offset for number, offset in commands if number == stream and offset >= operation.offset)
        scheduled = commands[stream, later[0]] if later else None
        source = self._build.source_model
        owner = None if scheduled is None else scheduled.result
        if owner is None or owner >= len(source.operators):
            return {}
        name = source.name_of(source.operators[owner])
        return {
            "operator": owner,
            "operator_type": source.operators[owner].code,
            "operator_name": printable(name),
        }

    def _kept(self, step: Step, operation: Operation) -> tuple[int, ...]:
        """The operations whose results stayed inside the NPU for this one."""
        inside = step.inside if operation is step.operation else ()
        return tuple(other.index for other in inside if isinstance(other, BlockOperation))

    def _tables(self, before: Sequence[Operation], operation: Operation, kept: Sequence[int]) -> tuple[int, ...]:
        """The last transfer to the place of each table that this operation, or one kept for it, used."""
        memory = self._memory(self._found.expected.values)
        filled: dict[int, int] = {}
        found = set[int]()
        for other in before:
            if isinstance(other, Transfer) and other.writes[0].region is None:
                filled |= dict.fromkeys(destinations(other, memory).tolist(), other.index)
            if isinstance(other, BlockOperation) and (other is operation or other.index in kept):
                table = other.activation.table
                if table is not None and (place := memory.design.table_address + table) in filled:
                    found.add(filled[place])
        return tuple(sorted(found))
