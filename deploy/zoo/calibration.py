"""Calibration data for a network by name: the project's own where it has some, else random images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deploy.errors import NotInstalledError
from deploy.quantizing import dataset
from deploy.quantizing.dataset import Dataset, InputSpec
from deploy.zoo.networks import Network
from deploy.zoo.project import function


def calibration(network: Network, specs: Sequence[InputSpec], samples: int | None = None) -> Dataset:
    """Calibration data for a network.

    Args:
        network: built.
        specs: its inputs.
        samples: how many to use at most; None for the default of real data, or of random images.

    Raises:
        BadInputError: the project's data does not fit its network.
        NotInstalledError: the network is trained and the project's data set is missing.
    """
    count = samples or (dataset.DEFAULT_SAMPLES if network.trained else dataset.RANDOM_SAMPLES)
    found = _own(network, count)
    if found is None:
        return dataset.random_images(specs, count)
    arrays = found if isinstance(found, Mapping) else {specs[0].name: np.asarray(found)}
    source = f"{network.project.name}'s own data"
    return dataset.of_arrays(source, arrays, specs, count)


def _own(network: Network, count: int) -> Any:
    """The project's own data; None where it has none."""
    if "calibration" not in network.project.functions:
        return None
    try:
        return function(network.project, "calibration")(network.options, count=count)
    except NotInstalledError as error:
        if not network.trained:
            return None  # random weights have no accuracy to lose
        raise NotInstalledError(
            error.message, hints=[*error.hints, "or --calibration random: for time and memory, not for accuracy"]
        ) from error
