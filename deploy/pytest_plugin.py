"""A pytest plugin: a user's test suite compiles a model, runs it on a simulator, and asserts on what came back.

::

    @pytest.mark.deploy("model.tflite", npu="U55-128")
    def test_the_target_recognises_a_shirt(on_target):
        run = on_target.run({"image": shirt})
        assert run.outputs["garment"].argmax() == SHIRT
        assert run.verdict.verdict == "pass"

Nothing heavy is imported before a test asks for it: pytest loads this module wherever the package is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deploy.api import Run
    from deploy.build_folder import BuildFolder

_COMPILE = (
    "npu",
    "calibration",
    "samples",
    "image_range",
    "io",
    "system_config",
    "memory_mode",
    "optimise",
    "sram_limit",
)
_RUN = (
    "firmware",
    "fvp",
    "labels",
    "image_range",
    "count",
    "sequence",
    "state",
    "seed",
    "jobs",
    "tolerance",
    "accept_model_difference",
    "require_evidence",
    "timeout_s",
    "timing",
)
_KNOWN = (*_COMPILE, *_RUN)
_CACHE = pytest.StashKey[dict[str, "BuildFolder"]]()


class OnTarget:
    """A compiled model that can be run on a simulator."""

    def __init__(self, build: BuildFolder, options: Mapping[str, Any]) -> None:
        self.build = build
        self._options = dict(options)

    def run(self, inputs: Mapping[str, NDArray[Any]] | NDArray[Any] | None = None, **options: Any) -> Run:
        """Boot, feed, compare with the reference kernels; a verdict that does not pass is for the test to judge.

        Args:
            inputs: input name -> ``[samples, *shape]`` of the model's dtype; the array alone for a
                model with one input; None for the usual ones.
            options: as the marker's, for this run only.

        Raises:
            DeployError: the inputs do not fit, or the target gave no complete answer.
        """
        from deploy import api

        chosen = _checked({**self._options, **options}, _RUN)
        if chosen.get("labels") is not None:
            chosen["labels"] = Path(chosen["labels"])
        return api.run(self.build, inputs, **chosen)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "deploy(model, **options): compile a model for an Ethos-U and offer it as the fixture `on_target`. "
        f"Options: {', '.join(_KNOWN)}.",
    )
    config.stash[_CACHE] = {}


@pytest.fixture
def on_target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnTarget]:
    """The model of the test's ``deploy`` marker, compiled once a session for the same options."""
    from deploy.errors import DeployError

    marker = request.node.get_closest_marker("deploy")
    if marker is None or len(marker.args) != 1:
        pytest.fail('the fixture `on_target` needs @pytest.mark.deploy("MODEL", npu="U55-128")', pytrace=False)
    options = _checked(marker.kwargs, _KNOWN)
    compile_options = {name: options[name] for name in _COMPILE if name in options}
    model = str(marker.args[0])
    key = repr((str(Path(model).absolute()), sorted(compile_options.items())))
    cache = request.config.stash[_CACHE]
    try:
        if key not in cache:
            cache[key] = _compiled(model, compile_options, tmp_path_factory.mktemp("deploy") / "build")
    except DeployError as error:
        pytest.fail("\n  try: ".join((f"deploy: {error.message}", *error.hints)), pytrace=False)
    yield OnTarget(cache[key], {name: options[name] for name in _RUN if name in options})


def _checked(options: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise pytest.UsageError(f"deploy: unknown option {', '.join(unknown)}; known: {', '.join(known)}")
    return dict(options)


def _compiled(model: str, options: dict[str, Any], folder: Path) -> BuildFolder:
    from deploy import api
    from deploy.errors import BadInputError
    from deploy.hardware.npus import npu_named
    from deploy.zoo.model_source import ModelKind, parse

    npu = npu_named(options.pop("npu", api.DEFAULT_NPU)).name
    if parse(model).kind not in (ModelKind.TFLITE, ModelKind.PROJECT) and options.get("calibration") is None:
        raise BadInputError(f"{model}: a float model needs the marker's option calibration=...")
    return api.compile(model, npu, output=folder, **options)
