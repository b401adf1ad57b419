"""Model projects as their ``project.toml`` describes them.

Of such a file::

name = "multihead-mobilenetv3"
summary = "one line"
parameters = 102335                 # of the default options
input = "56x56x1"                   # of the default options: height x width x channels
layers = ["mobilenetv4.layers"]     # modules in models/ with Keras layers of its own, the libraries' included

[functions]                         # MODULE:NAME within the package, .FOLDER.MODULE:NAME of a library beside it;
                                    # all but the first two are optional
options = "builder:Options"         # frozen dataclass; every field has a default
build = "builder:build"             # (options) -> keras.Model
train = "train:train"               # (weights path, *, options, epochs, seed, log, advance), and where it can:
                                    # images (--images), augmentation (--augment), distillation (--teacher)
search = "search:problem"           # (options of the search, seed) -> deploy.searching.problem.Problem
data = "fashion_mnist:write"        # (folder, *, count) -> the files written
calibration = "data:calibration"    # (options, *, count) -> array or {input name: array}, as the network takes it
results = "results:Results"         # subclass of deploy.zoo.card_results.CardResults
tables = "results:tables"           # (results) -> Markdown between the card's markers

[[pretrained]]                      # any number; the first that fits the options is taken
weights = "file.weights.h5"
what = "one line"
licence = "Fashion-MNIST: MIT"      # of the data that they were trained on
options = { alpha = 0.25 }          # where they differ from the defaults
any = ["size"]                      # options that the weights do not depend on

[[measured]]                        # any number: what `python -m deploy.zoo.cards NAME` measures for the card
title = "320x320"
options = { size = 320 }            # where they differ from the defaults
npus = ["U55-128"]                  # default: every NPU
memory_mode = "Shared_Sram"         # default: the NPU's
optimise = "Size"                   # default: Performance
io = "int8"                         # default: uint8
parts = { heads = "_logits" }       # column of the table = regular expression for Vela's layer names
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.resources
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from deploy.assignments import parse
from deploy.errors import BadInputError

_PACKAGE = "deploy.models"
_DESCRIPTOR = "project.toml"


@dataclass(frozen=True)
class Pretrained:
    """Trained weights that a project brings.

    Attributes:
        weights: file name within the project.
        what: what they were trained on.
        licence: of that data.
        options: the options they belong to, where these differ from the defaults.
        any: options that they do not depend on.
    """

    weights: str
    what: str = ""
    licence: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    any: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """A network of the family that the card gives figures for.

    Attributes:
        title: of its table.
        options: where they differ from the defaults.
        npus: as ``--npu`` names them; empty for all of them.
        memory_mode: section of Vela's configuration file; None for the NPU's own.
        optimise: Vela's strategy.
        io: type of inputs and outputs.
        parts: name -> regular expression that finds Vela's layers of that part by name.
    """

    title: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    npus: tuple[str, ...] = ()
    memory_mode: str | None = None
    optimise: str | None = None
    io: str = "uint8"
    parts: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """A model project, as its ``project.toml`` describes it.

    Attributes:
        name: what users type.
        package: the Python package, ``deploy.models.multihead_mobilenetv3``.
        folder: its files, installed or in a checkout.
        summary: one line.
        parameters: of the network with default options, not counting anything that is not stored.
        input: height x width x channels with default options; empty where not stated.
        layers: modules below ``deploy.models`` that register Keras layers in its networks.
        functions: role -> MODULE:NAME.
        pretrained: weights that it brings.
        measured: networks that the card gives figures for.
    """

    name: str
    package: str
    folder: Traversable
    summary: str
    parameters: int
    input: str
    functions: Mapping[str, str]
    layers: tuple[str, ...] = ()
    pretrained: tuple[Pretrained, ...] = ()
    measured: tuple[Measured, ...] = ()


def projects() -> tuple[Project, ...]:
    """All model projects, by name.

    Raises:
        BadInputError: a ``project.toml`` is damaged.
    """
    folders = (item for item in importlib.resources.files(_PACKAGE).iterdir() if item.is_dir())
    found = (read(item) for item in folders if (item / _DESCRIPTOR).is_file())
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


def function(project: Project, role: str) -> Callable[..., Any]:
    """What the project names for a role in its ``[functions]``, imported.

    Raises:
        BadInputError: it names nothing.
    """
    if role not in project.functions:
        raise BadInputError(f"{project.name} has nothing for {role!r} (see its project.toml)")
    module, _, name = project.functions[role].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f".{module}", project.package), name)
    return found


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
    defaults = function(project, "options")()
    kept = {field.name: getattr(defaults, field.name) for field in dataclasses.fields(defaults)}
    return dataclasses.replace(defaults, **parse(assignments, kept, project.name))


def pretrained(project: Project, chosen: Any) -> Pretrained | None:
    """The trained weights that the project brings for these options; None where it brings none."""
    defaults = type(chosen)()
    for candidate in project.pretrained:
        fits = (
            getattr(chosen, field.name) == candidate.options.get(field.name, getattr(defaults, field.name))
            for field in dataclasses.fields(chosen)
            if field.name not in candidate.any
        )
        if all(fits):
            return candidate
    return None


def import_layers() -> None:
    """Make known to Keras the layers in files that ``deploy models build`` wrote: those that projects declare.

    Nothing that a file says is imported.

    Raises:
        BadInputError: a project declares a module that is not there.
    """
    for project in projects():
        for module in project.layers:
            try:
                importlib.import_module(f"{_PACKAGE}.{module}")
            except ModuleNotFoundError as error:
                raise BadInputError(f"{project.name}: its {_DESCRIPTOR} names layers: {error}") from error


def read(folder: Traversable) -> Project:
    """Read the description of the project in a folder.

    Raises:
        BadInputError: it is damaged.
    """
    source = f"{folder.name}/{_DESCRIPTOR}"
    try:
        table = tomllib.loads((folder / _DESCRIPTOR).read_text(encoding="utf-8"))
        return Project(
            name=table["name"],
            package=f"{_PACKAGE}.{folder.name}",
            folder=folder,
            summary=table["summary"],
            parameters=table["parameters"],
            input=table.get("input", ""),
            functions=table["functions"],
            layers=tuple(table.get("layers", ())),
            pretrained=tuple(
                Pretrained(**{**item, "any": tuple(item.get("any", ()))}) for item in table.get("pretrained", ())
            ),
            measured=tuple(
                Measured(**{**item, "npus": tuple(item.get("npus", ()))}) for item in table.get("measured", ())
            ),
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadInputError(f"{source}: not a usable project description: {error!r}") from error
