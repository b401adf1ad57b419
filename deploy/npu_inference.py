"""Runs a Vela-compiled model on the host: the ``ethos-u`` operators on the NPU model, in one arena.

Regions (source: Vela 5.2.0's output, TFLM's ``ethos-u`` kernel): the operator's inputs are
``[command stream, read-only data, scratch, scratch_fast, ifm...]``; region 0 is the read-only data, 1 the arena,
2 the fast scratch, which is the same tensor as the scratch unless the memory mode dedicates an SRAM to it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deploy import npu
from deploy.errors import BadInputError, TargetError
from deploy.npu_config import NpuConfig
from deploy.tflite_model import Model, Operator, Tensor

_CUSTOM_CODE = "ethos-u"
_ARENA_PADDING = 4096
_MAX_ARENA_BYTES = 1 << 30


class NpuInference:
    """A compiled model, ready to run.

    Args:
        model: read from a ``.tflite`` that Vela wrote.
        npu_config: the NPU to model; must be the one that the model was compiled for.

    Attributes:
        statistics: counters of the last run, all ``ethos-u`` operators together.

    Raises:
        BadInputError: the model was not compiled for this NPU, has operators left on the CPU, or is damaged.
    """

    def __init__(self, model: Model, npu_config: NpuConfig) -> None:
        self._model = model
        self._architecture = _architecture(npu_config)
        on_cpu = [operator.code for operator in model.operators if operator.code != _CUSTOM_CODE]
        if on_cpu:
            raise BadInputError(
                f"operators left on the CPU: {', '.join(sorted(set(on_cpu)))}",
                hints=["host-only runs cover models that are on the NPU entirely"],
            )
        if not model.operators:
            raise BadInputError("the model has no operators")
        self._offsets = _arena_offsets(model)
        self._segments = [_Segment(model, operator, npu_config) for operator in model.operators]
        self._cache = npu.WeightCache()
        self.statistics = npu.Statistics()

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Run one inference.

        Args:
            inputs: name (see ``Model.input_names``) -> array of the input tensor's shape and dtype.

        Returns:
            Output name (see ``Model.output_names``) -> array of the output tensor's shape and dtype.

        Raises:
            BadInputError: inputs are missing, unknown, or of another shape or dtype.
            TargetError: the NPU model refused the command stream.
        """
        arena = np.zeros(_arena_size(self._model, self._offsets), np.uint8)
        for index, array in _matched(self._model, inputs).items():
            self._place(arena, self._model.tensors[index])[...] = np.frombuffer(array.tobytes(), np.uint8)
        self.statistics = npu.Statistics()
        for segment in self._segments:
            try:
                done = segment.execute(arena, self._offsets, self._architecture, self._cache)
            except npu.NpuError as error:
                raise TargetError(f"the NPU model stopped: {error}") from error
            self.statistics.records.extend(done.records)
            self.statistics.stopped = done.stopped
        results: dict[str, NDArray[np.generic]] = {}
        for index, name in self._model.output_names().items():
            tensor = self._model.tensors[index]
            results[name] = self._place(arena, tensor).copy().view(tensor.dtype).reshape(tensor.shape)
        return results

    def _place(self, arena: NDArray[np.uint8], tensor: Tensor) -> NDArray[np.uint8]:
        start = self._offsets[tensor.index]
        if start < 0:
            raise BadInputError(f"tensor {tensor.name!r} has no place in the arena")
        return arena[start : start + tensor.nbytes]


class _Segment:
    """One ``ethos-u`` operator."""

    def __init__(self, model: Model, operator: Operator, npu_config: NpuConfig) -> None:
        if len(operator.inputs) < 4 or min(operator.inputs[:4]) < 0:
            raise BadInputError("an ethos-u operator has fewer than four inputs")
        commands, constants, scratch, fast = (model.tensors[index] for index in operator.inputs[:4])
        if commands.data is None:
            raise BadInputError("an ethos-u operator has no command stream")
        try:
            payload = npu.parse_payload(commands.data.tobytes())
        except npu.NpuError as error:
            raise BadInputError(f"the command stream is damaged: {error}") from error
        _check_configuration(payload.config_word, npu_config)
        self._stream = payload.stream
        self._constants = np.zeros(0, np.uint8) if constants.data is None else constants.data
        self._scratch = scratch.index
        # A dedicated SRAM is no part of the arena: it starts empty in every inference.
        self._fast_bytes = fast.nbytes if fast.index != scratch.index else None
        self._fast = fast.index

    def execute(
        self,
        arena: NDArray[np.uint8],
        offsets: tuple[int, ...],
        architecture: npu.Architecture,
        cache: npu.WeightCache,
    ) -> npu.Statistics:
        base = max(offsets[self._scratch], 0)
        regions = {0: self._constants, 1: arena[base:], 2: arena[base:]}
        if self._fast_bytes is not None:
            regions[2] = np.zeros(self._fast_bytes + _ARENA_PADDING, np.uint8)
        return npu.execute(self._stream, regions, architecture, cache)


def _architecture(npu_config: NpuConfig) -> npu.Architecture:
    try:
        return npu.Architecture(npu_config.family, npu_config.macs)
    except npu.NpuError as error:
        raise BadInputError(f"{npu_config.name} has no functional model: {error}") from error


def _check_configuration(config_word: int | None, npu_config: NpuConfig) -> None:
    if config_word is None:
        return
    try:
        compiled = npu.architecture_of(config_word)
    except npu.NpuError as error:
        raise BadInputError(f"the model was compiled for another NPU than {npu_config.name}: {error}") from error
    if compiled.name != npu_config.name:
        raise BadInputError(
            f"the model was compiled for Ethos-{compiled.name}, not for Ethos-{npu_config.name}",
            hints=[f"compile it with --npu {npu_config.name}, or run it on {compiled.name}"],
        )


def _arena_offsets(model: Model) -> tuple[int, ...]:
    """Offset of every tensor in the arena, -1 where Vela placed none.

    The metadata ``OfflineMemoryAllocation`` holds int32: version, subgraph, count, one offset per tensor.
    """
    data = model.metadata.get("OfflineMemoryAllocation", b"")
    if len(data) < 12:
        raise BadInputError(
            "the model has no OfflineMemoryAllocation metadata", hints=["compile it with Vela first"]
        )
    _, _, count = struct.unpack_from("<3i", data)
    if not 0 <= count <= (len(data) - 12) // 4 or count < len(model.tensors):
        raise BadInputError("the OfflineMemoryAllocation metadata does not match the model's tensors")
    return struct.unpack_from(f"<{count}i", data, 12)


def _arena_size(model: Model, offsets: tuple[int, ...]) -> int:
    # NHCWB16 bricks can run past the end of the nominal tensor (measured).
    size = _ARENA_PADDING + max(
        (offsets[tensor.index] + tensor.nbytes for tensor in model.tensors if offsets[tensor.index] >= 0),
        default=0,
    )
    if size > _MAX_ARENA_BYTES:
        raise BadInputError(f"the model wants an arena of {size} bytes")
    return size


def _matched(model: Model, inputs: Mapping[str, NDArray[np.generic]]) -> dict[int, NDArray[np.generic]]:
    names = model.input_names()
    unknown = set(inputs) - set(names.values())
    if unknown or len(inputs) != len(names):
        raise BadInputError(
            f"inputs {', '.join(sorted(inputs)) or 'none'} do not match the model's {', '.join(names.values())}"
        )
    matched = {}
    for index, name in names.items():
        tensor, array = model.tensors[index], np.asarray(inputs[name])
        if array.shape != tensor.shape or array.dtype != np.dtype(tensor.dtype):
            raise BadInputError(
                f"input {name}: {array.dtype} {array.shape} given, the model takes {tensor.dtype} {tensor.shape}"
            )
        matched[index] = array
    return matched
