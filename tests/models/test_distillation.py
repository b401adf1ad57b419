"""Distillation: losses by hand, mixtures of augmentation sets, teachers refused, and what a teacher teaches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInputError
from deploy.models.datasets import fashion_mnist
from deploy.models.distillation.augmentation import (
    CROP_GAIN,
    MAX_SHIFT,
    SETS,
    Augmentation,
    ImageBatch,
    Mixture,
    crop,
    mixture,
    mixup,
    shift,
)
from deploy.models.distillation.losses import cross_entropy, distillation_loss, soft_cross_entropy
from deploy.models.distillation.teacher import Distillation, Teacher
from deploy.models.distillation.training import Examples, Recipe, fit

pytestmark = pytest.mark.early

TEACHER_LOGITS = np.asarray([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], np.float32)
STUDENT_LOGITS = np.asarray([[1.0, 1.0, 0.0], [-2.0, 0.0, 1.0]], np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


# Losses


@pytest.mark.tensorflow
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_soft_cross_entropy_is_that_of_the_softmaxes_at_the_temperature(temperature: float) -> None:
    wanted, got = softmax(TEACHER_LOGITS / temperature), softmax(STUDENT_LOGITS / temperature)
    by_hand = temperature**2 * -(wanted * np.log(got)).sum(axis=-1)
    assert np.allclose(soft_cross_entropy(TEACHER_LOGITS, STUDENT_LOGITS, temperature), by_hand, rtol=1e-5)


@pytest.mark.tensorflow
def test_the_loss_by_hand_for_two_classes() -> None:
    # softmax([ln 3, 0]) = [3/4, 1/4]; softmax([0, 0]) = [1/2, 1/2]: the soft loss is ln 2, as that of any label.
    teacher, student = np.log([[3.0, 1.0]]).astype(np.float32), np.zeros((1, 2), np.float32)
    assert float(soft_cross_entropy(teacher, student)[0]) == pytest.approx(np.log(2))
    # The roles changed: -(1/2 ln 3/4 + 1/2 ln 1/4).
    assert float(soft_cross_entropy(student, teacher)[0]) == pytest.approx(-np.log(3 / 16) / 2)
    labels = np.asarray([[0.0, 1.0]], np.float32)
    loss = distillation_loss(labels, student, teacher, temperature=1.0, soft=0.25)
    assert float(loss[0]) == pytest.approx(0.25 * -np.log(3 / 16) / 2 + 0.75 * np.log(4))


@pytest.mark.tensorflow
def test_the_share_decides_between_teacher_and_labels() -> None:
    labels = np.asarray([[0, 1, 0], [0.3, 0, 0.7]], np.float32)
    only_teacher = distillation_loss(labels, TEACHER_LOGITS, STUDENT_LOGITS, temperature=3.0, soft=1.0)
    only_labels = distillation_loss(labels, TEACHER_LOGITS, STUDENT_LOGITS, temperature=3.0, soft=0.0)
    assert np.allclose(only_teacher, soft_cross_entropy(TEACHER_LOGITS, STUDENT_LOGITS, 3.0))
    assert np.allclose(only_labels, cross_entropy(labels, STUDENT_LOGITS))
    assert np.allclose(only_labels, -(labels * np.log(softmax(STUDENT_LOGITS))).sum(axis=-1), rtol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_gradient_is_the_temperature_times_the_difference_of_the_softmaxes(temperature: float) -> None:
    import tensorflow as tf

    teacher, student = tf.Variable(TEACHER_LOGITS), tf.Variable(STUDENT_LOGITS)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(soft_cross_entropy(teacher, student, temperature))
    to_student, to_teacher = tape.gradient(loss, [student, teacher])
    by_hand = temperature * (softmax(STUDENT_LOGITS / temperature) - softmax(TEACHER_LOGITS / temperature))
    assert np.allclose(to_student, by_hand, atol=1e-6)
    assert to_teacher is None


@pytest.mark.tensorflow
def test_the_loss_is_smallest_where_the_student_agrees_with_the_teacher() -> None:
    agreed = np.asarray(soft_cross_entropy(TEACHER_LOGITS, TEACHER_LOGITS + 7, 2.0))  # a softmax ignores the 7
    assert (agreed < np.asarray(soft_cross_entropy(TEACHER_LOGITS, STUDENT_LOGITS, 2.0))).all()


# Augmentation


def batch(count: int, shape: tuple[int, ...] = (28, 28), seed: int = 0) -> ImageBatch:
    random = np.random.default_rng(seed)
    labels = np.eye(4, dtype=np.float32)[random.integers(0, 4, count)]
    return ImageBatch(random.integers(0, 256, (count, *shape), np.uint8), {"a": labels})


def test_shift_only_mirrors_and_shifts() -> None:
    images = np.zeros((400, 28, 28), np.uint8)
    images[:, 10, 8] = 200  # one pixel: its place afterwards tells what was done
    changed = shift(ImageBatch(images, {}), np.random.default_rng(0)).images
    assert changed.dtype == np.uint8 and (changed.sum(axis=(1, 2)) == 200).all()
    rows, columns = np.nonzero(changed)[1:]
    assert set(rows) == set(range(10 - MAX_SHIFT, 10 + MAX_SHIFT + 1))
    as_it_was = set(range(8 - MAX_SHIFT, 8 + MAX_SHIFT + 1))
    mirrored = set(range(19 - MAX_SHIFT, 19 + MAX_SHIFT + 1))
    assert set(columns) == as_it_was | mirrored
    assert 120 < sum(column in mirrored for column in columns) < 280


def test_a_crop_shows_a_part_of_the_image_larger() -> None:
    ramp = np.tile(np.linspace(0, 200, 28).astype(np.uint8), (300, 28, 1))
    shown = crop(ImageBatch(ramp, {}), np.random.default_rng(0)).images.astype(int)
    assert (shown == shown[:, :1]).all(), "rows of a horizontal ramp stay equal"
    assert (np.diff(shown[:, 0], axis=1) >= 0).all(axis=1).mean() == pytest.approx(0.5, abs=0.1), "mirrored or not"
    span = shown[:, 0].max(axis=1) - shown[:, 0].min(axis=1)
    assert span.max() <= 200 * (1 + CROP_GAIN) + 1
    assert 100 < np.median(span) < 190, "less than the whole width, more than half of it"


def test_a_uniform_image_becomes_brighter_or_darker_within_the_gain() -> None:
    shown = crop(ImageBatch(np.full((200, 16, 20), 100, np.uint8), {}), np.random.default_rng(1)).images
    levels = shown[:, 0, 0]
    assert (shown == levels[:, None, None]).all()
    assert levels.min() < 90 and levels.max() > 110
    assert levels.min() >= 100 * (1 - CROP_GAIN) and levels.max() <= 100 * (1 + CROP_GAIN)


def test_mixup_blends_labels_as_it_blends_images() -> None:
    # Black images of class 0, white ones of class 1: brightness tells the share of class 1, up to the crop's gain.
    labels = np.eye(2, dtype=np.float32)[np.arange(400) % 2]
    images = np.where(labels[:, 1, None, None] > 0, 200, 0).astype(np.uint8) * np.ones((1, 8, 8), np.uint8)
    mixed = mixup(ImageBatch(images, {"a": labels}), np.random.default_rng(2))
    share = mixed.labels["a"][:, 1]
    assert np.allclose(mixed.labels["a"].sum(axis=1), 1)
    assert 0.2 < ((share > 0.05) & (share < 0.95)).mean() < 0.6, "half of the partners are of the other class"
    assert (np.abs(mixed.images.mean(axis=(1, 2)) - 200 * share) <= 200 * CROP_GAIN * share + 1).all()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("shape", [(28, 28), (12, 20, 3)])
def test_a_set_is_a_pure_function_of_batch_and_seed(name: str, shape: tuple[int, ...]) -> None:
    given, before = batch(50, shape), batch(50, shape)
    first, second, other = (SETS[name](given, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(given.images, before.images) and np.array_equal(given.labels["a"], before.labels["a"])
    assert first.images.shape == given.images.shape and first.images.dtype == np.uint8
    assert np.array_equal(first.images, second.images) and np.array_equal(first.labels["a"], second.labels["a"])
    assert not np.array_equal(first.images, other.images)


def painted(level: int) -> Augmentation:
    return lambda given, random: ImageBatch(np.full_like(given.images, level), given.labels)


def test_a_mixture_draws_its_sets_in_the_proportions_given() -> None:
    sets = {"one": painted(1), "two": painted(2), "three": painted(3)}
    mixed = Mixture({"one": 1, "two": 2, "three": 5}, sets)
    levels = mixed(batch(20_000, (1, 1)), np.random.default_rng(3)).images[:, 0, 0]
    counts = np.bincount(levels, minlength=4)
    assert counts[0] == 0, "every image comes from a set"
    for count, share in zip(counts[1:], (1 / 8, 2 / 8, 5 / 8), strict=True):
        assert abs(count - 20_000 * share) < 5 * np.sqrt(20_000 * share * (1 - share))


def test_images_of_a_mixture_keep_their_places_and_labels() -> None:
    def unchanged(given: ImageBatch, random: np.random.Generator) -> ImageBatch:
        return given

    given = batch(200)
    mixed = Mixture({"a": 1, "b": 1}, {"a": unchanged, "b": unchanged})(given, np.random.default_rng(0))
    assert np.array_equal(mixed.images, given.images) and np.array_equal(mixed.labels["a"], given.labels["a"])


def test_one_set_alone_is_applied_as_it_is() -> None:
    alone = Mixture({"shift": 3})(batch(30), np.random.default_rng(4))
    assert np.array_equal(alone.images, shift(batch(30), np.random.default_rng(4)).images)


def test_a_mixture_is_read_as_it_is_shown() -> None:
    read = mixture(" crop:1, mixup:2.5 ,shift")
    assert dict(read.shares) == {"crop": 1, "mixup": 2.5, "shift": 1}
    assert dict(mixture(str(read)).shares) == dict(read.shares)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mixpu:1", "there is no augmentation set 'mixpu'; did you mean 'mixup'?"),
        ("crop:much", "'much' is not a number"),
        ("crop:0", "augmentation set crop: its share is 0, must be a number above 0"),
        ("crop:nan", "its share is nan"),
        ("crop:inf", "its share is inf"),
        ("crop,crop:2", "crop stands twice"),
        ("", "there is no augmentation set ''"),
    ],
)
def test_a_mixture_that_cannot_be_drawn_from_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        mixture(text)


# Teachers


def small(
    heads: dict[str, int] | None = None,
    *,
    size: int = 28,
    width: int = 8,
    softmax: bool = False,
    named: bool = True,
) -> Any:
    """A classifier of one convolution."""
    import keras

    image = keras.Input((size, size, 1), name="image")
    features = keras.layers.Conv2D(width, 5, 3, activation="relu")(image)
    features = keras.layers.Flatten()(keras.layers.AveragePooling2D(2)(features))
    activation = "softmax" if softmax else None
    outputs = {
        head: keras.layers.Dense(classes, activation, name=head)(features)
        for head, classes in (heads or {"garment": 10}).items()
    }
    return keras.Model(image, outputs if named else list(outputs.values()))


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("teacher", "message", "hint"),
    [
        (lambda: small(size=32), "its input is Nx32x32x1, the student's Nx28x28x1", "see the same images"),
        (lambda: small({"kind": 5}), "it has no output 'garment'", "its outputs: kind (5 classes)"),
        (lambda: small({"garment": 9}), "its output 'garment' is Nx9, the student's Nx10", "the same classes"),
        (lambda: small(softmax=True), "its output 'garment' is a softmax", "leave the softmax away"),
    ],
    ids=["input", "head", "classes", "softmax"],
)
def test_a_teacher_that_does_not_fit_is_refused_by_name(
    teacher: Callable[[], Any], message: str, hint: str
) -> None:
    with pytest.raises(BadInputError, match=re.escape(f"teacher wise: {message}")) as raised:
        Teacher(teacher(), "wise").check(small())
    assert hint in " ".join(raised.value.hints)


@pytest.mark.tensorflow
def test_a_teacher_that_diverged_in_its_training_is_refused() -> None:
    broken = small()
    broken.layers[-1].bias.assign(np.full(10, np.nan, np.float32))
    with pytest.raises(BadInputError, match="its output 'garment' is not finite"):
        Teacher(broken, "wise").check(small())


@pytest.mark.tensorflow
@pytest.mark.parametrize("named", [True, False])
def test_a_teacher_may_have_more_heads_and_name_them_either_way(named: bool) -> None:
    teacher = Teacher(small({"garment": 10, "kind": 5}, named=named), "wise")
    teacher.check(small())
    assert {
        head: values.shape for head, values in teacher.logits(np.zeros((3, 28, 28, 1), np.float32)).items()
    } == {
        "garment": (3, 10),
        "kind": (3, 5),
    }


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0, must be above 0 and at most 100"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"soft": 1.5}, "the teacher's share of the loss is 1.5"),
        ({"soft": 0.0}, "the teacher's share of the loss is 0"),
    ],
)
def test_terms_that_teach_nothing_are_refused(terms: dict[str, float], message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        Distillation(Teacher(small(), "wise"), **terms)


# Training


@pytest.fixture(scope="module")
def garments() -> Examples:
    """3,000 training images of Fashion-MNIST."""
    if not fashion_mnist.FOLDER.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    split = fashion_mnist.load_training()
    return Examples(
        split.images[:3000], {"garment": split.garments[:3000]}, lambda images: images[..., np.newaxis]
    )


def trained(examples: Examples, recipe: Recipe, *, width: int = 8, lines: list[str] | None = None) -> Any:
    import keras

    keras.utils.set_random_seed(recipe.seed)
    model = small(width=width)
    fit(model, examples, recipe, log=(lines if lines is not None else []).append)
    return model


def divergence(teacher: Any, student: Any, images: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence of the student's softmax from the teacher's."""
    wanted, got = (softmax(np.asarray(model(images, training=False)["garment"])) for model in (teacher, student))
    return float((wanted * (np.log(wanted) - np.log(got))).sum(axis=1).mean())


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_student_with_a_teacher_comes_closer_to_it_than_one_without(garments: Examples) -> None:
    # A teacher that disagrees with the labels: what the student takes from it cannot come from them.
    wrong = Examples(garments.images, {"garment": (garments.labels["garment"] + 1) % 10}, garments.network_input)
    teacher = trained(wrong, Recipe(epochs=4, learning_rate=1e-2), width=24)
    lines: list[str] = []
    recipe = Recipe(epochs=2, learning_rate=1e-2, augmentation=mixture("shift:2,crop,mixup"))
    taught = Recipe(
        epochs=2,
        learning_rate=1e-2,
        augmentation=recipe.augmentation,
        distillation=Distillation(Teacher(teacher, "wise"), temperature=2.0, soft=0.9),
    )
    without, with_teacher = trained(garments, recipe), trained(garments, taught, lines=lines)
    images = garments.floats(fashion_mnist.load_test().images[:1000])
    assert divergence(teacher, with_teacher, images) < 0.5 * divergence(teacher, without, images)
    assert re.fullmatch(r"teacher wise: accuracy on 1,000 training images garment 0\.[01]\d+", lines[0])
    assert [line.split(":")[0] for line in lines[1:]] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.tensorflow
def test_fewer_images_than_a_step_takes_are_refused() -> None:
    few = Examples(np.zeros((127, 28, 28), np.uint8), {"garment": np.zeros(127, np.uint8)}, lambda images: images)
    with pytest.raises(BadInputError, match="127 training images, but a step of the training takes 128"):
        fit(small(), few, Recipe())


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_seed_decides_what_a_student_learns(garments: Examples) -> None:
    few = Examples(garments.images[:256], {"garment": garments.labels["garment"][:256]}, garments.network_input)
    teacher = Distillation(Teacher(small(width=16), "untrained"))

    def losses(seed: int) -> str:
        lines: list[str] = []
        trained(
            few, Recipe(epochs=1, seed=seed, augmentation=mixture("crop,mixup"), distillation=teacher), lines=lines
        )
        return lines[-1]

    assert losses(1) == losses(1) != losses(2)


@pytest.mark.tensorflow
def test_the_teacher_sees_the_augmented_image_that_the_student_sees(garments: Examples) -> None:
    import keras

    seen: list[np.ndarray] = []

    class Watching(Teacher):
        def logits(self, images: np.ndarray) -> dict[str, np.ndarray]:
            seen.append(images)
            return super().logits(images)

    class Recorder(keras.layers.Layer):  # type: ignore[misc]
        """Keeps what the student is given, in the order of the steps."""

        def __init__(self) -> None:
            super().__init__()
            self.given: list[np.ndarray] = []

        def call(self, images: Any) -> Any:
            import tensorflow as tf

            def keep(values: Any) -> Any:
                self.given.append(np.asarray(values))
                return values

            kept = tf.py_function(keep, [images], tf.float32)
            return tf.ensure_shape(kept, images.shape)

    recorder = Recorder()
    image = keras.Input((28, 28, 1), name="image")
    logits = keras.layers.Dense(10, name="garment")(keras.layers.Flatten()(recorder(image)))
    student = keras.Model(image, {"garment": logits})
    few = Examples(garments.images[:256], {"garment": garments.labels["garment"][:256]}, garments.network_input)
    teacher = Watching(small(), "watching")
    fit(student, few, Recipe(epochs=1, distillation=Distillation(teacher)), log=lambda line: None)
    given = [values for values in recorder.given if len(values) == 128]
    taught = seen[-2:]
    assert len(given) == 2
    for student_saw, teacher_saw in zip(given, taught, strict=True):
        assert np.array_equal(student_saw, teacher_saw)
    assert not np.array_equal(np.sort(taught[0], axis=0), np.sort(few.floats(few.images[:128]), axis=0))
