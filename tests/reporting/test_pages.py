"""All four pages: hostile text stays text, without control characters, and every chart is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from reporting.axe import findings
from reporting.conftest import Browser
from reporting.hostile_documents import BREAKING_OUT, HOSTILE, poisoned, steering, strings
from reporting.test_build_page import LIBRARY, Page
from searching.search_script import Cheap, search, settings

from deploy.advising.documents import AdviceDocument, Costs, Hint
from deploy.build_folder import BuildFolder, Figure
from deploy.evaluating.documents import EvaluationDocument, OutputEvaluation, Score
from deploy.judging.located import Located
from deploy.judging.verdict import Platform, Verdict
from deploy.reporting.charts.library import javascript
from deploy.reporting.charts.vega import Chart
from deploy.reporting.data.build_documents import build_figures
from deploy.reporting.data.comparing import compare
from deploy.reporting.data.report import collect
from deploy.reporting.data.rules import apply_rules, parse_rules
from deploy.reporting.pages import build as build_page
from deploy.reporting.pages import comparison as comparison_page
from deploy.reporting.pages import pareto as pareto_page
from deploy.reporting.pages.page import content_policy
from deploy.searching.documents import SearchResult
from deploy.searching.state import SearchFolder
from deploy.sweeping.documents import Objective, Skipped, SweepDocument, SweepPoint

HEAD = [None, "Content-Security-Policy", "viewport", "generator"]
PAGES = ("build", "comparison", "sweep", "search")
# What the pages look up by, and what has to match between documents.
KNOWN_WORDS = frozenset(
    ["npu", "name", "unit", "type", "dtype", "source_sha256", "compiled_sha256", "model_sha256", "kind", "letter"]
)


@dataclass(frozen=True)
class Rendering:
    """How a page is made, with the charting library or a stand-in, and where its charts come from."""

    render: Callable[[str], str]
    module: Any
    charts: str


@pytest.fixture(scope="module")
def poisoned_build(residual: BuildFolder) -> BuildFolder:
    """ResNet-8 whose documents say hostile things."""
    return BuildFolder(residual.path, poisoned(residual.document, keep=KNOWN_WORDS))


def advice_on(build: BuildFolder) -> AdviceDocument:
    hint = Hint(
        kind="memory",
        title="t",
        names=("n",),
        present=Costs(cycles=2),
        changed=Costs(cycles=1),
        source="s",
        action="a",
        outputs="exact",
    )
    return AdviceDocument(
        level="full", compiled_sha256=build.document.compiled_sha256, hints=(hint,), notes=("note",)
    )


def evaluation_of(build: BuildFolder) -> EvaluationDocument:
    score = Score(
        contestant="target", count=2, correct=1, accuracy=0.5, low=0.1, high=0.9, classes=(), confusion=()
    )
    return EvaluationDocument(
        verdict=None,
        exit_status=0,
        reason="reason",
        build="b",
        model_sha256=build.document.compiled_sha256,
        inputs=2,
        data="data",
        input_sha256="",
        platform=Platform(kind="open", executable="e", version="v", npu="U55-128"),
        reference="r",
        outputs=(OutputEvaluation(name="output", scores=(score,), agreements=()),),
        figures=(Figure(name=f"accuracy_{HOSTILE}", value=0.5, unit="1", label="measured", source="s"),),
    )


@pytest.fixture(scope="module")
def build_rendering(poisoned_build: BuildFolder) -> Rendering:
    from dataclasses import replace

    report = collect(poisoned_build)
    verdict = Verdict.model_validate_json(poisoned_build.verdict_file("verify").read_text())
    located = Located(kind="nothing", reason="r", input=0, runs=1)
    worst = verdict.model_copy(update={"explanations": ("e",), "log": ("line",), "located": located})
    hostile = replace(
        report,
        verdicts={"verify": poisoned(worst, keep=KNOWN_WORDS - {"name", "type"})},
        evaluation=poisoned(evaluation_of(poisoned_build), keep=KNOWN_WORDS),
        advice=poisoned(advice_on(poisoned_build), keep=KNOWN_WORDS),
        missing=(HOSTILE,),
    )
    return Rendering(lambda library: build_page.render(hostile, library), build_page, "BUILD")


@pytest.fixture(scope="module")
def comparison_rendering(poisoned_build: BuildFolder, partly_on_cpu: BuildFolder) -> Rendering:
    builds = (poisoned_build, partly_on_cpu)
    comparison = compare([build_figures(build, f"build/{HOSTILE}") for build in builds])
    outcomes = apply_rules(comparison, parse_rules("cpu_operators+0"))
    hostile = poisoned(comparison.model_copy(update={"rules": outcomes}), keep=KNOWN_WORDS)
    reports = [collect(build) for build in builds]
    return Rendering(
        lambda library: comparison_page.render(hostile, reports, library), comparison_page, "COMPARISON"
    )


def sweep_of(networks: Iterable[str]) -> SweepDocument:
    """Each network on two NPUs, one of which it does not fit."""
    names = {"inference_time": "ms", "sram_peak": "bytes", "flash": "bytes", "dram_peak": "bytes", "accuracy": "1"}
    points = tuple(
        SweepPoint(
            network=network,
            assignments=(f"width={network}",),
            npu=npu,
            system_config="system",
            memory_mode=mode,
            optimise="Performance",
            status="ok" if mode == "one" else "does not fit",
            reason=None if mode == "one" else "too large",
            pareto=mode == "one",
            figures=tuple(
                Figure(name=name, value=0.25 + i, unit=unit, label="estimate", source="source")
                for i, (name, unit) in enumerate({**names, f"accuracy_{HOSTILE}": "1"}.items())
            ),
            cpu_operators=("CUSTOM",),
        )
        for network in networks
        for npu, mode in (("U55-64", "one"), ("U55-128", "other"))
    )
    return SweepDocument(
        model="model",
        objectives=(Objective(name="sram_peak", unit="bytes", better="lower"),),
        points=points,
        skipped=(Skipped(npu="U55-32", what="mode", reason="none"),),
        warnings=("warning",),
        workers="2",
        versions={"deploy": "1"},
    )


@pytest.fixture(scope="module")
def sweep_rendering() -> Rendering:
    hostile = poisoned(sweep_of(("small", "large")), keep=KNOWN_WORDS)
    return Rendering(lambda library: pareto_page.render_sweep(hostile, library), pareto_page, "sweep_charts")


@pytest.fixture(scope="module")
def search_rendering(tmp_path_factory: pytest.TempPathFactory) -> Rendering:
    folder = tmp_path_factory.mktemp("search")
    result = SearchResult.model_validate_json(search(folder, 12, Cheap()))
    with SearchFolder(folder, settings()) as opened:
        candidates = opened.candidates
    versioned = result.settings.model_copy(update={"versions": {"deploy": "1"}})
    hostile = poisoned(result.model_copy(update={"settings": versioned}), keep=KNOWN_WORDS - {"npu"})
    tried = poisoned(tuple(candidates), keep=KNOWN_WORDS)
    return Rendering(
        lambda library: pareto_page.render_search(hostile, tried, library), pareto_page, "search_charts"
    )


@pytest.fixture(params=PAGES)
def rendering(request: pytest.FixtureRequest) -> Rendering:
    made: Rendering = request.getfixturevalue(f"{request.param}_rendering")
    return made


def test_hostile_text_stays_text_and_no_control_character_reaches_a_page(rendering: Rendering) -> None:
    text = rendering.render(LIBRARY)
    assert steering(text) == []
    page = Page(text)
    assert BREAKING_OUT[:20] in page.text, "shown as what it is"
    assert len(page.scripts) == 3
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert not [tag for tag, _ in page.elements if tag in ("img", "link", "iframe", "object", "embed", "base")]
    generator = next(a for tag, a in page.elements if tag == "meta" and a.get("name") == "generator")
    assert "img src=x" in str(generator["content"])


def test_no_control_character_reaches_the_charts_of_a_page(rendering: Rendering) -> None:
    specs = json.loads(Page(rendering.render(LIBRARY)).scripts[0])
    assert specs
    assert [text for text in strings(specs) if steering(text)] == []


def test_every_chart_that_is_drawn_stands_in_the_page_once(rendering: Rendering) -> None:
    page = Page(rendering.render(LIBRARY))
    places = [a["data-chart"] for _, a in page.elements if "data-chart" in a]
    assert sorted(map(str, places)) == sorted(json.loads(page.scripts[0]))


def test_a_chart_may_stand_in_every_section_of_a_page(
    rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = [a["id"] for tag, a in Page(rendering.render(LIBRARY)).elements if tag == "section"]
    made = [Chart(f"new-{name}", str(name), "a new chart", {}, title="New") for name in sections]

    def draw(*_subject: object) -> list[Chart]:
        return made

    monkeypatch.setattr(rendering.module, rendering.charts, (draw,) if rendering.charts.isupper() else draw)
    bodies = dict(re.findall(r'<section id="([\w-]+)">(.*?)</section>', rendering.render(LIBRARY), re.DOTALL))
    assert [name for name in sections if f'data-chart="new-{name}"' not in bodies[str(name)]] == []


def test_every_page_has_the_same_head_and_names_its_scripts(rendering: Rendering) -> None:
    page = Page(rendering.render(LIBRARY))
    heads = [a for tag, a in page.elements if tag == "meta"]
    assert [a.get("name", a.get("http-equiv")) for a in heads] == HEAD
    policy = str(heads[1]["content"])
    assert policy == content_policy(page.scripts[1:])


@pytest.mark.browser
def test_every_page_opens_without_errors_and_draws_hostile_names_as_text(
    browser: Browser, rendering: Rendering, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(rendering.render(javascript()), encoding="utf-8")
    browser.open(path)
    assert browser.log() == []
    assert browser.requests() == [path.resolve().as_uri()]
    places = browser.run("return [...document.querySelectorAll('[data-chart]')].map(e => e.dataset.chart)")
    assert sorted(places) == sorted(browser.run("return Object.keys(window.deployReport.views)"))
    assert browser.run("return [...document.querySelectorAll('[data-chart]')].every(e => e.querySelector('svg'))")
    assert steering(browser.run("return document.documentElement.textContent").replace("\r", "")) == []
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "dark", "media"),
    [(1200, False, ""), (1200, True, ""), (390, False, ""), (390, True, ""), (800, False, "print")],
)
def test_axe_finds_nothing_that_keeps_anybody_out_of_a_page(
    browser: Browser, rendering: Rendering, tmp_path: Path, width: int, dark: bool, media: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(rendering.render(javascript()), encoding="utf-8")
    browser.open(path, width=width, dark=dark, media=media)
    assert findings(browser) == []
