"""Distils the alpha 0.5 network into that of alpha 0.25, and measures what the teacher brings.

``python -m deploy.models.multihead_mobilenetv3.distilled`` in a checkout: trains the small network a few epochs
from labels alone, from the teacher, and from the teacher on mixed augmentation sets, with several seeds; measures
each on the 10,000 test images; writes ``results.json`` and the card. A training and its measurement take about six
minutes of processor time.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy import zoo
from deploy.judging.oracles import outputs_of
from deploy.judging.reference import ReferenceKernels
from deploy.models.distillation.augmentation import mixture
from deploy.models.distillation.teacher import Distillation, Teacher
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.builder import INPUT_NAME
from deploy.models.multihead_mobilenetv3.evaluate import NAME
from deploy.models.multihead_mobilenetv3.results import LABELS, HeadOutcome, Outcomes, StudentOutcome
from deploy.models.multihead_mobilenetv3.train import train
from deploy.zoo import cards
from deploy.zoo.quantized import quantize_network

TEACHER: Final = ("alpha=0.5",)
STUDENT: Final = ("alpha=0.25",)
EPOCHS: Final = 2
SEEDS: Final = (1, 2)


@dataclass(frozen=True)
class Arm:
    """A way of training the student."""

    name: str
    taught: bool
    augmentation: str


ARMS: Final = (
    Arm(LABELS, taught=False, augmentation="shift"),
    Arm("teacher", taught=True, augmentation="shift"),
    Arm("teacher, mixed sets", taught=True, augmentation="crop:1,mixup:2,shift:2"),
)
"""The shares of the last one are those of the document's data sets: 0.64, 1.28 and 1.3 billion images."""


def measure(log: Callable[[str], None]) -> Iterator[Outcomes]:
    """Train and measure, arm by arm.

    Yields:
        What is known, after every training.

    Raises:
        NotInstalledError: TensorFlow or the data set is missing.
    """
    pixels, labels = fashion_mnist.test_inputs()
    network = zoo.network(NAME, TEACHER, trained=True)
    teacher = Teacher(network.model, network.text)
    taught = _classified(network.model, pixels)
    outcomes = Outcomes(
        images=len(pixels),
        epochs=EPOCHS,
        teacher=TEACHER,
        student=STUDENT,
        teacher_correct={head: int((taught[head] == true).sum()) for head, true in labels.items()},
        students=(),
    )
    from_labels: dict[int, _Classes] = {}
    with tempfile.TemporaryDirectory(prefix="deploy-distilled-") as folder:
        weights = Path(folder) / "student.weights.h5"
        # Labels before what is compared with them.
        for seed, arm in itertools.product(SEEDS, ARMS):
            log(f"{arm.name}, seed {seed}")
            train(
                weights,
                options=zoo.options(zoo.find(NAME), STUDENT),
                epochs=EPOCHS,
                seed=seed,
                augmentation=mixture(arm.augmentation),
                distillation=Distillation(teacher) if arm.taught else None,
                log=log,
            )
            student = zoo.network(NAME, STUDENT, weights=weights)
            floats = _classified(student.model, pixels)
            kernels = ReferenceKernels(quantize_network(student).model)
            integers = _classes(outputs_of(kernels, {INPUT_NAME: pixels[:, np.newaxis]}))
            base = from_labels.setdefault(seed, floats)
            heads = {
                head: _outcome(true, floats[head], integers[head], taught[head], base[head])
                for head, true in labels.items()
            }
            done = StudentOutcome(arm=arm.name, augmentation=arm.augmentation, seed=seed, heads=heads)
            outcomes = outcomes.model_copy(update={"students": (*outcomes.students, done)})
            yield outcomes


_Classes = dict[str, NDArray[np.int64]]
"""Head name -> class of each image, [N]."""


def _classified(model: Any, images: NDArray[np.uint8]) -> _Classes:
    """Classes that the float network gives for uint8 [N, 56, 56, 1]."""
    return _classes(model.predict(images.astype(np.float32) / np.float32(255), batch_size=500, verbose=0))


def _classes(answers: Mapping[str, NDArray[Any]]) -> _Classes:
    """The largest logit's class; of raw ones, too: all logits of a head share scale and zero point."""
    return {head: values.reshape(len(values), -1).argmax(axis=1) for head, values in answers.items()}


def _outcome(
    true: NDArray[np.uint8],
    floats: NDArray[Any],
    integers: NDArray[Any],
    teacher: NDArray[Any],
    base: NDArray[Any],
) -> HeadOutcome:
    """Counts over the test images; all arguments are classes [N]."""
    return HeadOutcome(
        float_correct=int((floats == true).sum()),
        uint8_correct=int((integers == true).sum()),
        as_teacher=int((floats == teacher).sum()),
        gained=int(((floats == true) & (base != true)).sum()),
        lost=int(((floats != true) & (base == true)).sum()),
    )


def main() -> None:
    """Measure, then write ``results.json`` and the card beside this file, anew after every training."""
    project = zoo.find(NAME)
    for outcomes in measure(lambda line: print(line, flush=True)):
        cards.write(project, cards.read(project).model_copy(update={"distillation": outcomes}))


if __name__ == "__main__":
    main()
