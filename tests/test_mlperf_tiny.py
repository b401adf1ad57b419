"""The four MLPerf Tiny networks from `.tflite` to verdict on the whole machine; two of them have float inputs."""

import json
from pathlib import Path

import pytest

from deploy.cli.main import run

pytestmark = pytest.mark.system
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
    assert run(["run-fvp", "--fvp", "open", "--count", "4", "--json", "verdict.json"]) == 0
    verdict = json.loads((in_folder / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["inputs"]) == ("pass", 4)
    assert verdict["reference"] == "LiteRT BUILTIN_REF"
    for output in verdict["outputs"]:
        assert output["elements"] > 0
        assert output["max_lsb"] <= 1
