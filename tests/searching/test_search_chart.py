"""The chart and the table of a search say what was found, and what is estimate and what measured."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from search_script import Cheap, search, settings

from deploy.reporting.charts import library
from deploy.reporting.charts.pareto import search_charts
from deploy.reporting.pages.pareto import render_search
from deploy.reporting.text.pareto import print_search
from deploy.searching.documents import Candidate, SearchResult
from deploy.searching.state import SearchFolder


def found(folder: Path, trials: int = 30, **changed: object) -> tuple[SearchResult, list[Candidate]]:
    result = SearchResult.model_validate_json(search(folder, trials, Cheap(), **changed))
    with SearchFolder(folder, settings(**changed)) as opened:
        return result, opened.candidates


def printed(result: SearchResult) -> str:
    stream = io.StringIO()
    print_search(result, Console(file=stream, width=80, highlight=False, emoji=False, markup=False))
    return stream.getvalue()


def test_every_trained_candidate_is_a_point_and_the_front_is_marked(tmp_path: Path) -> None:
    result, candidates = found(tmp_path)
    (chart,) = search_charts(result, candidates)
    spec = chart.spec
    points = spec["data"]["values"]
    assert len(points) == sum(candidate.status == "trained" for candidate in candidates)
    optimal = {point["network"] for point in points if point["Pareto-optimal"] == "yes"}
    assert optimal == {entry.number for entry in result.front}
    assert spec["encoding"]["x"]["title"].endswith("(estimate)")
    assert spec["encoding"]["y"]["title"].endswith("(measured)")


def test_the_chart_is_drawn_and_the_page_asks_nothing_of_a_network(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")
    result, candidates = found(tmp_path)
    (chart,) = search_charts(result, candidates)
    drawn = library.svg({**chart.spec, "width": 400})
    assert drawn.count('aria-roledescription="point"') >= len(result.front)
    page = render_search(result, candidates, library.javascript())
    head, _, rest = page.partition('<script type="application/json" id="charts">')
    assert "http" not in head.replace("http-equiv", "")
    assert set(json.loads(rest.partition("</script>")[0])) == {"pareto"}
    for entry in result.front:
        assert f'data-value="{entry.value("total_cycles"):.0f}"' in head


def test_the_table_fits_80_columns_and_marks_the_best(tmp_path: Path) -> None:
    result, _ = found(tmp_path)
    text = printed(result)
    rows = [line for line in text.splitlines() if line.lstrip()[:1].isdigit() and "/" in line]
    assert len(rows) == len(result.front)
    assert all(row.rstrip().split()[-1] == f"{float(row.split()[-1]):.2f}" for row in rows)
    assert all(len(row.rstrip()) <= 80 for row in rows)
    assert [row.split()[0] for row in rows if row.split()[0].endswith("*")] == [f"{result.best}*"]
    assert "estimate: formula" in text
    assert "measured: formula" in text


def test_a_search_without_a_trained_network_prints_no_table(tmp_path: Path) -> None:
    result, _ = found(tmp_path, 4, limit_cycles=1)
    text = printed(result)
    assert "too slow" in text
    assert "Pareto front" not in text
