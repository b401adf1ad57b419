"""Compiling into a build folder with the real Vela: what is in it, what is refused, what survives a failure."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.compiling.compilation import DoesNotFitError, compile_model
from deploy.compiling.compile_options import CompileOptions, compile_options
from deploy.errors import BadInputError
from deploy.hardware.boards import default_board
from deploy.hardware.npus import npu_named
from deploy.tflite import Model
from deploy.tflite.records import packed, unpacked

FIGURES = {
    "inference_time": "ms",
    "npu_cycles": "cycles",
    "total_cycles": "cycles",
    "macs": "MAC",
    "sram_peak": "bytes",
    "flash": "bytes",
    "dram_peak": "bytes",
    "weights_original": "bytes",
    "weights_compressed": "bytes",
    "sram_bandwidth": "bytes/inference",
    "flash_bandwidth": "bytes/inference",
    "dram_bandwidth": "bytes/inference",
    "cpu_operators": "operators",
    "npu_operators": "operators",
}


def build(path: Path, folder: Path, options: CompileOptions | None = None) -> BuildFolder:
    model = tflite.read(path)
    return compile_model(
        model, options or compile_options(npu_named("U55-128")), folder, name=path.stem, source=path.name
    )


def value(folder: BuildFolder, name: str) -> float:
    figure = folder.document.figure(name)
    assert figure is not None
    return figure.value


@pytest.fixture(scope="module")
def resnet(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    folder = tmp_path_factory.mktemp("builds") / "resnet"
    build(mlperf_tiny["image_classification"], folder)
    return BuildFolder.open(folder)


def test_the_build_folder_holds_models_document_and_velas_files(
    resnet: BuildFolder, mlperf_tiny: dict[str, Path]
) -> None:
    assert resnet.source.read_bytes() == mlperf_tiny["image_classification"].read_bytes()
    assert b"ethos-u" in resnet.compiled.read_bytes()
    names = {path.name for path in (resnet.path / "vela").iterdir()}
    assert names >= {"vela.log", "model_per-layer.csv", "model_debug.xml"}
    assert stat.S_IMODE(resnet.path.stat().st_mode) & 0o500 == 0o500
    assert [path.name for path in resnet.path.parent.iterdir()] == ["resnet"], "temporary folders are left"


def test_every_figure_has_its_unit_is_labelled_estimate_and_names_vela(resnet: BuildFolder) -> None:
    for name, unit in FIGURES.items():
        figure = resnet.document.figure(name)
        assert figure is not None, name
        assert (figure.unit, figure.label) == (unit, "estimate")
        assert figure.source.startswith("Vela 5.")
    assert value(resnet, "macs") > 12_000_000
    assert value(resnet, "npu_operators") == 16
    assert value(resnet, "flash") > 70_000
    assert value(resnet, "dram_peak") == 0
    clock = value(resnet, "core_clock") * 1e6
    assert value(resnet, "inference_time") == pytest.approx(value(resnet, "total_cycles") / clock * 1000)


def test_the_tensor_table_has_names_shapes_and_quantization(resnet: BuildFolder) -> None:
    (record,) = resnet.document.inputs
    assert (record.name, record.shape, record.dtype) == ("input_1_int8", (1, 32, 32, 3), "int8")
    assert (record.scales, record.zero_points, record.bytes) == ((0.0078125,), (0,), 3072)


def test_layers_name_the_source_operator_they_stem_from(resnet: BuildFolder) -> None:
    document = json.loads((resnet.path / "compile.json").read_text())
    indices = [layer["source_operator"] for layer in document["layers"]]
    assert set(indices) <= set(range(16))
    assert document["layers"][0]["Original Operator"] == "Conv2D"


def test_float_inputs_and_outputs_run_on_the_cpu_and_the_document_says_so(
    mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    folder = build(mlperf_tiny["keyword_spotting"], tmp_path / "kws")
    assert [operator.type for operator in folder.document.cpu_operators] == ["QUANTIZE", "DEQUANTIZE"]
    assert value(folder, "cpu_operators") == 2
    assert any("float inputs or outputs (input_1, Identity)" in warning for warning in folder.document.warnings)
    assert any("leaves out the 2 operators on the CPU" in warning for warning in folder.document.warnings)


@pytest.mark.parametrize("npu", ["U55-32", "U65-256", "U85-256"])
def test_every_family_compiles(mlperf_tiny: dict[str, Path], tmp_path: Path, npu: str) -> None:
    folder = build(mlperf_tiny["anomaly_detection"], tmp_path / "b", compile_options(npu_named(npu)))
    assert folder.document.accelerator == f"ethos-{npu.lower()}"
    assert (value(folder, "dram_peak") > 0) is (npu != "U55-32")
    assert value(folder, "weights_original") > 200_000


def test_with_sram_only_the_weights_count_as_sram(mlperf_tiny: dict[str, Path], tmp_path: Path) -> None:
    options = compile_options(npu_named("U55-128"), memory_mode="Sram_Only")
    folder = build(mlperf_tiny["image_classification"], tmp_path / "b", options)
    assert value(folder, "flash") == 0
    assert value(folder, "sram_peak") > 120_000


def test_more_sram_than_the_limit_is_refused_with_both_sizes_and_a_way_out(
    mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    options = compile_options(npu_named("U55-128"), sram_limit="16K")
    with pytest.raises(
        BadInputError, match=r"takes \d+ bytes of SRAM .* more than --sram-limit of 16384"
    ) as caught:
        build(mlperf_tiny["image_classification"], tmp_path / "b", options)
    assert isinstance(caught.value, DoesNotFitError) and 16_384 < caught.value.taken < 200_000
    assert isinstance(caught.value, DoesNotFitError) and 16_384 < caught.value.taken < 200_000
    assert not (tmp_path / "b").exists()


def test_more_sram_than_the_board_has_is_refused(
    mlperf_tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No small real model takes 2 MB; the board is made smaller instead.
    board = default_board("U55")
    assert board.hardware is not None
    small = replace(board, hardware=replace(board.hardware, arena=replace(board.hardware.arena, size=20_000)))
    monkeypatch.setattr("deploy.compiling.fitting.default_board", lambda family: small)
    with pytest.raises(BadInputError, match="more than the SRAM of Corstone-300 of 20000 bytes"):
        build(mlperf_tiny["image_classification"], tmp_path / "b")
    generous = compile_options(npu_named("U55-128"), sram_limit="4M")
    build(mlperf_tiny["image_classification"], tmp_path / "b", generous)


def test_a_model_that_vela_compiled_already_is_refused(resnet: BuildFolder, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="compiled by Vela already"):
        build(resnet.compiled, tmp_path / "b")


def test_a_failing_compile_leaves_the_old_build_folder_untouched(
    mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "b"
    build(mlperf_tiny["anomaly_detection"], folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(BadInputError, match="--sram-limit"):
        build(mlperf_tiny["image_classification"], folder, compile_options(npu_named("U55-128"), sram_limit="16K"))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_new_compile_replaces_the_whole_build_folder(mlperf_tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "b"
    build(mlperf_tiny["anomaly_detection"], folder)
    (folder / "verdict.json").write_text("of the old model")
    build(mlperf_tiny["image_classification"], folder)
    assert BuildFolder.open(folder).document.model == "image_classification"
    assert not (folder / "verdict.json").exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_other_files_is_never_replaced(mlperf_tiny: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(BadInputError, match="is no build folder; it will not be replaced"):
        build(mlperf_tiny["anomaly_detection"], tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(mlperf_tiny: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="file is not a folder that can be written"):
        build(mlperf_tiny["anomaly_detection"], tmp_path / "file" / "build")
    with pytest.raises(BadInputError, match="/proc/build: the folder cannot be written"):
        build(mlperf_tiny["anomaly_detection"], Path("/proc/build"))


def gathering(*, signed: bool) -> Model:
    """A GATHER between an input and an output, with or without a signature that names them."""
    writer = GraphWriter()
    x = writer.tensor("rows", (2, 3, 8), "int8", 0.05)
    first = writer.tensor("first", (), "int32", data=np.int32(1))
    y = writer.tensor("row", (3, 8), "int8", 0.05)
    writer.operator("GATHER", [x, first], [y], schema.GatherOptionsT())
    record = unpacked(writer.finish({"rows": x}, {"row": y}))
    if not signed:
        record.signatureDefs = []
    return tflite.load(packed(record))


@pytest.mark.parametrize("signed", [True, False])
def test_inputs_and_outputs_keep_their_names_with_a_signature_and_without(signed: bool, tmp_path: Path) -> None:
    model = gathering(signed=signed)
    options = compile_options(npu_named("U85-256"))
    build = compile_model(model, options, tmp_path / "build", name="rows", source="rows.tflite")
    assert list(build.compiled_model.input_names().values()) == ["rows"]
    assert list(build.compiled_model.output_names().values()) == ["row"]
    assert BuildFolder.open(build.path).source_model.content == model.content
