"""The page as a file: verdict first, labels everywhere, nothing breaks out of it, bounded, and optional."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reporting.conftest import ATTACK, compiled

from deploy.build_folder import BuildFolder
from deploy.cli import html_report
from deploy.cli.main import run
from deploy.reporting.charts import library
from deploy.reporting.data.report import collect
from deploy.reporting.pages.build import render
from deploy.reporting.pages.page import content_policy, script_json

LIBRARY = "window.vegaEmbed=null;"
SECTIONS = [
    "summary",
    "time",
    "memory",
    "flash",
    "placement",
    "advice",
    "roofline",
    "bandwidth",
    "graph",
    "verification",
    "environment",
]


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, texts, and scripts apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._script = tag == "script"
        if self._script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[-1] += data
        else:
            self.text += data


def page_of(build: BuildFolder) -> Page:
    return Page(render(collect(build), LIBRARY))


def test_the_verdict_stands_before_all_numbers_and_all_sections_are_there(residual: BuildFolder) -> None:
    page = page_of(residual)
    assert page.text.index("PASS") < page.text.index("inference time")
    assert [a["id"] for tag, a in page.elements if tag == "section"] == SECTIONS
    targets = {a["href"] for tag, a in page.elements if tag == "a"}
    assert targets == {f"#{section}" for section in SECTIONS}


def test_every_section_with_numbers_says_how_they_were_obtained(residual: BuildFolder) -> None:
    text = render(collect(residual), LIBRARY)
    for section in ("summary", "time", "memory", "flash", "placement", "roofline", "bandwidth", "verification"):
        body = re.search(f'<section id="{section}">(.*?)</section>', text, re.DOTALL)
        assert body is not None
        label = re.search(r'<span class="label (estimate|simulated|measured)"', body[1])
        assert label is not None, section
    for figure in re.findall(r'<div class="figure">.*?</div>', text, re.DOTALL):
        assert re.search(r'class="label estimate" title="Vela [\d.]+ summary"', figure) or "accuracy" in figure


def test_labels_differences_and_operators_of_a_verification_are_shown(residual: BuildFolder) -> None:
    report = collect(residual)
    page = page_of(residual)
    assert "24 of 24 inputs" in page.text
    confusion = report.confusions["verify"][0]
    assert (confusion.against, sum(confusion.counts.values())) == ("true label", 24)
    assert {row for row, _ in confusion.counts} == {"class 6"}
    assert "Operators on the NPU's own inputs" in page.text


def test_every_cpu_operator_stands_there_with_its_reason(partly_on_cpu: BuildFolder) -> None:
    text = page_of(partly_on_cpu).text
    cpu = partly_on_cpu.document.cpu_operators
    assert len(cpu) == 2
    for operator in cpu:
        assert operator.reason
        assert operator.reason in text
    assert "No verdict yet" in text


def test_hostile_names_stay_text(hostile: BuildFolder) -> None:
    text = render(collect(hostile), LIBRARY)
    page = Page(text)
    assert ATTACK in page.text, "shown as what it is"
    assert len(page.scripts) == 3
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert not [tag for tag, _ in page.elements if tag in ("img", "link", "iframe", "object", "embed", "base")]
    assert "{{ 7 * 7 }}" in page.text
    data = json.loads(page.scripts[0])
    assert ATTACK in json.dumps(data)
    assert "\u202e" not in text
    assert "x" * 200 not in text


def test_nothing_in_the_page_points_outside(residual: BuildFolder) -> None:
    page = page_of(residual)
    assert not [a for _, a in page.elements if "src" in a]
    assert "http" not in render(collect(residual), "").replace("http-equiv", "")


@settings(deadline=None)
@given(st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)))
def test_data_of_any_kind_stays_inside_its_script_element(data: object) -> None:
    text = script_json(data)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == data


def test_the_policy_names_the_hash_of_each_script_and_forbids_the_rest() -> None:
    # The hash that browsers document for alert('Hello, world.');
    policy = content_policy(["alert('Hello, world.');"])
    assert "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")


def test_a_network_of_a_thousand_operators_keeps_the_page_below_two_megabytes(residual: BuildFolder) -> None:
    from dataclasses import replace

    from deploy.reporting.data.flash import CompressedWeights
    from deploy.reporting.data.memory_map import MAX_TENSORS, LiveTensor
    from deploy.reporting.data.names import NAME_LENGTH
    from deploy.reporting.data.operator_graph import MAX_OPERATORS, Edge, GraphRow, OperatorGraph
    from deploy.reporting.data.traffic import MAX_POINTS, RooflinePoint

    report, many, name = collect(residual), range(1000), "n" * NAME_LENGTH
    row = report.operators[0]
    memory, roof = report.memories[0], report.roofs[0]
    huge = replace(
        report,
        operators=tuple(replace(row, index=i, name=name) for i in many),
        memories=2
        * (
            replace(
                memory, tensors=tuple(LiveTensor(name, "feature map", 0, 1, i, 9) for i in range(MAX_TENSORS))
            ),
        ),
        roofs=2
        * (
            replace(
                roof,
                points=tuple(RooflinePoint(i, row.type, name, 1.0 + i, 1.0, "SRAM") for i in range(MAX_POINTS)),
            ),
        ),
        flash=replace(report.flash, weights=tuple(CompressedWeights(i, row.type, name, 9, 9) for i in many)),
        graph=OperatorGraph(
            tuple(GraphRow(i, "NPU", name, name) for i in range(MAX_OPERATORS)),
            tuple(Edge(i, i + 1, 0, name) for i in range(MAX_OPERATORS - 1)),
            1000 - MAX_OPERATORS,
        ),
    )
    assert len(render(huge, library.javascript()).encode()) < 2_000_000


def test_a_build_without_velas_files_says_what_is_missing(residual: BuildFolder, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "build"
    shutil.copytree(residual.path, copy)
    shutil.rmtree(copy / "vela")
    page = page_of(BuildFolder.open(copy))
    assert "Vela's debug database is not in the build folder" in page.text
    assert "No roofline" in page.text


def test_the_command_writes_the_page_and_names_it(
    residual: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(residual.path), "--format", "html", "-o", str(tmp_path / "r.html")]) == 0
    assert capsys.readouterr().out == f"report: {tmp_path / 'r.html'}\n"
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run(["report", str(residual.path), "-o", str(tmp_path / "named.html")]) == 0
    assert (tmp_path / "named.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_the_charting_library_html_is_refused_and_other_commands_only_say_so(
    residual: BuildFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(library, "PACKAGE", "no-such-package-here")
    assert run(["report", str(residual.path), "--format", "html"]) == 3
    assert "pip install 'vl-convert-python" in capsys.readouterr().err
    assert html_report.refresh_report(residual) is None
    assert capsys.readouterr().err.count("no HTML report") == 1
    assert html_report.refresh_report(residual, quiet=True) is None
    assert capsys.readouterr().err == ""


def test_that_there_are_no_charts_is_said_when_a_model_is_compiled_and_not_at_every_verdict(
    mlperf_tiny: dict[str, Path],
    in_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(library, "PACKAGE", "no-such-package-here")
    assert run(["compile", str(mlperf_tiny["anomaly_detection"]), "--npu", "U55-128", "--advice", "none"]) == 0
    assert capsys.readouterr().err.count("no HTML report") == 1
    assert run(["verify"]) == 0
    assert "no HTML report" not in capsys.readouterr().err
    [build] = (in_folder / "build").glob("*/")
    (build / "report.html").write_text("of an earlier verdict")
    assert run(["verify"]) == 0
    assert capsys.readouterr().err.count("no HTML report") == 1


def test_compile_writes_the_page_and_a_damaged_verdict_is_named(
    mlperf_tiny: dict[str, Path], in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(mlperf_tiny["keyword_spotting"]), "--npu", "U55-64", "-o", "b"]) == 0
    assert "report: b/report.html" in capsys.readouterr().out
    (in_folder / "b" / "verify.json").write_text("{}")
    assert run(["report", "b", "--format", "html"]) == 2
    assert "b/verify.json: cannot be read" in capsys.readouterr().err


def test_a_verdict_on_another_compilation_is_not_shown(residual: BuildFolder, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "build"
    shutil.copytree(residual.path, copy)
    document = json.loads((copy / "verify.json").read_text())
    (copy / "verify.json").write_text(json.dumps(document | {"model_sha256": "0" * 64}))
    assert "No verdict yet" in page_of(BuildFolder.open(copy)).text


def test_an_npu_that_no_simulator_has_gets_a_page_without_a_limit(
    mlperf_tiny: dict[str, Path], tmp_path: Path
) -> None:
    build = compiled(mlperf_tiny["keyword_spotting"].read_bytes(), tmp_path / "b", name="kws", npu="U85-256")
    report = collect(build)
    assert report.roofs
    assert {memory.memory for memory in report.memories} == {"SRAM", "DRAM"}
    assert "on Ethos-U85-256" in render(report, LIBRARY)


def test_the_last_evaluation_stands_in_the_page_and_its_accuracy_comes_first(residual: BuildFolder) -> None:
    from dataclasses import replace

    from deploy.build_folder import Figure
    from deploy.evaluating.documents import EvaluationDocument, OutputEvaluation, Score
    from deploy.judging.origin import Platform

    scores = tuple(
        Score(
            contestant=who,
            count=200,
            correct=right,
            accuracy=right / 200,
            low=0.8,
            high=0.95,
            classes=(),
            confusion=(),
        )
        for who, right in (("float", 184), ("reference", 182), ("target", 181))
    )
    evaluation = EvaluationDocument(
        verdict=None,
        exit_status=0,
        reason="on target 90.50%",
        build="b",
        model_sha256=residual.document.compiled_sha256,
        inputs=200,
        data="test.npz",
        input_sha256="",
        platform=Platform(kind="host", executable="deploy.npu", version="NPU model", npu="U55-128"),
        reference="kernels",
        outputs=(OutputEvaluation(name=ATTACK, scores=scores, agreements=()),),
        figures=(Figure(name="accuracy_kind", value=0.905, unit="1", label="simulated"),),
    )
    text = render(replace(collect(residual), evaluation=evaluation), LIBRARY)
    table = re.search(r'id="accuracy">.*?</table>', text, re.DOTALL)
    assert table is not None
    assert re.findall(r"([\d.]+) %</td>", table[0])[::2] == ["92.00", "91.00", "90.50"]
    assert re.findall(r'"label (\w+)"', table[0]) == ["measured", "measured", "simulated"]
    page = Page(text)
    assert page.text.index("accuracy kind") < page.text.index("Time per operator")
    assert len(page.scripts) == 3
