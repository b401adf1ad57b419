"""The losses of distillation: soft cross-entropy against a teacher's logits, alone or blended with the labels'.

Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network (arXiv:1503.02531). Everything is computed in
TensorFlow from float32 [N, classes].
"""

from __future__ import annotations

from typing import Any


def soft_cross_entropy(teacher: Any, student: Any, temperature: float = 1.0) -> Any:
    """Cross-entropy between the softmax of a teacher's logits and that of a student's.

    Both are divided by the temperature first: a higher one shows more of how the teacher ranks the wrong classes.
    The gradients shrink with its square, so the loss is multiplied by that.

    Args:
        teacher: logits, float32 [N, classes]; no gradient flows into them.
        student: logits, float32 [N, classes].
        temperature: above 0; at 1 the softmax is as usual.

    Returns:
        float32 [N]; at its smallest where both distributions agree.
    """
    import tensorflow as tf

    wanted = tf.nn.softmax(tf.stop_gradient(teacher) / temperature)
    return temperature**2 * cross_entropy(wanted, student / temperature)


def cross_entropy(labels: Any, student: Any) -> Any:
    """Cross-entropy against labels that are distributions: one-hot, or blended by mixup.

    Args:
        labels: float32 [N, classes], each row adds up to 1.
        student: logits, float32 [N, classes].

    Returns:
        float32 [N].
    """
    import tensorflow as tf

    return -tf.reduce_sum(labels * tf.nn.log_softmax(student), axis=-1)


def distillation_loss(labels: Any, teacher: Any, student: Any, *, temperature: float, soft: float) -> Any:
    """``soft`` parts of the teacher's soft cross-entropy, the rest of the labels' cross-entropy.

    Args:
        labels: float32 [N, classes], each row adds up to 1.
        teacher: logits, float32 [N, classes].
        student: logits, float32 [N, classes].
        temperature: of :func:`soft_cross_entropy`; the labels' part has none.
        soft: 0 to 1; at 1 the labels are not looked at.

    Returns:
        float32 [N].
    """
    taught = soft_cross_entropy(teacher, student, temperature)
    return soft * taught + (1 - soft) * cross_entropy(labels, student)
