"""Mutated command streams and weight streams: each must give a result or one of our errors.

Run as a program it limits itself to 1 GB beyond what it starts with and to 10 seconds a stream, so that a hang or
a runaway allocation ends it: ``python -m npu.fuzzing SEED COUNT VICTIMS``, with ``tests`` on PYTHONPATH.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.hardware.npus import modelled
from deploy.npu import Architecture, NpuError, WeightCache, execute, parse_payload
from deploy.npu.stream.u85_commands import Cmd0
from deploy.tflite import read
from deploy.tflite.compiled import npu_operators

from .u85_streams import STOP, registers, stream

REGION_BYTES = 1 << 16
EXTREMES = (0, 1, 2, 3, 15, 16, 255, 256, 0x7FFF, 0x8000, 0xFFFF)


@dataclass(frozen=True)
class Victim:
    """A stream that works."""

    architecture: Architecture
    stream: np.ndarray
    constants: np.ndarray


def _feature_map(api: Any, shape: tuple[int, int, int], address: int, dtype: Any, zero_point: int = 0) -> Any:
    height, width, depth = shape
    found = api.NpuFeatureMap()
    found.data_type, found.region = dtype, 1
    found.shape = api.NpuShape3D(height=height, width=width, depth=depth)
    found.tiles = api.NpuTileBox(height_0=height, height_1=height, width_0=width, addresses=[address, 0, 0, 0])
    found.quantization = api.NpuQuantization(scale_f32=0.5, zero_point=zero_point)
    return found


def _weighted(api: Any, accelerator: Any, depthwise: bool, constants: bytearray) -> Any:
    operation = api.NpuConvDepthWiseOperation() if depthwise else api.NpuConv2DOperation()
    operation.ifm = _feature_map(api, (9, 9, 16), 0, api.NpuDataType.INT8, -4)
    operation.ofm = _feature_map(api, (5, 5, 16), 8192, api.NpuDataType.INT8, 3)
    operation.kernel = api.NpuKernel(3, 3, stride_x=2, stride_y=2)
    operation.padding = api.NpuPadding(top=1, left=1, bottom=1, right=1)
    operation.block_config = api.NpuShape3D(height=4, width=4, depth=16)
    traversal = api.NpuBlockTraversal.DEPTH_FIRST
    if not depthwise:
        operation.block_traversal = traversal = api.NpuBlockTraversal.PART_KERNEL_FIRST
    weights = np.random.default_rng(0).integers(-40, 40, (16, 3, 3, 1 if depthwise else 16)).astype(np.int16)
    stream = api.npu_encode_weights(accelerator, weights, (1, 1), 8, 16, depthwise, traversal)
    operation.weights = [api.NpuAddressRange(0, len(constants), len(stream))]
    constants += stream
    scales = b"".join(bytes(api.npu_encode_bias(np.int64(5 * c), 1 << 30, 36)) for c in range(16))
    operation.biases = [api.NpuAddressRange(0, len(constants), len(scales))]
    constants += scales
    return operation


def _pooling(api: Any, kind: Any) -> Any:
    operation = api.NpuPoolingOperation(kind)
    operation.ifm = _feature_map(api, (8, 8, 20), 0, api.NpuDataType.INT8)
    operation.ofm = _feature_map(api, (4, 4, 20), 8192, api.NpuDataType.INT8)
    operation.kernel = api.NpuKernel(2, 2, stride_x=2, stride_y=2)
    operation.padding = api.NpuPadding(top=0, left=0, bottom=0, right=0)
    operation.block_config = api.NpuShape3D(height=4, width=4, depth=24)
    return operation


def _elementwise(api: Any, kind: Any, dtype: Any) -> Any:
    operation = api.NpuElementWiseOperation(kind)
    operation.ifm = _feature_map(api, (6, 6, 16), 0, dtype)
    operation.ifm2 = _feature_map(api, (1, 6, 16), 4096, dtype)
    operation.ofm = _feature_map(api, (6, 6, 16), 8192, dtype)
    operation.block_config = api.NpuShape3D(height=4, width=4, depth=16)
    return operation


def victims() -> list[Victim]:
    """One stream with every kind of operation for each of two NPUs, written by Vela's own generator."""
    from ethosu.vela import api

    found = []
    for architecture, accelerator in (
        (Architecture("U55", 64), api.NpuAccelerator.Ethos_U55_64),
        (Architecture("U65", 256), api.NpuAccelerator.Ethos_U65_256),
    ):
        constants = bytearray(np.arange(256, dtype=np.uint8).tobytes())
        lookup = _pooling(api, api.NpuPoolingOp.AVERAGE)
        lookup.activation = api.NpuActivation(api.NpuActivationOp.TABLE_LOOKUP)
        table = api.NpuAddressRange(3 | 1 << 8, architecture.design.table_address, 256)
        operations = [
            _weighted(api, accelerator, False, constants),
            _weighted(api, accelerator, True, constants),
            _pooling(api, api.NpuPoolingOp.MAX),
            api.NpuDmaOperation(api.NpuAddressRange(0, 0, 256), table),
            lookup,
            _elementwise(api, api.NpuElementWiseOp.ADD, api.NpuDataType.INT8),
            _elementwise(api, api.NpuElementWiseOp.MUL, api.NpuDataType.INT16),
            _elementwise(api, api.NpuElementWiseOp.SHR, api.NpuDataType.INT32),
        ]
        stream = api.npu_generate_register_command_stream(operations, accelerator)
        found.append(Victim(architecture, np.array(stream, np.uint32), np.frombuffer(bytes(constants), np.uint8)))
    return found


_SHAPE = (6, 6, 16)
_WEIGHTS, _DEPTHWISE, _RECORDS, _TABLE, _INDICES = 0, 1024, 2048, 2304, 2560
_U85_BYTES = 3072


def u85_victim() -> Victim:
    """One stream with every kind of operation of an Ethos-U85, written register by register."""
    from ethosu import mlw_codec

    rng = np.random.default_rng(0)
    constants = np.zeros(_U85_BYTES, np.uint8)
    # 16 input channels of a block of 32, without a palette; and a depthwise kernel of 3 x 3 filled up to 10.
    dense = np.zeros((1, 4, 16, 8), np.int8)
    dense[:, :2] = rng.integers(-40, 40, (1, 2, 16, 8))
    _put(constants, _WEIGHTS, (1).to_bytes(32, "little") + dense.tobytes())
    kernel = np.zeros((10, 16), np.int16)
    kernel[:9] = rng.integers(-40, 40, (9, 16))
    depthwise = bytes(mlw_codec.encode(kernel.ravel().tolist()))
    _put(constants, _DEPTHWISE, depthwise)
    record = (5).to_bytes(4, "little") + (1 << 30).to_bytes(4, "little") + bytes([36, 0])
    _put(constants, _RECORDS, record * 16)
    _put(constants, _TABLE, bytes(range(256)))
    _put(constants, _INDICES, np.array([3, 0, 2], "<i4").tobytes())
    weights = {
        "WEIGHT_REGION": 0,
        "SCALE_REGION": 0,
        "SCALE_BASE": _RECORDS,
        "SCALE_LENGTH": 160,
        "OFM_PRECISION": 1,
    }
    fast = weights | {"WEIGHT_FORMAT": 1, "WEIGHT_BASE": _WEIGHTS, "WEIGHT_LENGTH": 544, "OFM_BLK_DEPTH_M1": 15}
    slow = weights | {"WEIGHT_FORMAT": 0, "WEIGHT_BASE": _DEPTHWISE, "WEIGHT_LENGTH": len(depthwise)}
    slow |= {"KERNEL_HEIGHT_M1": 2, "KERNEL_WIDTH_M1": 2, "OFM_BLK_DEPTH_M1": 15}
    slow |= {f"IFM_PAD_{side}": 1 for side in ("TOP", "LEFT", "BOTTOM", "RIGHT")}
    table = {"DMA0_SRC_REGION": 0, "DMA0_DST_REGION": 0x100, "DMA0_SRC": _TABLE, "DMA0_DST": 256, "DMA0_LEN": 256}
    gather = {"DMA0_SRC_REGION": 0xA01, "DMA0_DST_REGION": 1, "DMA0_SRC": 0, "DMA0_DST": 12000, "DMA0_LEN": 16}
    gather |= {"DMA0_SIZE0": 3, "DMA0_SRC_STRIDE0": 96, "DMA0_DST_STRIDE0": 16, "DMA0_IDX_REGION": 0}
    gather |= {"DMA0_IDX": _INDICES, "DMA0_IDX_MAX": 5}
    resize = {f"RESIZE_{axis}_SCALE_N_M1": 1 for axis in "XY"} | {f"RESIZE_{axis}_OFFSET": 0xFFF for axis in "XY"}
    resize |= {f"RESIZE_{axis}_STEP": 1 for axis in "XY"}
    resize |= {"KERNEL_HEIGHT_M1": 2, "KERNEL_WIDTH_M1": 2, "OFM_SCALE": (3 << 13 | 18) << 32 | 1}
    operations = (
        (Cmd0.NPU_OP_CONV, 0, fast | {"ACC_FORMAT": 0x140}),
        (Cmd0.NPU_OP_CONV, 0, fast | {"ACC_FORMAT": 0x110}),
        (Cmd0.NPU_OP_DEPTHWISE, 0, slow),
        (Cmd0.NPU_OP_CONV, 1, {"OFM_SCALE": 8 << 32 | 1, "OFM_PRECISION": 0x101 | 2 << 11}),
        (Cmd0.NPU_OP_POOL, 0, {"KERNEL_HEIGHT_M1": 1, "OFM_PRECISION": 0x101 | 1 << 9}),
        (Cmd0.NPU_OP_DMA_START, 0, table),
        (Cmd0.NPU_OP_POOL, 3, {"ACTIVATION": 4 | 1 << 5, "OFM_PRECISION": 0x8101, "OFM_REGION": 2}),
        (Cmd0.NPU_OP_ELEMENTWISE, 1, {"IFM2_PRECISION": 0x8001, "IFM2_REGION": 2, "IFM_SCALE": 3 << 32 | 5}),
        (Cmd0.NPU_OP_ELEMENTWISE, 5, {"IFM2_BROADCAST": 8, "IFM2_PRECISION": 0xC001}),
        (Cmd0.NPU_OP_RESIZE, 0, resize),
        (Cmd0.NPU_OP_DMA_START, 0, gather),
    )
    words = [stream(code, registers(_SHAPE, **changes), parameter)[:-1] for code, parameter, changes in operations]
    return Victim(Architecture("U85", 256), np.concatenate([*words, np.array([STOP], np.uint32)]), constants)


def compiled_victims() -> list[Victim]:
    """What Vela makes of the networks that only Ethos-U85 computes, on its sizes in turn."""
    from corpus.pairs import compile_quickly

    from .u85_networks import u85_networks

    sizes = [npu for npu in modelled() if npu.family == "U85"]
    found = []
    for number, network in enumerate(u85_networks()):
        npu = sizes[number % len(sizes)]
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "network.tflite"
            source.write_bytes(network.convert())
            model = read(compile_quickly(source, npu, "Sram_Only", Path(folder))[0])
        for operator in npu_operators(model):
            constants = np.zeros(0, np.uint8) if operator.constants.data is None else operator.constants.data
            stream = parse_payload(operator.payload_bytes).stream
            found.append(Victim(Architecture("U85", npu.macs), stream.astype(np.uint32), constants.view(np.uint8)))
    return found


def _put(constants: np.ndarray, place: int, content: bytes) -> None:
    constants[place : place + len(content)] = np.frombuffer(content, np.uint8)


def mutated(victim: Victim, rng: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """The stream and the constants with one to eight faults in them."""
    stream, constants = victim.stream.copy(), victim.constants.copy()
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        where = rng.randrange(len(stream))
        kind = rng.randrange(8)
        if kind == 0:
            stream[where] ^= np.uint32(1 << rng.randrange(32))
        elif kind <= 2:
            parameter = rng.choice((*EXTREMES, rng.randrange(1 << 16)))
            stream[where] = int(stream[where]) & 0xFFFF | parameter << 16
        elif kind == 3:
            stream[where] = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.getrandbits(32)))
        elif kind == 4 and len(stream) > 1:
            stream = np.delete(stream, where)
        elif kind == 5:
            stream = np.insert(stream, where, stream[rng.randrange(len(stream))])
        elif len(constants):
            at = rng.randrange(len(constants))
            constants[at] = rng.choice((0, 255, constants[at] ^ (1 << rng.randrange(8)), rng.randrange(256)))
    return stream, constants


def survives(victim: Victim, seed: int, region_bytes: int = REGION_BYTES) -> str:
    """Execute one mutation; returns ``result`` or the name of our error."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    stream, constants = mutated(victim, rng)
    arena = np.frombuffer(rng.randbytes(region_bytes), np.uint8).copy()
    try:
        execute(stream, {0: constants, 1: arena, 2: arena}, victim.architecture, WeightCache())
    except NpuError as error:
        assert str(error)
        return type(error).__name__
    return "result"


VICTIMS: dict[str, Callable[[], list[Victim]]] = {
    "u55": victims,
    "u85": lambda: [u85_victim()],
    "compiled": compiled_victims,
}


def main(seed: int, count: int, chosen: Sequence[str]) -> None:
    import resource

    def too_slow(*_: object) -> None:
        raise TimeoutError("a stream took more than 10 seconds")

    signal.signal(signal.SIGALRM, too_slow)
    found = [victim for name in chosen for victim in VICTIMS[name]()]
    with open("/proc/self/statm") as pages:  # noqa: PTH123 - not a file
        start = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (start + (1 << 30),) * 2)
    outcomes: dict[str, int] = {}
    for number in range(seed * count, (seed + 1) * count):
        signal.alarm(10)
        # Every tenth stream has so much memory that the bounds on its size do not come from there.
        outcome = survives(found[number % len(found)], number, REGION_BYTES << (8 if number % 10 == 0 else 0))
        signal.alarm(0)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(outcomes)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
