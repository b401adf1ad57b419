"""The teacher: a trained network whose logits another one learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError

_HOTTEST = 100
_PROBES = 4
"""Random images that tell logits from probabilities."""


class Teacher:
    """A Keras model of one input, and logits by name."""

    def __init__(self, model: Any, name: str) -> None:
        import tensorflow as tf

        self.name = name
        self._model = model
        self._run = tf.function(
            lambda images: outputs_by_name(model, model(images, training=False)), autograph=False
        )

    def logits(self, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Head name -> float32 [N, classes] for float32 [N, height, width, channels] in [0, 1]."""
        return {head: np.asarray(values, np.float32) for head, values in self._run(images).items()}

    def check(self, student: Any) -> None:
        """Refuse to teach a network that this one cannot teach; heads that the student lacks do not matter.

        Raises:
            BadInputError: another input, a head that is missing or has other classes, or outputs that are not
                finite or no logits.
        """
        if len(self._model.inputs) != 1:
            raise self._refused(f"it has {len(self._model.inputs)} inputs, the student has one")
        own, wanted = tuple(self._model.inputs[0].shape), tuple(student.inputs[0].shape)
        if own != wanted:
            raise self._refused(
                f"its input is {_show(own)}, the student's {_show(wanted)}",
                "teacher and student see the same images: build the teacher for the student's input",
            )
        heads = outputs_by_name(self._model, self._model.output)
        for head, output in student.output.items():
            if head not in heads:
                known = ", ".join(f"{name} ({values.shape[-1]} classes)" for name, values in heads.items())
                raise self._refused(
                    f"it has no output {head!r}, which the student has",
                    f"its outputs: {known}",
                    "outputs are matched by name: let the teacher return a dictionary, head name to logits",
                )
            if tuple(heads[head].shape) != tuple(output.shape):
                raise self._refused(
                    f"its output {head!r} is {_show(heads[head].shape)}, the student's {_show(output.shape)}",
                    "teacher and student tell the same classes apart, in the same order",
                )
        probes = np.random.default_rng(0).random((_PROBES, *wanted[1:]), np.float32)
        for head, values in self.logits(probes).items():
            if head not in student.output:
                continue
            if not np.isfinite(values).all():
                raise self._refused(f"its output {head!r} is not finite", "was it trained?")
            if (values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-3):
                raise self._refused(
                    f"its output {head!r} is a softmax, a teacher gives logits",
                    "leave the softmax away (networks of the toolkit: softmax=false)",
                )

    def _refused(self, why: str, *hints: str) -> BadInputError:
        return BadInputError(f"teacher {self.name}: {why}", hints=hints)


@dataclass(frozen=True)
class Distillation:
    """What is learnt from whom; the defaults are those of MobileNetV4: soft cross-entropy and nothing else.

    Attributes:
        teacher: whose logits count.
        temperature: that logits are divided by before the softmax, above 0 and up to 100.
        soft: share of the teacher in the loss, above 0 and up to 1; the rest is the labels'.

    Raises:
        BadInputError: a value outside these ranges.
    """

    teacher: Teacher
    temperature: float = 1.0
    soft: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that teach nothing."""
        check_terms(self.temperature, self.soft)


def check_terms(temperature: float = 1.0, soft: float = 1.0) -> None:
    """Refuse a temperature or a share that teaches nothing.

    Raises:
        BadInputError: see :class:`Distillation`.
    """
    if not 0 < temperature <= _HOTTEST:
        raise BadInputError(f"temperature is {temperature:g}, must be above 0 and at most {_HOTTEST}")
    if not 0 < soft <= 1:
        raise BadInputError(f"the teacher's share of the loss is {soft:g}, must be above 0 and at most 1")


def outputs_by_name(model: Any, outputs: Any) -> dict[str, Any]:
    """A model's outputs, symbolic or computed, by name."""
    if isinstance(outputs, Mapping):
        return dict(outputs)
    flat = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    return dict(zip(model.output_names, flat, strict=True))


def _show(shape: Any) -> str:
    return "x".join("N" if side is None else str(side) for side in shape)
