"""Finds the model projects in ``deploy.models`` and builds, trains and feeds them by name.

A model project is a package with a ``project.toml`` that says what it is and which of its functions do what::

    name = "multihead-mobilenetv3"
    summary = "one line"
    parameters = 102335                 # of the default options

    [functions]                         # MODULE:NAME within the package
    options = "builder:Options"         # frozen dataclass; every field has a default
    build = "builder:build"             # (options) -> keras.Model
    train = "train:train"               # (weights path, *, options, epochs, seed, log, advance)
    data = "fashion_mnist:write"        # (folder, *, count) -> the files written

    [[pretrained]]                      # any number; the first that fits the options is taken
    weights = "file.weights.h5"
    what = "one line"
    options = { alpha = 0.25 }          # where they differ from the defaults
    any = ["size"]                      # options that the weights do not depend on

Finding and listing reads these files only: no project is imported, TensorFlow least of all.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.resources
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError

_PACKAGE = "deploy.models"
_DESCRIPTOR = "project.toml"
_TRUE, _FALSE = frozenset(["true", "yes", "on", "1"]), frozenset(["false", "no", "off", "0"])


@dataclass(frozen=True)
class Pretrained:
    """Trained weights that a project brings.

    Attributes:
        weights: file name within the project.
        what: what they were trained on.
        options: the options they belong to, where these differ from the defaults.
        any: options that they do not depend on.
    """

    weights: str
    what: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    any: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """A model project, as its ``project.toml`` describes it.

    Attributes:
        name: what users type.
        package: the Python package, ``deploy.models.multihead_mobilenetv3``.
        folder: its files, installed or in a checkout.
        summary: one line.
        parameters: of the network with default options, not counting anything that is not stored.
        functions: role -> MODULE:NAME.
        pretrained: weights that it brings.
    """

    name: str
    package: str
    folder: Traversable
    summary: str
    parameters: int
    functions: Mapping[str, str]
    pretrained: tuple[Pretrained, ...] = ()


def projects() -> tuple[Project, ...]:
    """All model projects, by name.

    Raises:
        BadInputError: a ``project.toml`` is damaged.
    """
    folders = (item for item in importlib.resources.files(_PACKAGE).iterdir() if item.is_dir())
    found = (_read(item) for item in folders if (item / _DESCRIPTOR).is_file())
    return tuple(sorted(found, key=lambda project: project.name))


def find(name: str) -> Project:
    """The project of that name (``_`` and ``-`` are the same).

    Raises:
        BadInputError: there is none; the message names the nearest.
    """
    known = {project.name: project for project in projects()}
    project = known.get(name.replace("_", "-").lower())
    if project is None:
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.3)
        raise BadInputError(
            f"no model is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            hints=["`deploy models list` shows all of them"],
        )
    return project


def options(project: Project, assignments: Sequence[str] = ()) -> Any:
    """The project's options with some of them set.

    Args:
        project: whose options.
        assignments: ``KEY=VALUE`` each; a mapping is written ``heads=garment:10,kind:5``.

    Returns:
        An instance of the project's options dataclass.

    Raises:
        BadInputError: an unknown key (the nearest is named), or a value of the wrong kind or range.
    """
    defaults = _function(project, "options")()
    kept = {field.name: getattr(defaults, field.name) for field in dataclasses.fields(defaults)}
    changes = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise BadInputError(f"--set {assignment}: must be KEY=VALUE", hints=[_known_options(kept)])
        if key not in kept:
            near = difflib.get_close_matches(key, kept, n=1)
            raise BadInputError(
                f"--set {assignment}: {project.name} has no option {key!r}"
                + (f"; did you mean {near[0]!r}?" if near else ""),
                hints=[_known_options(kept)],
            )
        changes[key] = _parse(assignment, text, kept[key])
    return dataclasses.replace(defaults, **changes)


def build(name: str, assignments: Sequence[str] = (), *, trained: bool = True, weights: Path | None = None) -> Any:
    """Build a network by name.

    Args:
        name: of the project.
        assignments: options, see :func:`options`.
        trained: load the weights that the project brings.
        weights: load this ``.weights.h5`` file instead.

    Returns:
        A ``keras.Model``.

    Raises:
        BadInputError: unknown name or option; the project brings no weights for these options; the file given is
            not one of weights for this network.
        NotInstalledError: TensorFlow is missing.
    """
    project = find(name)
    chosen = options(project, assignments)
    pretrained = _pretrained(project, chosen) if trained and weights is None else None
    _import_tensorflow()
    model = _function(project, "build")(chosen)
    if weights is not None:
        _load_weights(model, weights)
    elif pretrained is not None:
        with importlib.resources.as_file(project.folder / pretrained.weights) as file:
            _load_weights(model, file)
    return model


def keras_file(model: Any) -> bytes:
    """A network as the bytes of a ``.keras`` file, not compiled for training."""
    with tempfile.TemporaryDirectory(prefix="deploy-zoo-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def train(
    name: str,
    weights: Path,
    assignments: Sequence[str] = (),
    *,
    epochs: int | None = None,
    seed: int | None = None,
    log: Callable[[str], None] = print,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train a network by name, as its project says, and write the weights.

    Args:
        name: of the project.
        weights: the ``.weights.h5`` file to write.
        assignments: options, see :func:`options`.
        epochs: passes over the training data; None for the project's own number.
        seed: of everything random; None for the project's own.
        log: receives one line an epoch.
        advance: called with (steps done, steps in all).

    Raises:
        BadInputError: unknown name or option, or a project without training.
        NotInstalledError: TensorFlow or the data set is missing.
    """
    project = find(name)
    if not weights.name.endswith(".weights.h5"):
        raise BadInputError(f"{weights}: the name of a weights file must end in .weights.h5")
    chosen = options(project, assignments)
    _import_tensorflow()
    _function(project, "train")(weights, options=chosen, epochs=epochs, seed=seed, log=log, advance=advance)


def write_data(name: str, folder: Path, *, count: int) -> tuple[Path, ...]:
    """Write real data to try a network with: calibration, test inputs and labels.

    Args:
        name: of the project.
        folder: where to; made if missing.
        count: how many test inputs.

    Returns:
        The files written: ``calibration.npz``, ``test.npz``, ``labels.json``.

    Raises:
        BadInputError: unknown name, or a project without data.
        NotInstalledError: the data set is missing.
    """
    written: tuple[Path, ...] = _function(find(name), "data")(folder, count=count)
    return written


def _import_tensorflow() -> None:
    from deploy.chatter import silenced
    from deploy.quantizing.float_model import import_tensorflow

    with silenced():
        import_tensorflow()


def _read(folder: Traversable) -> Project:
    source = f"{folder.name}/{_DESCRIPTOR}"
    try:
        table = tomllib.loads((folder / _DESCRIPTOR).read_text(encoding="utf-8"))
        return Project(
            name=table["name"],
            package=f"{_PACKAGE}.{folder.name}",
            folder=folder,
            summary=table["summary"],
            parameters=table["parameters"],
            functions=table["functions"],
            pretrained=tuple(
                Pretrained(**{**item, "any": tuple(item.get("any", ()))}) for item in table.get("pretrained", ())
            ),
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadInputError(f"{source}: not a usable project description: {error!r}") from error


def _function(project: Project, role: str) -> Callable[..., Any]:
    if role not in project.functions:
        raise BadInputError(f"{project.name} has nothing for {role!r} (see its project.toml)")
    module, _, name = project.functions[role].partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(f"{project.package}.{module}"), name)
    return function


def _pretrained(project: Project, chosen: Any) -> Pretrained:
    defaults = type(chosen)()
    for candidate in project.pretrained:
        fits = (
            getattr(chosen, field.name) == candidate.options.get(field.name, getattr(defaults, field.name))
            for field in dataclasses.fields(chosen)
            if field.name not in candidate.any
        )
        if all(fits):
            return candidate
    raise BadInputError(
        f"{project.name} brings no trained weights for these options",
        hints=["--untrained builds it without", f"deploy models train {project.name}, then --weights FILE"],
    )


def _load_weights(model: Any, file: Path) -> None:
    if not file.is_file():
        raise BadInputError(f"{file}: no such weights file")
    try:
        model.load_weights(file)
    except Exception as error:  # Keras and h5py raise a dozen kinds for a file that does not fit.
        first = str(error).strip().splitlines()
        raise BadInputError(
            f"{file}: not weights of this network: {first[0] if first else type(error).__name__}",
            hints=["pass the same --set options as in training"],
        ) from error


def _known_options(defaults: Mapping[str, Any]) -> str:
    return "options and their defaults: " + " ".join(f"{key}={_show(value)}" for key, value in defaults.items())


def _show(value: Any) -> str:
    return ",".join(f"{k}:{v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)


def _parse(assignment: str, text: str, default: Any) -> Any:
    """Read an option's value as the type that its default has."""
    try:
        if isinstance(default, bool):
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError("true or false")
            return text.lower() in _TRUE
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
        if isinstance(default, Mapping):
            pairs = [part.partition(":") for part in text.split(",")]
            if len({name for name, _, _ in pairs}) != len(pairs):
                raise ValueError("a name stands twice")
            return {name.strip(): int(number) for name, _, number in pairs}
    except ValueError as error:
        raise BadInputError(f"--set {assignment}: not a usable value: {error}") from error
    return text
