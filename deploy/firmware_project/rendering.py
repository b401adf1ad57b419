"""Renders a firmware project: C headers of the network, sources, linker scripts, CMake, README.

Pure: the same network gives the same bytes. Nothing here runs a compiler.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from deploy.errors import BadInputError
from deploy.firmware_project import c_identifiers
from deploy.firmware_project.firmware_network import FirmwareNetwork, FirmwareTensor, check_single_operator
from deploy.hardware.sizes import short
from deploy.npu.architecture import architecture_of
from deploy.tflite import NPU_OPERATOR
from deploy.tflite.generated import DTYPE_NUMBERS

if TYPE_CHECKING:
    from jinja2 import Environment

RUNTIMES = ("npu", "tflm")
BAUD = 115200
STACK_BYTES = {"npu": 16 * 1024, "tflm": 64 * 1024}
_VARIABLES_BYTES = 8 * 1024
"""Left for variables where the stack fills its memory; TFLM's resolver and interpreter take half of it."""

DRIVER_SOURCES = ("ethosu_driver.c", "ethosu_message.c", "ethosu_platform.c", "ethosu_system.c")
# In their place where Arm's driver is linked, which only TFLM's kernel asks for.
ARM_DRIVER_SOURCES = ("ethosu_platform_arm.c", "ethosu_system_arm.c")
_APART = {
    "npu": ("runtime_npu.c",),
    "tflm": (
        *ARM_DRIVER_SOURCES,
        "ethosu_system_arm.h",
        "debug_text.c",
        "debug_text.h",
        "newlib_stubs.c",
        "runtime_tflm.cc",
    ),
}
"""What of the sources is one runtime's alone."""
_CHOSEN_FROM = ("uart_", "ethosu_family_")
"""Files of these names: a project has one each."""
_TEMPLATES = (
    "model/network.h",
    "model/network_tensors.h",
    "model/network_data.h",
    "model/network.c",
    "cmake/arm-none-eabi-gcc.cmake",
    "cmake/armclang.cmake",
    "cmake/llvm.cmake",
)


def render_project(network: FirmwareNetwork, runtime: str) -> dict[str, bytes]:
    """Render a whole firmware project.

    Returns:
        Path in the project folder -> content.

    Raises:
        BadInputError: the runtime cannot run this network.
    """
    if runtime not in RUNTIMES:
        raise BadInputError(f"--runtime {runtime}: known are {' and '.join(RUNTIMES)}")
    if runtime == "npu":
        check_single_operator(network)
    context = _context(network, runtime)
    environment = _environment()

    def render(name: str, **more: object) -> bytes:
        return environment.get_template(f"{name}.j2").render(context, **more).encode("ascii")

    project = {name: render(name) for name in _TEMPLATES}
    project |= {f"source/{name}": render(f"board/{name}") for name in ("board.c", "board.h")}
    project |= {f"linker/{network.board.id}.{kind}": render(f"board/board.{kind}") for kind in ("ld", "sct")}
    if runtime == "tflm":
        project["model/network_operators.h"] = render(
            "model/network_operators.h", resolver_calls=resolver_calls(network)
        )
    project["CMakeLists.txt"] = render("project/CMakeLists.txt")
    project["README.md"] = render("project/README.md")
    sources = files("deploy.firmware")
    for name in _source_files(runtime):
        project[f"source/{name}"] = sources.joinpath(name).read_bytes()
    for name, chosen in _chosen_files(network).items():
        project[f"source/{name}"] = sources.joinpath(chosen).read_bytes()
    identity = {"sha256": bytes.fromhex(network.sha256), "build_id": _build_id(project)}
    project["model/network_identity.h"] = render("model/network_identity.h", **identity)
    return dict(sorted(project.items()))


def resolver_calls(network: FirmwareNetwork) -> tuple[str, ...]:
    """The calls on a ``MicroMutableOpResolver`` that register the operators of a network, each once.

    TFLM names them after TFLite's operators: ``DEPTHWISE_CONV_2D`` is ``AddDepthwiseConv2D``.
    """
    special = {NPU_OPERATOR: "EthosU", "L2_NORMALIZATION": "L2Normalization", "LSTM": "LSTM"}
    special |= {"UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM", "PADV2": "PadV2"}
    special |= {"BATCH_MATMUL": "BatchMatMul", "CUMSUM": "CumSum"}
    special |= {"TFLite_Detection_PostProcess": "DetectionPostprocess"}
    calls = []
    for code in dict.fromkeys(network.operators):
        name = special.get(code)
        if name is None:
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", code):
                raise BadInputError(
                    f"the custom operator {c_identifiers.plain(code)} is not one of TFLM's",
                    hints=["replace it in the model; `deploy report` shows where it stands"],
                )
            name = "".join(word.capitalize() for word in code.split("_"))
            name = re.sub(r"(\d)d(?=[A-Z]|$)", r"\1D", name)
        calls.append(f"Add{name}")
    return tuple(calls)


def _context(network: FirmwareNetwork, runtime: str) -> dict[str, object]:
    def named(tensors: tuple[FirmwareTensor, ...]) -> list[tuple[FirmwareTensor, str]]:
        names = c_identifiers.unique_identifiers(tensor.record.name for tensor in tensors)
        return list(zip(tensors, names, strict=True))

    arena_bytes = network.arena_bytes(runtime)
    used_bytes = network.planned_bytes if runtime == "tflm" else network.scratch_bytes
    # With TFLM CMake asks which driver it shall be.
    drivers = () if runtime == "npu" else (*DRIVER_SOURCES, *ARM_DRIVER_SOURCES)
    sources = [name for name in _source_files(runtime) if not name.endswith(".h") and name not in drivers]
    dtypes = sorted({t.record.dtype for t in (*network.inputs, *network.outputs)}, key=DTYPE_NUMBERS.__getitem__)
    hardware = network.hardware
    npu_memories = sorted({hardware.arena, hardware.model}, key=lambda region: region.base)
    return {
        "board": network.board,
        "hardware": hardware,
        "vectors": hardware.vectors,
        "code": hardware.code,
        "data": hardware.data,
        "npu_memories": npu_memories,
        "relocatable": any(memory.open_inside for memory in hardware.memories),
        "memories": [
            *([(hardware.vectors, "r")] if hardware.vectors != hardware.code else []),
            (hardware.code, "rx"),
            (hardware.data, "rw"),
            *((region, "rw") for region in npu_memories),
        ],
        "network": network,
        "runtime": runtime,
        "inputs": named(network.inputs),
        "outputs": named(network.outputs),
        "input_bytes": sum(tensor.record.bytes for tensor in network.inputs),
        "output_bytes": sum(tensor.record.bytes for tensor in network.outputs),
        "has_labels": any(tensor.labels for tensor in network.outputs),
        "dtypes": [(name, DTYPE_NUMBERS[name]) for name in dtypes],
        "arena_bytes": arena_bytes,
        "used_bytes": used_bytes,
        "margin_bytes": arena_bytes - used_bytes,
        "arena_memory": network.arena_region.memory,
        "data_memory": network.data_region.memory,
        "data_bytes": len(network.model) if runtime == "tflm" else len(network.commands) + len(network.weights),
        "baud": BAUD,
        "stack_bytes": min(STACK_BYTES[runtime], hardware.data.size - _VARIABLES_BYTES),
        "sources": sorted(("board.c", "uart.c", *sources)),
        "driver_sources": DRIVER_SOURCES,
        "arm_driver_sources": ARM_DRIVER_SOURCES,
    }


def _source_files(runtime: str) -> list[str]:
    """Names of the C sources and headers of a project that are the same for every board and network."""
    left_out = {name for other, names in _APART.items() if other != runtime for name in names}
    found = (path.name for path in files("deploy.firmware").iterdir() if not path.name.startswith(_CHOSEN_FROM))
    return sorted(name for name in found if name.endswith((".c", ".cc", ".h")) and name not in left_out)


def _chosen_files(network: FirmwareNetwork) -> dict[str, str]:
    """Name in the project -> which of several files: that of the board's UART, that of the NPU's family."""
    family = architecture_of(network.config_word).design.instruction_set.lower()
    return {"uart.c": f"uart_{network.hardware.uart.kind}.c", "ethosu_family.h": f"ethosu_family_{family}.h"}


def _build_id(project: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for name, content in sorted(project.items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.digest()[:8]


def _environment() -> Environment:
    import jinja2

    def load(name: str) -> str | None:
        source = files("deploy.templates").joinpath(name)
        return source.read_text(encoding="utf-8") if source.is_file() else None

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # C, not HTML: every text of the model goes through c_string, plain or identifier.
        autoescape=False,  # noqa: S701
    )
    environment.filters |= {
        "c_string": c_identifiers.c_string,
        "c_bytes": c_identifiers.c_bytes,
        "c_float": c_identifiers.c_float,
        "identifier": c_identifiers.c_identifier,
        "plain": c_identifiers.plain,
        "address": "0x{:08X}".format,
        "short": short,
    }
    return environment
