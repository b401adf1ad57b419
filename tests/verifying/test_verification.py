"""``deploy verify`` on a real build: verdict, oracles, batches, and a defect planted into one operator."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from deploy.build_folder import COMPILE_DOCUMENT, COMPILED_MODEL, BuildFolder, sha256_of_bytes
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.oracles import tflm_installed
from deploy.judging.samples import stacked, unstacked
from deploy.judging.verdict import Verdict
from deploy.tflite import read
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.verification import Verification, VerifyOptions

pytestmark = pytest.mark.early

needs_tflm = pytest.mark.skipif(not tflm_installed(), reason="tflite-micro is not installed")


@pytest.fixture(scope="module")
def keyword_spotting(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build folder of a network with float inputs and outputs, a softmax and a fully connected layer."""
    folder = tmp_path_factory.mktemp("kws") / "build"
    words = ["compile", str(mlperf_tiny["keyword_spotting"]), "--npu", "U55-64", "-o", str(folder), "-q"]
    assert run(words) == 0
    return folder


def verify(folder: Path, **options: object) -> Verdict:
    return Verification(BuildFolder.open(folder), VerifyOptions(**options)).run()  # type: ignore[arg-type]


def planted(build: Path, target: Path, place: int, value: bytes) -> Path:
    """A copy of a build whose compiled model has other bytes at ``place`` of its read-only data."""
    shutil.copytree(build, target)
    model = read(target / COMPILED_MODEL)
    npu_operator = next(operator for operator in model.operators if operator.code == "ethos-u")
    constants = model.tensors[npu_operator.inputs[1]].data
    assert constants is not None
    content = bytearray(model.content)
    start = model.content.index(constants.tobytes()) + place
    content[start : start + len(value)] = value
    (target / COMPILED_MODEL).write_bytes(content)
    document = json.loads((target / COMPILE_DOCUMENT).read_text())
    document["compiled_sha256"] = sha256_of_bytes(bytes(content))
    (target / COMPILE_DOCUMENT).write_text(json.dumps(document))
    return target


def bias_of(build: Path, number: int) -> int:
    """Offset in the read-only data of the scale records of the convolution ``number`` (from 0)."""
    from deploy.npu.stream.convolution import ConvolutionOperation
    from deploy.npu.stream.dma import DmaOperation
    from deploy.npu.stream.operations import Operation

    found: list[int] = []
    copies: dict[int, int] = {}

    def observe(_index: int, operation: Operation, _memory: object) -> None:
        if isinstance(operation, DmaOperation):
            copies[operation.destination] = operation.source
        elif isinstance(operation, ConvolutionOperation):
            place = operation.scales[0].address
            # Scale records are read from flash, or from where a DMA has put them together with the weights.
            start = max((address for address in copies if address <= place), default=None)
            found.append(place if operation.scales[0].region == 0 else copies[start] + place - start)

    model = read(build / COMPILED_MODEL)
    inference = NpuInference(model, npu_named("U55-64"))
    inference.run_batch(stacked(random_inputs(model, 1).samples), observe)
    return found[number]


def test_a_network_with_cpu_operators_passes_and_the_document_says_what_ran(
    keyword_spotting: Path, in_folder: Path
) -> None:
    assert run(["verify", str(keyword_spotting), "--count", "5", "--json", "verdict.json"]) == 0
    document = json.loads((in_folder / "verdict.json").read_text())
    assert (document["verdict"], document["exit_status"], document["inputs"]) == ("pass", 0, 5)
    assert document["platform"]["kind"] == "host"
    assert document["platform"]["npu"] == "U55-64"
    assert document["firmware"] is None
    assert document["reference"] == "LiteRT BUILTIN_REF"
    [output] = document["outputs"]
    assert output["elements"] == 60
    assert output["max_lsb"] <= 1


@needs_tflm
def test_the_npu_equals_tflm_where_litert_rounds_once(keyword_spotting: Path) -> None:
    verdict = verify(keyword_spotting, count=40, oracle="tflm", tolerance=0)
    assert (verdict.verdict, verdict.outputs[0].mismatches) == ("pass", 0)
    assert verdict.reference.startswith("TFLM")


@needs_tflm
def test_with_both_oracles_agreement_with_one_passes_and_the_other_is_shown(
    mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    network = str(mlperf_tiny["anomaly_detection"])
    assert run(["compile", network, "--npu", "U65-512", "-o", str(tmp_path / "build"), "-q"]) == 0
    alone = verify(tmp_path / "build", count=4, tolerance=0, oracle="litert")
    assert (alone.verdict, alone.exit_status) == ("fail", 1)
    both = verify(tmp_path / "build", count=4, tolerance=0, oracle="both")
    assert (both.verdict, both.outputs[0].mismatches) == ("pass", 0)
    assert both.reference.startswith("TFLM")
    assert both.other_references[0].reference == "LiteRT BUILTIN_REF"
    assert both.other_references[0].outputs[0].mismatches > 0
    assert any("rounds once" in sentence for sentence in both.explanations)
    assert all(result.type == "FULLY_CONNECTED" and result.explained for result in both.operators)
    by_itself = verify(tmp_path / "build", count=4, tolerance=0)
    assert (by_itself.verdict, by_itself.reference, by_itself.outputs) == ("pass", both.reference, both.outputs)


def test_layers_lists_every_operator_even_when_all_is_equal(keyword_spotting: Path) -> None:
    verdict = verify(keyword_spotting, count=2, layers=True)
    types = [result.type for result in verdict.operators]
    assert types.count("CONV_2D") == 5
    assert types.count("DEPTHWISE_CONV_2D") == 4
    assert types[-1] == "DEQUANTIZE"
    first = verdict.operators[0]
    assert (first.type, first.absorbs) == ("CONV_2D", ("0 QUANTIZE",))
    assert all(result.elements > 0 for result in verdict.operators)


def test_the_counters_of_every_operation_are_written_and_add_up_to_the_networks(
    keyword_spotting: Path, tmp_path: Path
) -> None:
    table = tmp_path / "npu.csv"
    verify(keyword_spotting, count=1, counters=table)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    build = BuildFolder.open(keyword_spotting)
    inference = NpuInference(read(build.path / COMPILED_MODEL), npu_named("U55-64"))
    model = read(build.path / COMPILED_MODEL)
    inference.run_batch(stacked(random_inputs(model, 1).samples))
    total = inference.statistics
    assert len(rows) == len(total.records) > 10
    assert sum(int(row["macs"]) for row in rows) == total.macs
    ports = [sum(int(row[f"axi{port}_read_bytes"]) for row in rows) for port in (0, 1)]
    assert tuple(ports) == total.moved.read
    # The weights lie in flash, behind port 1, and are read once.
    npu_operator = next(operator for operator in model.operators if operator.code == "ethos-u")
    constants = model.tensors[npu_operator.inputs[1]]
    assert 0.9 * constants.nbytes < ports[1] <= 1.1 * constants.nbytes
    assert {row["source_name"] for row in rows if row["operation"] == "DEPTHWISE"} != {""}


def counted(mlperf_tiny: dict[str, Path], folder: Path, *options: str) -> list[dict[str, str]]:
    """The counters of keyword spotting, compiled with some options."""
    words = ["compile", str(mlperf_tiny["keyword_spotting"]), *options, "-o", str(folder / "build"), "-q"]
    assert run([*words, "--verify", "none", "--advice", "none"]) == 0
    verify(folder / "build", count=1, counters=folder / "npu.csv")
    with (folder / "npu.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_cycles_of_the_counters_go_by_the_builds_system_configuration(
    mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    # A byte of flash takes one cycle in the first and two in the second, after 64 cycles of latency.
    for name, each in (("Ethos_U55_High_End_Embedded", 1), ("Ethos_U55_Deep_Embedded", 2)):
        rows = counted(mlperf_tiny, tmp_path / name, "--npu", "U55-64", "--system-config", name)
        copies = [row for row in rows if row["operation"] == "DMA" and row["axi1_read_bytes"] != "0"]
        assert copies
        for row in copies:
            assert int(row["estimated_cycles"]) == 64 + each * int(row["axi1_read_bytes"])


def test_counters_go_by_the_ports_of_the_builds_memory_mode(mlperf_tiny: dict[str, Path], tmp_path: Path) -> None:
    # The arena lies in DRAM beside a dedicated SRAM: behind port 1, as the firmware sets it then.
    rows = counted(mlperf_tiny, tmp_path, "--npu", "U65-256", "--memory-mode", "Dedicated_Sram_384KB")
    assert sum(int(row["axi1_written_bytes"]) for row in rows) > 0
    embedded = ("--system-config", "Ethos_U65_Embedded", "--memory-mode", "Shared_Sram")
    shared = counted(mlperf_tiny, tmp_path, "--npu", "U65-256", *embedded)
    assert sum(int(row["axi1_written_bytes"]) for row in shared) == 0


@pytest.mark.parametrize(("convolution", "operator"), [(1, 1), (4, 4)])
def test_a_planted_defect_is_found_in_its_operator_and_nowhere_else(
    keyword_spotting: Path, tmp_path: Path, convolution: int, operator: int
) -> None:
    # The first convolution runs in two pieces (channels 0-15 and 16-63): numbers 0 and 1 both are operator 1.
    place = bias_of(keyword_spotting, convolution)
    broken = planted(keyword_spotting, tmp_path / "broken", place, (1 << 17).to_bytes(5, "little"))
    verdict = verify(broken, count=3)
    assert (verdict.verdict, verdict.exit_status) == ("fail", 1)
    unknown = [result for result in verdict.operators if not result.explained]
    assert [result.index for result in unknown] == [operator]
    [found] = unknown
    assert found.first is not None
    assert found.first.npu != found.first.reference
    assert any("NPU_OP_" in text and "kernel" in text for text in found.operations)
    assert any(f"operator {operator} " in text and "no known cause" in text for text in verdict.explanations)


def test_the_printed_report_names_the_operator_and_both_values(
    keyword_spotting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = bias_of(keyword_spotting, 4)
    broken = planted(keyword_spotting, tmp_path / "broken", place, (1 << 17).to_bytes(5, "little"))
    assert run(["verify", str(broken), "--count", "2"]) == 1
    text = capsys.readouterr().out
    assert "First operator that differs: 4 DEPTHWISE_CONV_2D" in text
    assert ": NPU " in text and ", reference " in text
    assert "verdict: FAIL" in text


def test_a_stream_that_the_npu_model_refuses_ends_with_status_4(
    keyword_spotting: Path, tmp_path: Path, in_folder: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(keyword_spotting, broken)
    model = read(broken / COMPILED_MODEL)
    stream = model.tensors[next(o for o in model.operators if o.code == "ethos-u").inputs[0]].data
    assert stream is not None
    content = bytearray(model.content)
    start = model.content.index(stream.tobytes())
    content[start + 64 : start + 68] = b"\xff\x03\xff\xff"  # no such command
    (broken / COMPILED_MODEL).write_bytes(content)
    document = json.loads((broken / COMPILE_DOCUMENT).read_text())
    document["compiled_sha256"] = sha256_of_bytes(bytes(content))
    (broken / COMPILE_DOCUMENT).write_text(json.dumps(document))
    assert run(["verify", str(broken), "--json", "verdict.json"]) == 4
    assert json.loads((in_folder / "verdict.json").read_text())["verdict"] == "error"


def test_the_inputs_of_a_file_are_used_and_their_number_is_checked(keyword_spotting: Path, tmp_path: Path) -> None:
    model = read(keyword_spotting / COMPILED_MODEL)
    tensor = model.input_tensors[0]
    [name] = model.input_names().values()
    path = tmp_path / "inputs.npz"
    np.savez(path, **{name: np.zeros((3, *tensor.shape[1:]), np.float32)})
    assert verify(keyword_spotting, inputs=path).inputs == 3
    with pytest.raises(BadInputError, match="holds 3 samples"):
        verify(keyword_spotting, inputs=path, count=4)


def test_a_missing_second_oracle_is_said_with_what_to_install(
    keyword_spotting: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro.python.tflite_micro", None)
    assert run(["verify", str(keyword_spotting), "--oracle", "tflm"]) == 3
    assert "pip install" in capsys.readouterr().err


def test_an_unknown_oracle_is_refused_by_name(keyword_spotting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(keyword_spotting), "--oracle", "silicon"]) == 2
    assert "silicon" in capsys.readouterr().err


def test_a_missing_debug_database_is_said_and_layers_needs_it(keyword_spotting: Path, tmp_path: Path) -> None:
    place = bias_of(keyword_spotting, 4)
    broken = planted(keyword_spotting, tmp_path / "broken", place, (1 << 17).to_bytes(5, "little"))
    for path in (broken / "vela").glob("*_debug.xml"):
        path.unlink()
    verdict = verify(broken, count=1)
    assert verdict.verdict == "fail"
    assert any("debug database is missing" in text for text in verdict.explanations)
    with pytest.raises(BadInputError, match="debug database"):
        verify(broken, count=1, layers=True)


def test_a_batch_computes_what_single_inferences_compute(keyword_spotting: Path) -> None:
    model = read(keyword_spotting / COMPILED_MODEL)
    inference = NpuInference(model, npu_named("U55-64"))
    samples = random_inputs(model, 5, seed=3).samples
    together = unstacked(inference.run_batch(stacked(samples)), 5)
    for sample, outputs in zip(samples, together, strict=True):
        alone = inference.run(sample)
        for name, array in outputs.items():
            np.testing.assert_array_equal(array, alone[name])


def small_defect(build: Path, target: Path, number: int) -> Path:
    """A copy of a build in which one channel of a convolution has another bias: a few steps, no more."""
    constants = constants_of(build)
    place = bias_of(build, number)
    bias = int.from_bytes(constants[place : place + 5], "little", signed=True)
    return planted(build, target, place, (bias + 500).to_bytes(5, "little", signed=True))


def constants_of(build: Path) -> bytes:
    model = read(build / COMPILED_MODEL)
    npu_operator = next(operator for operator in model.operators if operator.code == "ethos-u")
    data = model.tensors[npu_operator.inputs[1]].data
    assert data is not None
    return data.tobytes()


def test_an_operator_that_is_wrong_fails_though_every_output_is_within_the_tolerance(
    keyword_spotting: Path, tmp_path: Path
) -> None:
    broken = small_defect(keyword_spotting, tmp_path / "broken", 4)
    for tolerance in (1.0, 255.0):
        verdict = verify(broken, tolerance=tolerance)
        if tolerance == 255.0:
            assert all(output.within(tolerance) for output in verdict.outputs)
        assert (verdict.verdict, verdict.exit_status) == ("fail", 1)
        assert "operator 4 DEPTHWISE_CONV_2D" in verdict.reason
        assert "equals no oracle" in verdict.reason
        assert (verdict.operator_check.unexplained, verdict.operator_check.source) == (1, "this run")
        [found] = [result for result in verdict.operators if not result.explained]
        assert found.index == 4


def test_every_operator_is_compared_by_default_and_the_document_says_on_how_many_inputs(
    keyword_spotting: Path,
) -> None:
    verdict = verify(keyword_spotting, count=7)
    check = verdict.operator_check
    model = BuildFolder.open(keyword_spotting).source_model
    assert (check.inputs, check.operators, check.unexplained) == (7, len(model.operators), 0)
    assert (check.left_out, check.source) == ((), "this run")
    assert verdict.target_comparison is None
    assert len(verdict.predictions) == 7


def test_without_a_debug_database_the_operators_are_named_as_left_out(
    keyword_spotting: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(keyword_spotting, bare)
    for path in (bare / "vela").glob("*_debug.xml"):
        path.unlink()
    verdict = verify(bare, count=2)
    assert (verdict.verdict, verdict.inputs) == ("pass", 2)
    assert verdict.operator_check.source == "none"
    assert "debug database is missing" in verdict.operator_check.left_out[0]


def test_operators_that_are_wrong_on_later_inputs_only_are_found_on_those(
    keyword_spotting: Path, tmp_path: Path
) -> None:
    broken = planted(
        keyword_spotting, tmp_path / "broken", bias_of(keyword_spotting, 4), (1 << 17).to_bytes(5, "little")
    )
    verdict = verify(broken, count=6)
    assert verdict.verdict == "fail"
    assert [result.index for result in verdict.operators if not result.explained] == [4]
