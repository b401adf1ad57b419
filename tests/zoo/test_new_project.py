"""A model project is its folder: nothing else names it, its layers or its search."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import zoo
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.zoo import project as projects

pytestmark = pytest.mark.early

FILES = {
    "__init__.py": '"""Doubles and looks."""',
    "project.toml": """
name = "doubler"
summary = "a convolution behind a layer of its own"
parameters = 50
input = "16x16x1"
layers = ["doubler.layers"]

[functions]
options = "builder:Options"
build = "builder:build"
search = "builder:problem"
""",
    "layers.py": """
import keras

@keras.saving.register_keras_serializable(package="scratch.doubler")
class Double(keras.layers.Layer):
    def call(self, x):
        return x * 2
""",
    "builder.py": """
from dataclasses import dataclass
import numpy as np
from deploy.searching.problem import Problem, Stage
from deploy.searching.space import choices

@dataclass(frozen=True)
class Options:
    channels: int = 4
    size: int = 16

def build(options):
    import keras
    from scratch_models.doubler.layers import Double
    image = keras.Input((options.size, options.size, 1), name="image")
    x = keras.layers.Conv2D(options.channels, 3, 2)(Double()(image))
    x = keras.layers.AveragePooling2D(x.shape[1:3])(x)
    return keras.Model(image, {"kind": keras.layers.Flatten()(keras.layers.Conv2D(2, 1)(x))})

def problem(size: int = 16):
    return Problem(
        stages=[Stage("width", choices({"channels": [4, 8], "size": [size]}))],
        build=lambda network: build(Options(**network)),
        train=lambda model: model.count_params() / 1000,
        training="none",
        calibration=np.random.default_rng(1).random((4, size, size, 1), np.float32),
    )
""",
}


@pytest.fixture
def doubler(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of model projects with one in it, in place of ``deploy.models``."""
    folder = in_folder / "scratch_models" / "doubler"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    monkeypatch.syspath_prepend(str(in_folder))
    monkeypatch.setattr(projects, "_PACKAGE", "scratch_models")
    yield folder
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.startswith("scratch_models")]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.mark.tensorflow
def test_a_folder_is_listed_built_compiled_and_searched(doubler: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list"]) == 0
    assert "doubler  50 parameters  16x16x1" in capfd.readouterr().out
    assert run(["models", "build", "doubler", "-o", "d.keras"]) == 0
    import keras

    keras.saving.get_custom_objects().pop("scratch.doubler>Double")
    _forget()  # as in another process: only the declaration makes the layer known
    assert run(["compile", "d.keras", "--calibration", "random", "--npu", "U55-128", "-o", "a", "-q"]) == 0
    assert run(["compile", "models:doubler", "--set", "channels=8", "--npu", "U55-128", "-o", "b", "-q"]) == 0
    assert json.loads(Path("b/compile.json").read_text())["npu"] == "U55-128"
    assert run(["search", "models:doubler", "--oracle", "roofline", "--trials", "2", "-q"]) == 0
    best = json.loads(Path("build/search/best.json").read_text())
    assert best["network"] == {"channels": 8, "size": 16}


@pytest.mark.tensorflow
def test_a_declared_module_that_is_not_there_is_named(doubler: Path) -> None:
    (doubler / "layers.py").unlink()
    with pytest.raises(BadInputError, match=r"doubler: its project\.toml names layers: .*scratch_models\.doubler"):
        zoo.import_layers()
