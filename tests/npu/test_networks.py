"""Real networks, converted and compiled for real, against LiteRT's kernels: every output element."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy import tflite
from deploy.chatter import silenced
from deploy.compiling import vela, vela_program
from deploy.hardware.npus import npu_named
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.reference import ReferenceKernels
from deploy.npu import Architecture, MemoryAccessError, execute, parse_payload
from deploy.npu.program import decode
from deploy.npu.stream.operations import Operation
from deploy.npu.stream.u85_operations import RowsDmaOperation, U85ConvolutionOperation, U85PoolingOperation
from deploy.npu.stream.u85_registers import Start
from deploy.processes.python import module_command
from deploy.tflite.compiled import arena_end, arena_offsets, npu_operators
from deploy.verifying.npu_inference import NpuInference

from .networks import Network, known_difference, networks
from .u85_networks import u85_networks
from .written_networks import WrittenNetwork, written_networks

pytestmark = [pytest.mark.early, pytest.mark.tensorflow]

NPUS = ("U55-32", "U55-64", "U55-128", "U55-256", "U65-256", "U65-512")
SAMPLES = 4
PROCESS = KernelProcess()
"""One for the kernels of all networks."""


class OptimizedKernels(ReferenceKernels):
    """LiteRT's optimized kernels, without XNNPACK."""

    resolver = "BUILTIN_WITHOUT_DEFAULT_DELEGATES"


def compiled(source: Path, npu: str, folder: Path, options: tuple[str, ...] = ()) -> tflite.Model:
    from ethosu.vela.vela import main

    accelerator = npu_named(npu).accelerator
    words = [str(source), "--accelerator-config", accelerator, "--output-dir", str(folder), *options]
    with silenced(), contextlib.suppress(SystemExit):
        main(words)
    return tflite.read(folder / f"{source.stem}_vela.tflite")


def converted(network: Network | WrittenNetwork, folder: Path) -> Path:
    path = folder / f"{network.name}.tflite"
    if not path.exists():
        with silenced():
            path.write_bytes(network.convert())
    return path


def inputs_of(model: tflite.Model) -> dict[str, np.ndarray]:
    """Random values over the whole range, the extremes, and small ones: ``(SAMPLES, *shape)`` per input."""
    rng = np.random.default_rng(1)
    found = {}
    for index, name in model.input_names().items():
        tensor = model.tensors[index]
        low, high = limits_of(tensor.dtype)
        values = rng.integers(low, high + 1, (SAMPLES, *tensor.shape))
        values[1] = high
        values[2] //= 8
        found[name] = values.astype(tensor.dtype)
    return found


def limits_of(dtype: str) -> tuple[int, int]:
    """The range of a type; of 32 and 64 bits a part whose products and sums do not overflow."""
    if dtype == "bool":
        return 0, 1
    if dtype in ("int32", "int64"):
        return -(1 << 14), 1 << 14 if dtype == "int32" else 1 << 46
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def largest_difference(source: Path, model: tflite.Model, npu: str, oracle: type[ReferenceKernels]) -> int:
    original = tflite.read(source)
    inputs = inputs_of(original)
    inference = NpuInference(model, npu_named(npu))
    outputs = inference.run_batch(inputs)
    left = [found.left for program in inference.programs() for found in program.all_translated]
    assert not any(left), "operations that the compiled core leaves to NumPy"
    reference = oracle(original, process=PROCESS)
    worst = 0
    for sample in range(SAMPLES):
        expected = reference.run({name: values[sample] for name, values in inputs.items()})
        assert expected.keys() == outputs.keys()
        for name, values in expected.items():
            assert outputs[name][sample].shape == values.shape
            difference = np.abs(outputs[name][sample].astype(np.int64) - values.astype(np.int64))
            worst = max(worst, int(difference.max(initial=0)))
    return worst


def check(network: Network | WrittenNetwork, npu: str, folder: Path, options: tuple[str, ...] = ()) -> None:
    source = converted(network, folder)
    model = compiled(source, npu, folder / npu, options)
    known = known_difference(network.name)
    wrong_reference = known is not None and known.max_lsb is None
    oracle = OptimizedKernels if wrong_reference else ReferenceKernels
    allowed = known.max_lsb if known is not None and known.max_lsb is not None else 0
    difference = largest_difference(source, model, npu, oracle)
    assert difference <= allowed, f"{network.name} on {npu}: {difference} LSB (known: {known})"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


ALL = networks()
# Every seventh network, each on another NPU, so that a quick run touches every kind of operation and every NPU.
SAMPLE = [(network, NPUS[number % len(NPUS)]) for number, network in enumerate(ALL[::7])]


def test_names_are_unique_and_there_are_at_least_150() -> None:
    """Of two with one name the file of the first would be tested twice."""
    assert len(ALL) >= 150
    names = Counter(network.name for network in (*ALL, *written_networks(), *u85_networks()))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(("network", "npu"), SAMPLE, ids=lambda value: getattr(value, "name", value))
def test_a_sample_of_networks_is_exact(network: Network, npu: str, folder: Path) -> None:
    check(network, npu, folder)


@pytest.mark.slow
@pytest.mark.parametrize("npu", NPUS)
@pytest.mark.parametrize("network", ALL, ids=lambda network: network.name)
def test_every_network_is_exact_on_every_npu(network: Network, npu: str, folder: Path) -> None:
    check(network, npu, folder)


U85S = ("U85-128", "U85-256", "U85-512", "U85-1024", "U85-2048")
DIVISION = "divide"
"""What Vela makes of a quantized division on U85 is refused: see the test below."""
BOTH = [network for network in ALL if network.name != DIVISION]
OWN = list(u85_networks())
U85_SAMPLE = [(network, U85S[number % len(U85S)]) for number, network in enumerate(BOTH[4::9])]
OWN_SAMPLE = [(network, U85S[number % len(U85S)]) for number, network in enumerate(OWN)]


@pytest.mark.parametrize(("network", "npu"), U85_SAMPLE, ids=lambda value: getattr(value, "name", value))
def test_a_sample_of_networks_is_exact_on_u85(network: Network, npu: str, folder: Path) -> None:
    check(network, npu, folder)


@pytest.mark.parametrize(("network", "npu"), OWN_SAMPLE, ids=lambda value: getattr(value, "name", value))
def test_what_only_u85_has_is_exact(network: WrittenNetwork, npu: str, folder: Path) -> None:
    check(network, npu, folder)


@pytest.mark.slow
@pytest.mark.parametrize("npu", U85S)
@pytest.mark.parametrize(
    "network",
    # LiteRT does not run the fused LSTM of 16 bits.
    [*BOTH, *OWN, *(each for each in written_networks() if not each.name.startswith("lstm_fused"))],
    ids=lambda network: network.name,
)
def test_every_network_is_exact_on_every_u85(network: Network | WrittenNetwork, npu: str, folder: Path) -> None:
    check(network, npu, folder)


def test_a_quantized_division_is_refused_by_name(folder: Path) -> None:
    from deploy.errors import TargetError

    division = next(network for network in ALL if network.name == DIVISION)
    source = converted(division, folder)
    with pytest.raises(TargetError, match=r"NPU_OP_ELEMENTWISE .*elementwise mode \[mode=DIV"):
        largest_difference(source, compiled(source, "U85-256", folder / "U85-256"), "U85-256", ReferenceKernels)


def operations_of(model: tflite.Model, npu: str) -> list[Operation]:
    architecture = Architecture(npu_named(npu).family, npu_named(npu).macs)
    streams = [parse_payload(operator.payload_bytes).stream for operator in npu_operators(model)]
    return [operation for stream in streams for operation in decode(stream, architecture).operations]


def decoded_fast(operation: Operation) -> bool:
    return isinstance(operation, U85ConvolutionOperation) and operation.fast


def decoded_sparse(operation: Operation) -> bool:
    return isinstance(operation, U85ConvolutionOperation) and operation.sparse


def goes_on_with_sums(operation: Operation) -> bool:
    return isinstance(operation, U85ConvolutionOperation) and operation.accumulators.start is Start.KEPT


def fills_accumulators(operation: Operation) -> bool:
    return isinstance(operation, U85PoolingOperation) and not operation.accumulators.stored


def gathers(operation: Operation) -> bool:
    return isinstance(operation, RowsDmaOperation) and operation.source.indexed


def scatters(operation: Operation) -> bool:
    return isinstance(operation, RowsDmaOperation) and operation.destination.indexed


def of_32_bits(operation: Operation) -> bool:
    return isinstance(operation, U85PoolingOperation) and operation.label == "POOL.NONE"


SIZE = ("--optimise", "Size")


@pytest.mark.parametrize(
    ("name", "npu", "options", "used"),
    [
        ("weights_of_4", "U85-256", (), decoded_fast),
        ("weights_of_16_int16", "U85-512", (), decoded_fast),
        ("weights_uniform", "U85-1024", SIZE, decoded_fast),
        ("weights_of_4_int16", "U85-2048", SIZE, decoded_fast),
        ("weights_two_of_four", "U85-128", (), decoded_sparse),
        ("sparse3x3_int16", "U85-2048", (), decoded_sparse),
        ("stride5", "U85-256", (), goes_on_with_sums),
        ("stride5_int16", "U85-1024", (), goes_on_with_sums),
        ("weights_as_input", "U85-256", (), goes_on_with_sums),
        ("weights_as_input", "U85-512", (), fills_accumulators),
        ("gather_batch", "U85-256", (), gathers),
        ("scatter", "U85-256", (), scatters),
        ("transpose_channels_first_int32", "U85-256", (), of_32_bits),
    ],
)
def test_networks_ask_for_what_they_are_for_and_are_exact(
    name: str,
    npu: str,
    options: tuple[str, ...],
    used: Callable[[Operation], bool],
    folder: Path,
    tmp_path: Path,
) -> None:
    source = converted(next(network for network in OWN if network.name == name), folder)
    model = compiled(source, npu, tmp_path, options)
    assert any(used(operation) for operation in operations_of(model, npu))
    assert largest_difference(source, model, npu, ReferenceKernels) == 0


@pytest.mark.parametrize(
    "name", ["weights_of_4", "stride5", "weights_as_input", "gather_batch", "equal", "scatter"]
)
def test_streams_for_u85_read_only_what_was_written(name: str, folder: Path) -> None:
    source = converted(next(network for network in OWN if network.name == name), folder)
    model = compiled(source, "U85-256", folder / "U85-256")
    [operator], offsets = npu_operators(model), arena_offsets(model)
    arena = np.zeros(arena_end(model, offsets), np.uint8)
    fast = np.zeros(operator.fast.nbytes, np.uint8) if operator.has_fast_memory else arena
    constants = operator.constants.data
    assert constants is not None
    inputs = [(offsets[tensor], offsets[tensor] + model.tensors[tensor].nbytes) for tensor in model.input_names()]
    stream = parse_payload(operator.payload_bytes).stream
    regions, defined = {0: constants, 1: arena, 2: fast}, {0: [(0, constants.size)], 1: inputs}
    assert execute(stream, regions, Architecture("U85", 256), defined=defined).stopped
    with pytest.raises(MemoryAccessError, match="nobody wrote"):
        execute(stream, regions, Architecture("U85", 256), defined=defined | {1: inputs[:-1]})


DEDICATED = (
    *("--config", "Arm/vela.ini", "--system-config", "Ethos_U65_High_End"),
    *("--memory-mode", "Dedicated_Sram_256KB"),
)


def u85_in(memory_mode: str) -> tuple[str, ...]:
    system = ("--config", "Arm/vela.ini", "--system-config", "Ethos_U85_SYS_DRAM_Mid")
    return (*system, "--memory-mode", memory_mode)


@pytest.mark.parametrize(
    ("npu", "options"),
    [
        ("U65-256", DEDICATED),
        ("U65-512", DEDICATED),
        ("U55-128", ("--cop-format", "COP2")),
        ("U85-256", u85_in("Dedicated_Sram_256KB")),
        ("U85-1024", u85_in("Shared_Sram")),
        ("U85-512", u85_in("Sram_Only")),
        ("U85-2048", ("--cop-format", "COP2")),
    ],
    ids=[
        "dedicated_sram_u65_256",
        "dedicated_sram_u65_512",
        "cop2",
        "dedicated_sram_u85_256",
        "shared_sram_u85_1024",
        "sram_only_u85_512",
        "cop2_u85_2048",
    ],
)
def test_memory_modes_and_payload_formats_are_exact(
    npu: str, options: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    # Large enough for Vela to cut it into stripes that travel through the fast memory.
    by_name = {network.name: network for network in ALL}
    source = converted(by_name["conv64x64_stride2"], folder)
    model = compiled(source, npu, tmp_path, options)
    assert largest_difference(source, model, npu, ReferenceKernels) == 0


@pytest.mark.parametrize(
    "name", ["softmax", "conv3x3_stride2", "depthwise3x3_odd", "avg_pool3x3_same", "add_scales", "hard_swish"]
)
def test_streams_of_velas_older_compiler_are_exact(name: str, folder: Path, tmp_path: Path) -> None:
    # It keeps state between models, so each one gets a process of its own.
    source = converted(next(network for network in ALL if network.name == name), folder)
    words = [str(source), "--accelerator-config", "ethos-u55-256", "--output-dir", str(tmp_path)]
    command = module_command(vela_program.MODULE, *words, "--debug-force-legacy-core")
    ended = vela.run(command, tmp_path, timeout_s=120)
    assert ended.status == 0, ended.output
    model = tflite.read(tmp_path / f"{name}_vela.tflite")
    assert largest_difference(source, model, "U55-256", ReferenceKernels) == 0


def test_a_model_for_another_npu_is_refused_naming_both(folder: Path, tmp_path: Path) -> None:
    from deploy.errors import BadInputError

    model = compiled(converted(ALL[0], folder), "U55-64", tmp_path)
    with pytest.raises(BadInputError, match=r"compiled for Ethos-U55-64, not for Ethos-U55-128"):
        NpuInference(model, npu_named("U55-128"))
