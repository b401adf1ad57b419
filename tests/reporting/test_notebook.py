"""Results show themselves in notebooks: tables and pictures, bounded, escaped, without scripts."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fetched_once import cache, fetched_once, run_or_say
from reporting.compile_documents import build_figures, document
from reporting.conftest import ATTACK, Browser
from reporting.test_build_page import Page

import deploy
from deploy.api import Run
from deploy.build_folder import BuildFolder, Figure
from deploy.judging.verdict import Verdict
from deploy.quantizing.agreement import OutputAgreement
from deploy.quantizing.quantization import QuantizationDocument, Quantized
from deploy.reporting.charts import library
from deploy.reporting.data.build_documents import read_verdicts
from deploy.reporting.data.comparing import compare

NOTEBOOKS = ("nbconvert==7.17.2", "ipykernel==7.4.0")


def shown(result: Any) -> Page:
    html = result._repr_html_()
    assert html is not None
    page = Page(html)
    assert [tag for tag, _ in page.elements if tag in ("script", "link", "iframe", "object", "svg", "form")] == []
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert all(str(a["src"]).startswith("data:image/svg+xml;base64,") for tag, a in page.elements if tag == "img")
    return page


def pictures(page: Page) -> list[str]:
    sources = [str(a["src"]) for tag, a in page.elements if tag == "img"]
    return [base64.b64decode(source.split(",", maxsplit=1)[1]).decode() for source in sources]


def test_a_build_shows_its_verdict_facts_operators_and_two_charts(residual: BuildFolder) -> None:
    page = shown(residual)
    assert "PASS" in page.text and "16 of 16" in page.text
    assert "Operators by cycles (estimate), 10 of 16" in page.text
    assert [drawn[:4] for drawn in pictures(page)] == ["<svg", "<svg"]
    assert all(len(str(a["alt"])) > 20 for tag, a in page.elements if tag == "img")


def test_hostile_names_stay_text_in_a_cell_and_in_its_pictures(hostile: BuildFolder) -> None:
    page = shown(hostile)
    assert ATTACK in page.text
    for drawn in pictures(page):
        assert "<script" not in drawn and "<img" not in drawn
    assert "\u202e" not in hostile._repr_html_()


def test_without_the_charting_library_there_are_tables_alone(
    residual: BuildFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_spec: object) -> str:
        raise ImportError

    monkeypatch.setattr("deploy.reporting.notebook.svg", missing)
    assert pictures(shown(residual)) == []
    assert library.svg is not missing


def test_a_verdict_and_a_run_show_outputs_and_figures(residual: BuildFolder) -> None:
    verdict: Verdict = read_verdicts(residual)["verify"]
    page = shown(verdict)
    assert "PASS" in page.text and "24 inputs against" in page.text and "accuracy Identity int8" in page.text
    run = shown(Run({ATTACK: np.arange(6, dtype=np.int8).reshape(2, 3)}, verdict))
    assert ATTACK in run.text and "2x3" in run.text


def test_a_comparison_says_in_words_what_the_change_costs(
    residual: BuildFolder, partly_on_cpu: BuildFolder
) -> None:
    page = shown(deploy.compare(residual, partly_on_cpu))
    assert re.search(r"B against A: [\d.]+ % less time", page.text)
    assert "2 operators more on the CPU" in page.text
    many = [
        build_figures(f"b{i}", *(Figure(name="flash", value=i, unit="bytes", label="estimate"),))
        for i in (1, 2, 3)
    ]
    assert "3 builds of net" in shown(compare(many)).text
    with pytest.raises(deploy.errors.BadInputError, match="nothing to compare"):
        deploy.compare(residual)


def test_a_quantized_model_shows_how_well_it_agrees(residual: BuildFolder) -> None:
    agreement = OutputAgreement(
        name=ATTACK,
        elements=9,
        mae=0.1,
        rmse=0.2,
        max_abs=0.5,
        cosine=0.99,
        top1_agreement=0.9,
        float_min=0,
        float_max=1,
    )
    made = QuantizationDocument(
        model="net.keras",
        io="int8",
        calibration="data.npz",
        calibration_samples=9,
        agreement_samples=9,
        agreement=(agreement,),
        kernels="k",
        inputs=(),
        outputs=(),
        sha256="",
        versions={},
    )
    page = shown(Quantized(residual.source_model, made))
    assert "net.keras, quantized" in page.text and ATTACK in page.text and "90.0 %" in page.text


def test_what_has_no_view_is_shown_as_text() -> None:
    assert document()._repr_html_() is None


@pytest.fixture(scope="module")
def notebook_tools() -> Path:
    def fetch(folder: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--only-binary=:all:",
            "--target",
            str(folder),
        ]
        run_or_say([*command, *NOTEBOOKS], " ".join(NOTEBOOKS))

    return fetched_once(cache() / "test-tools" / NOTEBOOKS[0].replace("==", "-"), fetch)


@pytest.mark.slow
@pytest.mark.browser
def test_a_notebook_that_is_executed_shows_them_in_its_cells(
    notebook_tools: Path, residual: BuildFolder, partly_on_cpu: BuildFolder, browser: Browser, tmp_path: Path
) -> None:
    cells = [
        f"import deploy\nbuild = deploy.open_build({str(residual.path)!r})\nbuild",
        "deploy.verify(build, count=2)",
        f"deploy.compare(build, deploy.open_build({str(partly_on_cpu.path)!r}))",
    ]
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"c{i}",
                "metadata": {},
                "outputs": [],
                "source": cell,
            }
            for i, cell in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tmp_path / "n.ipynb").write_text(json.dumps(notebook))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(notebook_tools), *sys.path[:1]]),
        "JUPYTER_PATH": str(notebook_tools / "share" / "jupyter"),
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "n.ipynb"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    browser.open(tmp_path / "n.html", ready="document.readyState === 'complete'")
    assert browser.run("return document.querySelectorAll('.deploy-shown').length") == len(cells)
    assert browser.run(
        "return [...document.querySelectorAll('.deploy-shown img')].every(e => e.naturalWidth > 500)"
    )
    titles = browser.run("return [...document.querySelectorAll('.deploy-shown h4')].map(e => e.innerText)")
    assert "resnet-8 on U55-128" in titles[0] and "PASS" in titles[1] and "2 builds" in titles[2]
