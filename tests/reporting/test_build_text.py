"""The report reads at 80 columns without a terminal, and its JSON is compile.json."""

import io
import json
import shutil
from pathlib import Path

import pytest
from answers import answered, found
from rich.console import Console

from deploy import tflite
from deploy.build_folder import BuildFolder, Figure
from deploy.cli.main import run
from deploy.compiling.compilation import compile_model
from deploy.compiling.compile_options import compile_options
from deploy.figures import format_figure
from deploy.hardware.npus import npu_named
from deploy.judging.verification_record import keep_record, not_checked
from deploy.quantizing.agreement import OutputAgreement
from deploy.reporting.data.build_report import build_report
from deploy.reporting.text.build import agreement_table, print_build


@pytest.fixture(scope="module")
def build(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    path = mlperf_tiny["anomaly_detection"]
    return compile_model(
        tflite.read(path),
        compile_options(npu_named("U55-128")),
        tmp_path_factory.mktemp("report") / "build",
        name="anomaly",
        source=path.name,
    )


def text_of(build: BuildFolder, width: int = 80, every_operator: bool = False) -> str:
    stream = io.StringIO()
    print_build(build, Console(file=stream, width=width, soft_wrap=True), every_operator=every_operator)
    return stream.getvalue()


def test_the_report_shows_labelled_figures_placement_and_reasons(build: BuildFolder) -> None:
    text = text_of(build)
    assert text.startswith("anomaly on U55-128: Ethos_U55_High_End_Embedded, Shared_Sram")
    for row in ("inference time", "SRAM peak", "weights, compressed", "flash traffic"):
        line = next(line for line in text.splitlines() if row in line)
        assert line.rstrip().endswith("estimate")
    assert "15 operators on the NPU, 2 on the CPU" in text
    assert "Unsupported opType" in text
    assert "10 of 17" in text


def test_what_compile_checked_stands_in_text_and_json(build: BuildFolder, tmp_path: Path) -> None:
    copy = BuildFolder.open(shutil.copytree(build.path, tmp_path / "build"))
    assert build_report(copy).verification is None
    kept = keep_record(copy, not_checked(copy, "nobody wanted it"))
    assert "operators: not compared: nobody wanted it" in text_of(copy)
    assert build_report(copy).verification == kept


def test_tables_stay_within_80_columns(build: BuildFolder) -> None:
    tables = [line for line in text_of(build).splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= 80


def test_every_operator_is_shown_on_demand(build: BuildFolder) -> None:
    assert text_of(build, every_operator=True).count("FULLY_CONNECTED") == 10


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.40304, "ms", "0.403 ms"),
        (12505748, "MAC", "12,505,748 MAC"),
        (512, "bytes", "512 B"),
        (51808, "bytes", "50.6 KiB"),
        (3 * 1024 * 1024, "bytes/inference", "3.00 MiB/inference"),
    ],
)
def test_figures_are_formatted_for_people(value: float, unit: str, shown: str) -> None:
    assert format_figure(Figure(name="x", value=value, unit=unit, label="estimate")) == shown


def test_agreement_shows_a_dash_where_there_is_no_figure() -> None:
    output = OutputAgreement(
        name="head",
        elements=3,
        mae=0.1,
        rmse=0.2,
        max_abs=0.3,
        cosine=None,
        top1_agreement=None,
        float_min=0,
        float_max=1,
    )
    stream = io.StringIO()
    Console(file=stream, width=80).print(agreement_table([output], 5))
    row = next(line for line in stream.getvalue().splitlines() if "head" in line)
    assert row.split() == ["head", "0.1", "0.2", "0.3", "-", "-", "0", "..", "1"]


def test_json_is_the_content_of_compile_json_and_what_stands_beside_it(
    build: BuildFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(build.path), "--format", "json"]) == 0
    shown = found(answered(capsys.readouterr().out))
    beside = dict.fromkeys(("quantization", "evaluation", "advice", "verification"))
    compiled = json.loads((build.path / "compile.json").read_text())
    assert shown == {**compiled, "build": str(build.path), **beside}


def test_the_command_prints_the_report_and_quiet_only_the_figures(
    build: BuildFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(build.path)]) == 0
    assert "on the CPU" in capsys.readouterr().out
    assert run(["report", str(build.path), "--quiet"]) == 0
    assert "Operators by cycles" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "yaml"], "--format yaml: choose text, json, html or model-explorer"),
        (["gone"], "gone: not a build folder (no such folder)"),
        ([], "no build folder was named"),
    ],
)
def test_wrong_options_and_folders_end_with_status_2(
    in_folder: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_build_folder_whose_model_was_replaced_is_refused(
    mlperf_tiny: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(mlperf_tiny["anomaly_detection"]), "--npu", "U55-32", "-q", "-o", str(tmp_path / "b")]
    assert run(words) == 0
    (tmp_path / "b" / "model_vela.tflite").write_bytes(b"something else")
    assert run(["report", str(tmp_path / "b")]) == 2
    assert "not the file that compile.json describes" in capsys.readouterr().err
