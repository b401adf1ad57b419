"""The four MLPerf Tiny networks from `.tflite` to verdict on the whole machine; two of them have float inputs."""

import json
from pathlib import Path

import numpy as np
import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.judging.inputs import random_inputs
from deploy.judging.samples import stacked
from deploy.settings.last_build import last_build

pytestmark = [pytest.mark.early, pytest.mark.system]
IN_CI = ("image_classification", "keyword_spotting")


@pytest.mark.parametrize(
    "name",
    [
        *IN_CI,
        pytest.param("visual_wake_words", marks=pytest.mark.slow),
        pytest.param("anomaly_detection", marks=pytest.mark.slow),
    ],
)
def test_the_network_runs_within_one_lsb(name: str, mlperf_tiny: dict[str, Path], in_folder: Path) -> None:
    assert run(["compile", str(mlperf_tiny[name]), "--npu", "U55-128", "-q"]) == 0
    samples = random_inputs(BuildFolder.open(last_build(in_folder)).compiled_model, 4).samples
    np.savez("uniform.npz", **stacked(samples))
    assert run(["run-fvp", "--fvp", "open", "--inputs", "uniform.npz", "--json", "verdict.json"]) == 0
    verdict = json.loads((in_folder / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["inputs"]) == ("pass", 4)
    assert verdict["reference"] == "LiteRT BUILTIN_REF"
    for output in verdict["outputs"]:
        assert output["elements"] > 0
        assert output["max_lsb"] <= 1


@pytest.mark.parametrize(
    "name", ["keyword_spotting", pytest.param("image_classification", marks=pytest.mark.slow)]
)
def test_the_inputs_that_a_build_keeps_pass_on_the_npu_model(
    name: str, mlperf_tiny: dict[str, Path], in_folder: Path
) -> None:
    assert run(["compile", str(mlperf_tiny[name]), "--npu", "U55-128", "-q"]) == 0
    assert run(["verify", "--require-evidence", "-q"]) == 0


U85S = ("U85-128", "U85-256", "U85-512", "U85-1024", "U85-2048")
IN_CI_ON_U85 = (("keyword_spotting", "U85-2048"), ("image_classification", "U85-512"))


@pytest.mark.parametrize(
    ("name", "npu"),
    [
        pytest.param(name, npu, marks=() if (name, npu) in IN_CI_ON_U85 else pytest.mark.slow)
        for name in ("keyword_spotting", "image_classification", "visual_wake_words", "anomaly_detection")
        for npu in U85S
    ],
)
def test_the_network_passes_on_the_model_of_every_u85(
    name: str, npu: str, mlperf_tiny: dict[str, Path], in_folder: Path
) -> None:
    assert (
        run(["compile", str(mlperf_tiny[name]), "--npu", npu, "--verify", "none", "--advice", "none", "-q"]) == 0
    )
    assert run(["verify", "--layers", "--json", "verdict.json", "-q"]) == 0
    verdict = json.loads((in_folder / "verdict.json").read_text())
    assert verdict["verdict"] == "pass"
    assert verdict["operator_check"]["unexplained"] == 0
