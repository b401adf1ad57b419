"""Trains networks of the model projects, from their data or from a teacher that the user names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import BadInputError
from deploy.zoo.networks import load_tensorflow, network
from deploy.zoo.project import Project, find, function, options

if TYPE_CHECKING:
    from deploy.models.distillation.teacher import Distillation


@dataclass(frozen=True)
class TeacherChoice:
    """A teacher as the user names it; nothing is loaded yet. None stands for the default.

    Raises:
        BadInputError: a temperature or share out of range.
    """

    model: str
    assignments: Sequence[str] = ()
    weights: Path | None = None
    temperature: float | None = None
    soft: float | None = None

    def __post_init__(self) -> None:
        """Refuse early what costs no loading to refuse."""
        from deploy.models.distillation.teacher import check_terms

        check_terms(**self._terms())

    def load(self) -> Distillation:
        """Load the teacher.

        Executing a ``FILE.py:function`` runs code of whoever wrote it.

        Raises:
            BadInputError: it is not a Keras model, cannot be loaded, or has no trained weights.
            NotInstalledError: TensorFlow is missing.
        """
        from deploy.chatter import silenced
        from deploy.models.distillation.teacher import Distillation, Teacher
        from deploy.zoo.model_source import ModelKind, keras_model, parse

        try:
            source = parse(self.model, self.assignments)
        except BadInputError as error:
            raise BadInputError(f"--teacher {self.model}: {error.message}", hints=error.hints) from error
        named = source.kind is ModelKind.PROJECT
        if self.weights is not None and not named:
            raise BadInputError(f"--teacher-weights {self.weights}: goes with --teacher models:NAME")
        if not named and source.kind not in {ModelKind.KERAS, ModelKind.FUNCTION}:
            raise BadInputError(
                f"--teacher {source.text}: a {source.kind.value} cannot teach",
                hints=["a teacher is a Keras model: .keras, .h5, FILE.py:function, or models:NAME"],
            )
        with silenced():
            load_tensorflow()
            if named:
                trained = None if self.weights else True
                model = network(source.project, source.assignments, trained=trained, weights=self.weights).model
            else:
                model = keras_model(source)
            teacher = Teacher(model, " ".join([source.text, *source.assignments]))
        return Distillation(teacher, **self._terms())

    def _terms(self) -> dict[str, float]:
        given = {"temperature": self.temperature, "soft": self.soft}
        return {name: value for name, value in given.items() if value is not None}


def train(
    name: str,
    weights: Path,
    assignments: Sequence[str] = (),
    *,
    epochs: int | None = None,
    seed: int | None = None,
    images: int | None = None,
    augment: str | None = None,
    teacher: TeacherChoice | None = None,
    log: Callable[[str], None] = print,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train a network by name and write the weights; None stands for what its project says.

    ``images`` are the first so many (a trial run), ``augment`` is as ``shift:2,crop:1``. ``log`` receives one line
    an epoch, ``advance`` is called with (steps done, steps in all).

    Raises:
        BadInputError: unknown name or option, a project without training, one whose training knows no teacher,
            augmentation or number of images, or a teacher that cannot be loaded or does not fit.
        NotInstalledError: TensorFlow or the data set is missing.
    """
    project = find(name)
    if not weights.name.endswith(".weights.h5"):
        raise BadInputError(f"{weights}: the name of a weights file must end in .weights.h5")
    chosen = options(project, assignments)
    training = function(project, "train")
    further: dict[str, Any] = {}
    if images is not None:
        _require(project, training, "images", "--images")
        further["images"] = images
    if augment is not None:
        from deploy.models.distillation.augmentation import mixture

        _require(project, training, "augmentation", "--augment")
        further["augmentation"] = mixture(augment)
    if teacher is not None:
        _require(project, training, "distillation", "--teacher")
        further["distillation"] = teacher.load()
    load_tensorflow()
    training(weights, options=chosen, epochs=epochs, seed=seed, log=log, advance=advance, **further)


def _require(project: Project, training: Callable[..., Any], parameter: str, option: str) -> None:
    if parameter not in inspect.signature(training).parameters:
        raise BadInputError(
            f"{option}: {project.name} is not trained that way",
            hints=[f"its training function takes no argument {parameter!r}"],
        )
