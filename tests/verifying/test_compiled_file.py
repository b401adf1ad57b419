"""Files that Vela compiled elsewhere: run, reported, judged with the model that they come from, never without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from tflite_writer import GraphWriter

from deploy import api, tflite
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.tflite.compiled import ARENA_METADATA, npu_operators


def convolution(seed: int, dtype: str = "int8") -> bytes:
    """A convolution ``[1, 8, 8, 4] -> [1, 8, 8, 8]``, and a LOG_SOFTMAX that stays on the CPU."""
    chance, writer = np.random.default_rng(seed), GraphWriter()
    x = writer.tensor("x", [1, 8, 8, 4], dtype, 0.05, -3)
    kernel = chance.integers(-100, 100, (8, 3, 3, 4)).astype(np.int8)
    weights = writer.tensor("weights", kernel.shape, "int8", 0.01, data=kernel)
    bias = writer.tensor("bias", [8], "int32", 0.05 * 0.01, data=np.arange(8, dtype=np.int32))
    inner = writer.tensor("inner", [1, 8, 8, 8], "int8", 0.1, 2)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    writer.operator("CONV_2D", [x, weights, bias], [inner], options)
    y = writer.tensor("y", [1, 8, 8, 8], "int8", 16 / 256, 127)
    writer.operator("LOG_SOFTMAX", [inner], [y], schema.LogSoftmaxOptionsT())
    return writer.finish({"x": x}, {"y": y})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds ``source.tflite``, ``other.tflite`` with other weights, and ``shipped_vela.tflite`` of the first."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "source.tflite").write_bytes(convolution(1))
    (folder / "other.tflite").write_bytes(convolution(2))
    build = api.compile(folder / "source.tflite", "U55-64", output=folder / "build", verify="none")
    (folder / "shipped_vela.tflite").write_bytes(build.compiled.read_bytes())
    return folder


def document(file: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(file.read_text())
    return found


def test_with_the_model_that_it_comes_from_it_is_judged(folder: Path, tmp_path: Path) -> None:
    file, verdict = str(folder / "shipped_vela.tflite"), tmp_path / "verdict.json"
    words = ["verify", file, "--source", str(folder / "source.tflite"), "--json", str(verdict), "-q"]
    assert run(words) == 0
    found = document(verdict)
    assert (found["verdict"], found["reference"], found["build"]) == ("pass", "LiteRT BUILTIN_REF", file)
    assert found["platform"]["npu"] == "U55-64"  # type: ignore[index]


def test_against_another_model_it_fails(folder: Path, tmp_path: Path) -> None:
    file = str(folder / "shipped_vela.tflite")
    assert run(["verify", file, "--source", str(folder / "other.tflite"), "-q"]) == 1


@pytest.mark.parametrize(("options", "status"), [([], 2), (["--accept-no-reference"], 0)])
@pytest.mark.parametrize("verb", ["verify", "run-fvp"])
def test_without_that_model_there_is_evidence_and_never_a_pass(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    options: list[str],
    status: int,
) -> None:
    verdict, junit = tmp_path / "verdict.json", tmp_path / "verdict.xml"
    machine = ["--fvp", "open", "--firmware", "runner"] if verb == "run-fvp" else []
    words = [verb, str(folder / "shipped_vela.tflite"), *machine, *options]
    assert run([*words, "--json", str(verdict), "--junit", str(junit)]) == status
    said = capsys.readouterr().out
    assert "verdict: NO REFERENCE - " in said
    assert "PASS" not in said
    assert "--source MODEL.tflite" in said.replace("\n", " ")
    found = document(verdict)
    assert (found["verdict"], found["exit_status"], found["reference"]) == ("no_reference", status, "none")
    assert found["accepted"] == (["there is no reference, accepted by --accept-no-reference"] if options else [])
    assert found["outputs"] == [] and found["predictions"] == []
    assert found["evidence"]["outputs"][0]["distinct"] > 1  # type: ignore[index]
    if verb == "run-fvp":
        assert found["target_comparison"]["outputs"][0]["mismatches"] == 0  # type: ignore[index]
    suite = ElementTree.parse(junit).getroot()[0]  # noqa: S314 - our own text
    assert suite.find("testcase[@name='verdict']/skipped") is not None
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


def test_the_command_stream_gives_a_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(folder / "shipped_vela.tflite")
    assert run(["report", file]) == 0
    said = capsys.readouterr().out
    assert "shipped_vela on U55-64" in said and "CONV" in said and "LOG_SOFTMAX" in said
    assert run(["report", file, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    figures = {figure["name"]: figure["value"] for figure in found["figures"]}
    assert figures["macs"] == 8 * 8 * 8 * 3 * 3 * 4
    assert figures["cpu_operators"] == 1
    assert sum(each["npu_cycles"] or 0 for each in found["operators"]) >= figures["total_cycles"] > 0
    assert run(["report", file, "--format", "html"]) == 2
    assert run(["report", file, file]) == 2


def test_what_is_no_such_file_is_refused_with_what_to_do(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, source = str(folder / "shipped_vela.tflite"), str(folder / "source.tflite")
    for words, message in (
        (["verify", source], "not compiled by Vela (it holds no ethos-u operator)"),
        (["verify", file, "--source", file], "compiled by Vela, too"),
        (["verify", str(folder / "build"), "--source", source], "--source goes with a file that Vela compiled"),
        (["verify", str(tmp_path / "none.tflite")], "none.tflite"),
        (
            ["compile", file, "--npu", "U55-64", "-o", str(tmp_path / "build")],
            "`run-fvp` and `report` take the file as it is",
        ),
    ):
        assert run(words) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_source_with_other_inputs_and_outputs_is_refused(folder: Path, tmp_path: Path) -> None:
    writer = GraphWriter()
    a, b = (writer.tensor(name, [1, 4], "int8", 0.5) for name in "ab")
    writer.operator("RELU", [a], [b])
    (tmp_path / "relu.tflite").write_bytes(writer.finish({"a": a}, {"b": b}))
    with pytest.raises(BadInputError, match="do not belong together"):
        api.open_compiled(folder / "shipped_vela.tflite", tmp_path, tmp_path / "relu.tflite")


def test_a_damaged_command_stream_is_refused(folder: Path, tmp_path: Path) -> None:
    content = (folder / "shipped_vela.tflite").read_bytes()
    place = content.index(b"COP1")
    for change in (b"COP7", b"XXXX"):
        file = tmp_path / "damaged_vela.tflite"
        file.write_bytes(content[:place] + change + content[place + 4 :])
        with pytest.raises(BadInputError, match="damaged_vela"):
            api.open_compiled(file, tmp_path)


def test_from_python_a_folder_of_it_can_be_opened_again(folder: Path, tmp_path: Path) -> None:
    build = api.open_compiled(folder / "shipped_vela.tflite", tmp_path)
    again = api.open_build(build.path)
    verdict = api.verify(again, accept_no_reference=True)
    assert (verdict.verdict, verdict.exit_status) == ("no_reference", 0)
    known = api.open_compiled(folder / "shipped_vela.tflite", tmp_path, folder / "source.tflite")
    assert api.verify(known).verdict == "pass"
    assert tflite.read(known.source).content == (folder / "source.tflite").read_bytes()


def test_a_target_that_differs_from_the_npu_model_fails_without_a_reference_too() -> None:
    from deploy.judging.operator_check import OperatorCheck
    from deploy.judging.opinion import NoJudge
    from deploy.judging.ruling import ruled
    from deploy.judging.target_comparison import OutputOfTarget, TargetComparison

    different = OutputOfTarget(name="y", elements=4, mismatches=1, max_lsb=1.0, agrees=False)
    found = ruled(
        NoJudge().opinion((), 1.0),
        TargetComparison(outputs=(different,)),
        OperatorCheck(),
        (),
        accept_model_difference=True,
    )
    assert not found.passed
    assert found.reason.startswith("the target differs from the NPU model: one of the two is wrong")


@pytest.mark.parametrize(
    ("npu", "mode"), [("U55-64", "Shared_Sram"), ("U65-256", "Dedicated_Sram"), ("U65-256", "Shared_Sram")]
)
def test_the_memory_mode_is_known_from_the_file(folder: Path, tmp_path: Path, npu: str, mode: str) -> None:
    build = api.compile(folder / "source.tflite", npu, memory_mode=mode, output=tmp_path / "build", verify="none")
    (tmp_path / "again").mkdir()
    found = api.open_compiled(build.compiled, tmp_path / "again").document
    assert (found.npu, found.memory_mode) == (npu, mode)


def test_the_arena_under_two_numbers_as_earlier_versions_of_vela_wrote_it_is_no_dedicated_sram(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "old_vela.tflite"
    file.write_bytes(with_the_arena_twice((folder / "shipped_vela.tflite").read_bytes()))
    build = api.open_compiled(file, tmp_path, folder / "source.tflite")
    assert npu_operators(build.compiled_model)[0].has_fast_memory
    assert build.document.memory_mode == "Shared_Sram"
    assert api.verify(build).verdict == "pass"


def test_outputs_as_the_first_versions_of_vela_named_them_are_those_of_the_source(
    folder: Path, tmp_path: Path
) -> None:
    def named_by_vela(model: schema.ModelT) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.outputs[0]].name += b"_cpu"
        model.signatureDefs = []

    file = tmp_path / "first_vela.tflite"
    file.write_bytes(changed((folder / "shipped_vela.tflite").read_bytes(), named_by_vela))
    verdict = api.verify(api.open_compiled(file, tmp_path, folder / "source.tflite"))
    assert (verdict.verdict, [output.name for output in verdict.outputs]) == ("pass", ["y"])
    (tmp_path / "again").mkdir()
    assert api.verify(api.open_compiled(file, tmp_path / "again", folder / "other.tflite")).verdict == "fail"


def test_a_file_that_says_nothing_about_its_memory_is_refused(folder: Path, tmp_path: Path) -> None:
    def without_memory(model: schema.ModelT) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[0].inputs[2]].shape = [0]

    file = tmp_path / "first_vela.tflite"
    file.write_bytes(changed((folder / "shipped_vela.tflite").read_bytes(), without_memory))
    with pytest.raises(BadInputError, match="the file says 0 bytes"):
        api.open_compiled(file, tmp_path)


def changed(content: bytes, change: Callable[[schema.ModelT], None]) -> bytes:
    """A file with something else in it."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    change(model)
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_the_arena_twice(content: bytes) -> bytes:
    """What Vela wrote, with a tensor of its own for the fast part of the arena."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].customCode == b"ethos-u":
            graph.tensors.append(graph.tensors[operator.inputs[2]])
            scratch = int(operator.inputs[2])
            operator.inputs = [*operator.inputs[:3], len(graph.tensors) - 1, *operator.inputs[4:]]
    [metadata] = [each for each in model.metadata if each.name == ARENA_METADATA.encode()]
    offsets = np.frombuffer(bytes(model.buffers[metadata.buffer].data), np.int32)
    longer = np.append(offsets, offsets[3 + scratch]).astype(np.int32)
    longer[2] += 1
    model.buffers[metadata.buffer].data = np.frombuffer(longer.tobytes(), np.uint8)
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
