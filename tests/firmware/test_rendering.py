"""Rendered projects: the same bytes every time, the tables of the model, nothing that a name could inject."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from compiled_model import compiled
from small_model import small_model
from test_c_identifiers import HOSTILE

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.firmware_project.firmware_build import write_project
from deploy.firmware_project.firmware_network import read_network
from deploy.firmware_project.rendering import render_project, resolver_calls


def array(text: str, name: str) -> bytes:
    """The content of a rendered byte array."""
    body = re.search(rf"{name}\[\w+\] = \{{\n(.*?)\n\}};", text, re.DOTALL)
    assert body is not None
    return bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", body[1]))


def test_the_same_build_renders_to_the_same_bytes(small_build: BuildFolder) -> None:
    first = render_project(read_network(small_build), "npu")
    again = render_project(read_network(BuildFolder.open(small_build.path)), "npu")
    assert first == again
    assert str(small_build.path).encode() not in b"".join(first.values())


def test_both_runtimes_render_all_that_cmake_names(small_build: BuildFolder) -> None:
    for runtime in ("npu", "tflm"):
        project = render_project(read_network(small_build), runtime)
        named = re.findall(r"^  ((?:model|source)/\S+)$", project["CMakeLists.txt"].decode(), re.MULTILINE)
        assert len(named) > 10
        assert set(named) <= set(project)
        headers = {Path(name).name for name in project if name.endswith(".h")}
        for name, content in project.items():
            if name.endswith((".c", ".cc", ".h")):
                included = re.findall(r'#include "([^"/]+)"', content.decode())
                assert set(included) <= headers, name


def test_the_arrays_are_the_models_command_stream_and_weights(small_build: BuildFolder) -> None:
    network = read_network(small_build)
    data = render_project(network, "npu")["model/network_data.h"].decode()
    assert array(data, "network_commands") == network.commands
    assert array(data, "network_weights") == network.weights
    assert network.commands[:4] == b"COP1"
    whole = render_project(network, "tflm")["model/network_data.h"].decode()
    assert array(whole, "network_model") == small_build.compiled.read_bytes()
    assert 'section(".network_data"), aligned(16)' in data


def test_the_tensor_table_has_name_shape_type_quantization_and_size(small_build: BuildFolder) -> None:
    table = render_project(read_network(small_build), "npu")["model/network_tensors.h"].decode()
    assert "static const uint32_t input_image_shape[4] = { 1, 8, 8, 4 };" in table
    for expected in (
        '.name = "image"',
        ".dtype = NETWORK_INT8",
        ".bytes = 256",
        ".zero_point = -3",
        ".scale = 2.0e-02f",
    ):
        assert expected in table


def test_class_labels_are_rendered_where_given(small_build: BuildFolder, tmp_path: Path) -> None:
    write_project(small_build, "npu", folder=tmp_path, labels={"kind": ("cat", 'a "dog"', "fish")})
    table = (tmp_path / "model" / "network_tensors.h").read_text()
    assert '"a \\"dog\\"",' in table
    assert ".labels = output_kind_labels," in table
    assert ".label_count = 3," in table


def test_every_memory_mode_keeps_the_npu_away_from_the_tcms(
    small_build: BuildFolder, u65_build: BuildFolder, tmp_path: Path
) -> None:
    sram_only = compiled(tmp_path, small_model(), "U55-128", "--memory-mode", "Sram_Only")
    expected = {
        small_build: ("DDR", "SRAM"),
        u65_build: ("DDR", "DDR"),
        sram_only: ("SRAM", "SRAM"),
    }
    for build, (data, arena) in expected.items():
        script = render_project(read_network(build), "npu")["linker/corstone-300.ld"].decode()
        assert re.search(rf"KEEP\(\*\(\.network_data\)\)\n    \}} > {data}\n", script)
        assert re.search(rf"\*\(\.tensor_arena\)\n    \}} > {arena}\n", script)
        assert "the NPU does not reach" in script


def test_a_dedicated_sram_is_memory_of_its_own(u65_build: BuildFolder) -> None:
    network = read_network(u65_build)
    assert network.fast_memory_bytes > 0
    header = render_project(network, "npu")["model/network.h"].decode()
    assert f"#define NETWORK_FAST_MEMORY_BYTES {network.fast_memory_bytes}\n" in header
    assert "#define NETWORK_REGION_CONFIG 0x555bu" in header
    assert network.arena_bytes("tflm") >= network.planned_bytes + 2048


def test_operators_on_the_cpu_are_refused_by_name_for_the_npu_runtime(cpu_build: BuildFolder) -> None:
    with pytest.raises(BadInputError, match=r"this model has 2: ethos-u, LOG_SOFTMAX") as caught:
        render_project(read_network(cpu_build), "npu")
    assert any("--runtime tflm" in hint for hint in caught.value.hints)


def test_the_resolver_gets_exactly_the_operators_of_the_model(cpu_build: BuildFolder) -> None:
    network = read_network(cpu_build)
    assert resolver_calls(network) == ("AddEthosU", "AddLogSoftmax")
    rendered = render_project(network, "tflm")["model/network_operators.h"].decode()
    assert "MicroMutableOpResolver<2>" in rendered
    assert re.findall(r"resolver\.(\w+)\(", rendered) == ["AddEthosU", "AddLogSoftmax"]


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"),
        ("FULLY_CONNECTED", "AddFullyConnected"),
        ("SOFTMAX", "AddSoftmax"),
        ("AVERAGE_POOL_2D", "AddAveragePool2D"),
        ("RESIZE_NEAREST_NEIGHBOR", "AddResizeNearestNeighbor"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"),
        ("BATCH_MATMUL", "AddBatchMatMul"),
        ("TRANSPOSE_CONV", "AddTransposeConv"),
        ("LOG_SOFTMAX", "AddLogSoftmax"),
        ("RELU6", "AddRelu6"),
        ("ARG_MAX", "AddArgMax"),
        ("L2_NORMALIZATION", "AddL2Normalization"),
        ("L2_POOL_2D", "AddL2Pool2D"),
        ("HARD_SWISH", "AddHardSwish"),
    ],
)
def test_operators_are_registered_by_the_names_that_tflm_uses(
    small_build: BuildFolder, code: str, call: str
) -> None:
    from dataclasses import replace

    assert resolver_calls(replace(read_network(small_build), operators=(code,))) == (call,)


def test_a_custom_operator_of_somebody_elses_is_refused(small_build: BuildFolder) -> None:
    from dataclasses import replace

    with pytest.raises(BadInputError, match="custom operator my_op"):
        resolver_calls(replace(read_network(small_build), operators=("ethos-u", "my*op")))


def test_a_state_is_rendered_with_its_first_content_and_its_moves(
    stream_build: BuildFolder, lstm_build: BuildFolder, small_build: BuildFolder
) -> None:
    network = read_network(stream_build)
    (part,) = network.states
    assert part.initial == bytes(range(12)) and part.arena_offset + 16 == network.arena_bytes("npu")
    assert [(move.bytes, move.origin == part.arena_offset) for move in network.moves] == [(12, True), (12, False)]
    assert network.moves_before == 1
    project = render_project(network, "npu")
    header, tables = (project[f"model/network{name}.h"].decode() for name in ("", "_tensors"))
    assert "#define NETWORK_STATES 1\n#define NETWORK_RESOURCES 1\n" in header
    assert "#define NETWORK_MOVES 2\n#define NETWORK_MOVES_BEFORE 1\n" in header
    assert array(tables, "state_0_initial") == bytes(range(12))
    # Both hidden states lie at their zero point, both cells at zero, and nothing moves.
    network = read_network(lstm_build)
    assert sorted(part.fill for part in network.states) == [0, 0, 252, 252]
    assert network.moves == () and network.resources == 0
    header = render_project(read_network(small_build), "npu")["model/network.h"].decode()
    assert "#define NETWORK_STATES 0\n" in header and "network_state" not in header


def test_tflm_registers_the_operators_that_initialise_and_has_room_for_the_variables(
    stream_build: BuildFolder,
) -> None:
    network = read_network(stream_build)
    calls = ("AddCallOnce", "AddVarHandle", "AddReadVariable", "AddEthosU", "AddAssignVariable")
    assert resolver_calls(network) == calls
    assert network.state_bytes == 16


def test_tflm_has_room_to_plan_the_many_tensors_that_an_lstm_leaves(lstm_build: BuildFolder) -> None:
    """Measured: with 29 tensors and 2448 bytes TFLM has ``Too many buffers (max is 24)``."""
    network = read_network(lstm_build)
    assert network.tensors > 24
    assert network.arena_bytes("tflm") >= 64 * network.tensors + 1024
    assert network.arena_bytes("npu") < network.arena_bytes("tflm")


def test_an_arena_that_does_not_fit_is_refused_on_the_host(small_build: BuildFolder) -> None:
    from dataclasses import replace

    from deploy.firmware_project.firmware_network import _check_memory

    network = read_network(small_build)
    whole = network.hardware.arena.size
    network = replace(network, scratch_bytes=whole, planned_bytes=whole)
    with pytest.raises(BadInputError, match=r"bytes of SRAM in memory mode Shared_Sram, Corstone-300 has 2097152"):
        _check_memory(network)


def test_hostile_names_cannot_break_out_of_what_is_rendered(tmp_path: Path) -> None:
    names = (HOSTILE[0], HOSTILE[1], "??/ \\\n#error injected\n")
    build = compiled(tmp_path / "hostile", small_model(names))
    assert [tensor.name for tensor in build.document.outputs] == list(names[1:])
    project = render_project(read_network(build, {names[1]: (HOSTILE[2], '"')}), "npu")
    text = b"\n".join(project.values()).decode()
    assert not re.search(r"^\s*(int injected|#error injected)", text, re.MULTILINE)
    folder = tmp_path / "project"
    for name, content in project.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    command = [
        "cc",
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-c",
        "-I",
        folder / "model",
        "-I",
        folder / "source",
    ]
    subprocess.run([*command, folder / "model/network.c", "-o", tmp_path / "n.o"], check=True)
    strings = subprocess.run(["strings", "-n", "4", tmp_path / "n.o"], capture_output=True, text=True, check=True)
    assert names[0] in strings.stdout


def test_a_model_without_an_npu_operator_is_refused(small_build: BuildFolder, tmp_path: Path) -> None:
    import hashlib
    import shutil

    folder = tmp_path / "plain"
    shutil.copytree(small_build.path, folder)
    shutil.copy(small_build.source, folder / "model_vela.tflite")
    document = (folder / "compile.json").read_text()
    new = hashlib.sha256((folder / "model_vela.tflite").read_bytes()).hexdigest()
    (folder / "compile.json").write_text(document.replace(small_build.document.compiled_sha256, new))
    with pytest.raises(BadInputError, match="no ethos-u operator in it"):
        read_network(BuildFolder.open(folder))
