"""How good a network is: the project's short training, the same every time.

One thread and a fixed seed: the same network gives the same accuracy, to the last digit, on the same computer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from deploy.build_folder import Figure
from deploy.chatter import silenced
from deploy.errors import BadInputError
from deploy.quantizing.float_model import import_keras
from deploy.searching.documents import ACCURACY
from deploy.searching.problem import Problem
from deploy.searching.search import Trained
from deploy.searching.space import Description
from deploy.zoo.networks import keras_file


def proxy(problem: Problem, seed: int) -> Callable[[Description], Trained]:
    """What trains networks, all in the same way; the seed is of weights, and of what else asks Keras for chance.

    Returns:
        Builds and trains a network; raises a BadInputError where what the training gives is no accuracy.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    use_one_thread()

    def train(network: Description) -> Trained:
        with silenced():
            model = built(problem, network, seed)
            value = float(problem.train(model))
            content = keras_file(model)
        if not 0 <= value <= 1:
            raise BadInputError(f"the short training gave an accuracy of {value}, must be 0 to 1")
        accuracy = Figure(name=ACCURACY, value=value, unit="1", label="measured", source=problem.training)
        return Trained(accuracy, int(model.count_params()), content)

    return train


def built(problem: Problem, network: Description, seed: int) -> Any:
    """The ``keras.Model`` of a description, its random weights decided by the seed.

    Raises:
        BadInputError: the problem builds something else.
    """
    keras = import_keras()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = problem.build(network)
    if not isinstance(model, keras.Model):
        kind = f"{type(model).__module__}.{type(model).__name__}"
        raise BadInputError(f"building the network {network} gave a {kind}, expected a Keras model")
    return model


def use_one_thread() -> None:
    """Let TensorFlow add up in the same order every time.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    with silenced():
        import_keras()
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # a program that used TensorFlow before has decided that
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
