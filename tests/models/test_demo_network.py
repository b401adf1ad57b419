"""The demo network on U55 and U85: not one output element differs from LiteRT's reference kernels."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.models.multihead_mobilenetv3 import fashion_mnist

pytestmark = pytest.mark.tensorflow
NPUS = ("U55-32", "U55-64", "U55-128", "U55-256")


@pytest.fixture(scope="module")
def demo(demo_build: BuildFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quantized demo network and 200 test images."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(demo_build.source, folder / "model.tflite")
    fashion_mnist.write(folder, count=200)
    return folder


def mismatches(document: Path, inputs: int) -> dict[str, int]:
    verdict = json.loads(document.read_text())
    assert (verdict["verdict"], verdict["inputs"]) == ("pass", inputs)
    assert verdict["reference"] == "LiteRT BUILTIN_REF"
    assert {output["name"]: output["elements"] for output in verdict["outputs"]} == {
        "garment": 10 * inputs,
        "kind": 5 * inputs,
    }
    return {output["name"]: output["mismatches"] for output in verdict["outputs"]}


def compiled(demo: Path, npu: str) -> str:
    """The demo's build for an NPU, made once."""
    build = demo / npu
    if not build.exists():
        words = ["compile", str(demo / "model.tflite"), "--npu", npu, "-o", str(build), "--advice", "none", "-q"]
        assert run(words) == 0
    return str(build)


@pytest.mark.parametrize("npu", [*NPUS, "U85-256"])
def test_two_hundred_test_images_are_exact_on_the_npu_model(npu: str, demo: Path, in_folder: Path) -> None:
    words = ["verify", compiled(demo, npu), "--inputs", str(demo / "test.npz"), "--count", "200"]
    assert run([*words, "--json", "v.json", "-q"]) == 0
    assert mismatches(in_folder / "v.json", 200) == {"garment": 0, "kind": 0}


@pytest.mark.system
@pytest.mark.parametrize(
    ("npu", "count"), [("U55-32", 2), *(pytest.param(npu, 16, marks=pytest.mark.slow) for npu in NPUS)]
)
def test_test_images_are_exact_on_the_whole_machine(npu: str, count: int, demo: Path, in_folder: Path) -> None:
    words = ["run-fvp", compiled(demo, npu), "--fvp", "open", "--inputs", str(demo / "test.npz")]
    assert run([*words, "--count", str(count), "--json", "v.json", "-q"]) == 0
    assert mismatches(in_folder / "v.json", count) == {"garment": 0, "kind": 0}
