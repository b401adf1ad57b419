"""What a search is told by a project, or by a function of the user: space, data and short training.

A project names a function for the role ``search`` in its ``project.toml``; a user names ``FILE.py:function``.
Either returns a :class:`Problem`. The function's parameters are what ``--set`` sets; one called ``seed`` gets the
seed of the search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.roofline import Layer
from deploy.searching.space import Description, Space


@dataclass(frozen=True)
class Stage:
    """A part of the search in which some of a network is chosen and the rest is as earlier stages chose it.

    Attributes:
        name: what is chosen, one word.
        space: to choose from; or what gives it for the best network of the earlier stages.
    """

    name: str
    space: Space | Callable[[Description], Space]

    def after(self, best: Description | None) -> Space:
        """The space, for the network that earlier stages chose; None in the first stage.

        Raises:
            BadInputError: the first stage depends on an earlier one.
        """
        if isinstance(self.space, Space):
            return self.space
        if best is None:
            raise BadInputError(f"stage {self.name} is the first: its space cannot depend on an earlier one")
        return self.space(best)


def _as_it_is(network: Description) -> dict[str, str]:
    return {name: str(value) for name, value in network.items()}


@dataclass(frozen=True)
class Problem:
    """What is searched.

    Attributes:
        stages: one after the other; each gets an equal share of the trials or minutes.
        build: makes the network of a description, a ``keras.Model`` with random weights.
        train: trains such a model shortly and gives its accuracy, 0 to 1, on data that it was not trained with.
            Whatever is random in it has a fixed seed: the same model must give the same accuracy.
        training: how, for documents: ``2 epochs of training with 4,000 images; measured on 5,000 others``.
        calibration: a few inputs of the float network [N, ...] that choose quantization ranges; by input name
            where there are several.
        layers: the layers of a network for ``--oracle roofline``; None for those of the quantized network.
        columns: what tables show of a network, heading -> text; a stage's own column has its name.
        legend: what the columns mean, one sentence; empty where they say it themselves.

    Raises:
        BadInputError: there is no stage, or two have one name.
    """

    stages: Sequence[Stage]
    build: Callable[[Description], Any]
    train: Callable[[Any], float]
    training: str
    calibration: Mapping[str, NDArray[Any]] | NDArray[Any]
    layers: Callable[[Description], tuple[Layer, ...]] | None = None
    columns: Callable[[Description], Mapping[str, str]] = _as_it_is
    legend: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be searched."""
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) != len(names):
            raise BadInputError(f"a search needs one stage or several of different names, not {names}")

    @property
    def samples(self) -> dict[str, NDArray[Any]]:
        """The calibration data by input name, of a single input perhaps without one."""
        data = self.calibration if isinstance(self.calibration, Mapping) else {"": self.calibration}
        return {name: np.asarray(values) for name, values in data.items()}
