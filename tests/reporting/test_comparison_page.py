"""The page of a comparison: rules first, words beside colours, every build, nothing that breaks out, bounded."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from reporting.conftest import ATTACK, Browser
from reporting.test_build_page import LIBRARY, Page

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.reporting.charts.cycles import MOST_PAIRS, pair_label
from deploy.reporting.charts.library import javascript
from deploy.reporting.data.build_documents import build_figures
from deploy.reporting.data.comparing import compare
from deploy.reporting.data.memory_map import LiveTensor
from deploy.reporting.data.report import Report, collect
from deploy.reporting.data.rules import apply_rules, parse_rules
from deploy.reporting.data.side_by_side import pairs
from deploy.reporting.documents import Comparison, OperatorChange
from deploy.reporting.pages.comparison import MAX_BUILDS, render, write_comparison


def compared(*builds: BuildFolder, rules: str = "") -> tuple[Comparison, list[Report]]:
    comparison = compare([build_figures(build, f"build/{build.document.model}") for build in builds])
    outcomes = apply_rules(comparison, parse_rules(rules)) if rules else ()
    return comparison.model_copy(update={"rules": outcomes}), [collect(build) for build in builds]


def charts_of(page: Page) -> dict[str, dict]:
    return json.loads(page.scripts[0])


def test_broken_rules_stand_first_with_word_and_sign(residual: BuildFolder, partly_on_cpu: BuildFolder) -> None:
    page = Page(render(*compared(residual, partly_on_cpu, rules="cycles+5%,cpu_operators+0"), LIBRARY))
    assert "FAIL" in page.text
    assert page.text.index("✗ fail cpu_operators+0") < page.text.index("✓ pass cycles+5%")
    assert page.text.index("FAIL") < page.text.index("inference time")
    text = render(*compared(residual, residual, rules="cycles+0"), LIBRARY)
    assert '<div class="verdict pass">' in text
    assert "all 1 checks hold" in text


def test_without_rules_nothing_claims_to_pass(residual: BuildFolder) -> None:
    text = render(*compared(residual, residual), LIBRARY)
    assert "No rules" in text
    assert '<div class="verdict">' in text
    assert "No operator has other cycles." in text
    assert "the same" in Page(text).text


def test_better_and_worse_are_told_in_words_and_signs_not_by_colour_alone(
    residual: BuildFolder, partly_on_cpu: BuildFolder
) -> None:
    text = render(*compared(residual, partly_on_cpu), LIBRARY)
    coloured = re.findall(r'<span class="(better|worse|changed|same)">(.*?)</span>', text)
    assert {judgement for judgement, _ in coloured} >= {"better", "worse"}
    signs = {"better": "✓", "worse": "✗", "changed": "≠", "same": "="}
    for judgement, told in coloured:
        assert told.startswith(signs[judgement]) and told.endswith(judgement), told


def test_the_page_begins_with_what_the_change_costs_in_plain_words_and_what_each_build_passed(
    residual: BuildFolder, partly_on_cpu: BuildFolder
) -> None:
    page = Page(render(*compared(residual, partly_on_cpu), LIBRARY))
    headline = page.text[page.text.index("against A: resnet-8") :]
    assert re.search(r"B: [\d.]+ % less time, [\d.]+ % less SRAM", headline)
    assert "2 operators more on the CPU" in headline
    assert headline.index("PASS") < headline.index("No verdict yet") < headline.index("inference time")


def test_memory_and_outputs_of_each_operator_are_compared_too(residual: BuildFolder) -> None:
    comparison, reports = compared(residual, residual)
    change = {"type": "CONV_2D", "name": "layer", "before": 1, "after": 1, "cycles_before": 5, "cycles_after": 5}
    changes = (
        OperatorChange(change="memory", sram_before=2048, sram_after=1024, **change),
        OperatorChange(change="outputs", lsb_before=0, lsb_after=2, **change),
    )
    first, other = comparison.builds
    differing = comparison.model_copy(update={"builds": (first, other.model_copy(update={"operators": changes}))})
    text = render(differing, reports, LIBRARY)
    assert "SRAM in use while an operator runs: 1 differ" in text
    assert 'data-value="-1024">-1.0 KiB better</td>' in text
    assert "Largest difference from the reference, in steps of the output: 1 differ" in text
    assert 'data-value="2.0">+2 worse</td>' in text
    assert "No operator has other cycles." in text


def test_operators_that_appeared_and_their_reasons_are_listed(
    residual: BuildFolder, partly_on_cpu: BuildFolder
) -> None:
    comparison, reports = compared(residual, partly_on_cpu)
    page = Page(render(comparison, reports, LIBRARY))
    structural = [
        change for change in comparison.builds[1].operators if change.change not in ("cycles", "memory", "outputs")
    ]
    assert structural
    assert f"{sum(change.change == 'appeared' for change in structural)} appeared" in page.text
    for operator in partly_on_cpu.document.cpu_operators:
        assert operator.reason and operator.reason in page.text


def test_every_operator_of_both_builds_stands_in_the_pairs_once(
    residual: BuildFolder, partly_on_cpu: BuildFolder
) -> None:
    first, other = collect(residual), collect(partly_on_cpu)
    for a, b in ((first, other), (other, first), (first, first)):
        found = pairs(a, b)
        assert sorted(row.index for row, _ in found if row) == [row.index for row in a.operators]
        assert [row.index for _, row in found if row] == [row.index for row in b.operators]
        labels = [pair_label(pair) for pair in found]
        assert len(set(labels)) == len(labels)
    assert all(a is not None and a == b for a, b in pairs(first, first))


def test_memory_in_use_reaches_the_peak_and_ends_at_zero(residual: BuildFolder) -> None:
    (memory,) = collect(residual).memories
    points = memory.in_use
    assert max(used for _, used in points) == memory.peak
    assert points[0][0] == 0
    assert points[-1] == (memory.clock[-1], 0)
    for at, used in points[:-1]:
        step = max(step for step in range(memory.steps) if memory.clock[step] <= at)
        live = [t.address + t.size for t in memory.tensors if t.start <= step <= t.end]
        assert used >= max(live, default=0)


def test_hostile_names_stay_text_in_a_comparison(hostile: BuildFolder, residual: BuildFolder) -> None:
    text = render(*compared(hostile, residual), LIBRARY)
    page = Page(text)
    assert ATTACK in page.text
    assert len(page.scripts) == 3
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert not [tag for tag, _ in page.elements if tag in ("img", "link", "iframe", "object", "embed", "base")]
    assert "\u202e" not in text and "\x00" not in text
    assert "x" * 200 not in text
    assert "http" not in text.replace("http-equiv", "")


def test_as_many_builds_as_a_page_holds_stay_below_two_megabytes(residual: BuildFolder) -> None:
    comparison, (report, *_) = compared(*[residual] * MAX_BUILDS)
    name = "n" * 80
    memory, row = report.memories[0], report.operators[0]
    tensors = tuple(LiveTensor(name, "feature map", 0, 1, i, 9) for i in range(400))
    record = report.document.operators[0].model_copy(update={"name": name})
    many = range(1000)
    huge = replace(
        report,
        memories=(replace(memory, tensors=tensors), replace(memory, memory="DRAM", tensors=tensors)),
        operators=tuple(replace(row, index=i, name=name) for i in many),
        document=report.document.model_copy(
            update={"operators": tuple(record.model_copy(update={"index": i}) for i in many)}
        ),
    )
    change = {"change": "cycles", "type": "CONV_2D", "name": name, "before": 1, "after": 1}
    changes = tuple(OperatorChange(**change, cycles_before=10**6 + i, cycles_after=1) for i in many)
    builds = tuple(build.model_copy(update={"operators": changes}) for build in comparison.builds)
    page = render(comparison.model_copy(update={"builds": builds}), [huge] * MAX_BUILDS, javascript())
    assert len(page.encode()) < 2_000_000
    drawn = charts_of(Page(page))["cycles-b"]["data"]["values"]
    assert len({value["operator"] for value in drawn}) <= MOST_PAIRS


def test_the_command_writes_the_page_prints_the_line_that_broke_and_ends_with_1(
    residual: BuildFolder, partly_on_cpu: BuildFolder, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", str(residual.path), str(partly_on_cpu.path), "--format", "html"]
    assert run(words) == 0
    assert capsys.readouterr().out == "report: comparison.html\n"
    assert (in_folder / "comparison.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run([*words, "-o", "new/d.html", "-q", "--fail-on", "cpu_operators+0"]) == 1
    assert capsys.readouterr().out.startswith("fail  cpu_operators+0: operators on the CPU of B")
    assert "✗ fail" in (in_folder / "new" / "d.html").read_text(encoding="utf-8")
    assert run([*words[:2], *[str(residual.path)] * MAX_BUILDS, *words[3:], "-o", "many.html"]) == 2
    assert f"at most {MAX_BUILDS} builds" in capsys.readouterr().err
    assert not (in_folder / "many.html").exists()


_MARKS = """
const svg = document.querySelector(`[data-chart="${arguments[0]}"] svg`);
return svg.querySelectorAll(`.mark-${arguments[1]}.role-mark > path`).length;
"""


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark", "media"), [(1200, False, ""), (390, True, ""), (800, True, "print")])
def test_the_page_opens_without_errors_with_all_charts_and_sorting_tables(
    browser: Browser,
    residual: BuildFolder,
    partly_on_cpu: BuildFolder,
    hostile: BuildFolder,
    tmp_path: Path,
    width: int,
    dark: bool,
    media: str,
) -> None:
    comparison, reports = compared(residual, partly_on_cpu, hostile, rules="cpu_operators+0")
    page = write_comparison(comparison, reports, tmp_path / "c.html")
    browser.open(page, width=width, dark=dark, media=media)
    assert browser.log() == []
    assert browser.requests() == [page.resolve().as_uri()]
    places = browser.run("return [...document.querySelectorAll('[data-chart]')].map(e => e.dataset.chart)")
    assert {"limits", "cycles-b", "changes-b", "figures-b", "cycles-c", "sram-over-time"} < set(places)
    assert sorted(places) == sorted(browser.run("return Object.keys(window.deployReport.views)"))
    assert browser.run("return [...document.querySelectorAll('[data-chart]')].every(e => e.querySelector('svg'))")
    known = [row for report in reports[:2] for row in report.operators if row.cycles]
    assert browser.run(_MARKS, "cycles-b", "rect") >= len(known), "a bar for each operator of A and of B"
    assert browser.run(_MARKS, "sram-over-time", "line") == 3
    for letter, report in zip("abc", reports, strict=True):
        memory = report.memories[0]
        assert memory.memory == "SRAM"
        bars = browser.run(_MARKS, f"memory-sram-{letter}", "rect")
        assert bars == len(memory.tensors) + 1 + len(memory.cpu_steps)
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    head = "document.querySelectorAll('#figure-table thead th')[1]"
    browser.run(f"{head}.querySelector('button').click()")
    shown = browser.run(
        "return [...document.querySelector('#figure-table').tBodies[0].rows].map(r => +r.cells[1].dataset.value)"
    )
    assert shown == sorted(shown, reverse=True)
