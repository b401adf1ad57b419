"""Real data for calibration: samples of it, or random images where accuracy does not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deploy.data.image_range import ImageRange
from deploy.data.loading import Given, open_data, source_of
from deploy.data.specs import InputSpec
from deploy.data.stream import Dataset, Request, held
from deploy.errors import BadInputError

DEFAULT_SAMPLES = 200
"""Samples used when none are asked for: enough for stable ranges, a few seconds on small networks."""

RANDOM = "random"
"""Names random images where data is asked for."""

RANDOM_IMAGES = "random images in [0, 1]"
"""What documents call them."""

RANDOM_SAMPLES = 8
"""Random images to calibrate with: they only have to give every tensor some range."""


def is_random(given: Given) -> bool:
    """Whether random images are asked for."""
    return isinstance(given, str) and given == RANDOM and not Path(RANDOM).exists()


def load(
    given: Given,
    specs: Sequence[InputSpec],
    samples: int | None = None,
    *,
    image_range: ImageRange | None = None,
    source: str | None = None,
) -> Dataset:
    """Read data for a float model's inputs.

    From files and folders, ``samples`` are picked spread evenly, because data is often sorted by class; from an
    iterable the first ones are taken. Labels that the data has are left alone.

    Args:
        given: by the user, in any form of data, or ``random``.
        specs: the model's inputs.
        samples: how many to use at most; None for ``DEFAULT_SAMPLES``.
        image_range: what pixels of images are scaled to; None for what the model shows.
        source: names arrays in memory, in errors and documents.

    Raises:
        BadInputError: missing, empty, unreadable, of a wrong shape or dtype, or holding NaN or infinity.
    """
    limit = DEFAULT_SAMPLES if samples is None else samples
    if limit < 1:
        raise BadInputError(f"--samples {limit}: at least one sample is needed")
    if is_random(given):
        return random_images(specs, min(limit, RANDOM_SAMPLES))
    request = Request(
        source or source_of(given), tuple(specs), count=limit, at_most=True, spread=True, image_range=image_range
    )
    return held(open_data(given, request))


def of_arrays(source: str, arrays: Mapping[str, Any], specs: Sequence[InputSpec], samples: int) -> Dataset:
    """Check arrays as data for a model's inputs.

    Args:
        source: where they come from, for messages and documents.
        arrays: by input name, ``[samples, *shape without the batch]``; one array may have any name.
        specs: the model's inputs.
        samples: how many to use at most.

    Raises:
        BadInputError: as :func:`load`.
    """
    return load(arrays, specs, samples, source=source)


def random_images(specs: Sequence[InputSpec], samples: int) -> Dataset:
    """Uniform noise in [0, 1], for time and memory where accuracy does not matter. The same every time.

    Both ends of the range occur, so that a quantized uint8 input gets scale 1/255 and zero point 0.

    Raises:
        BadInputError: an input is not float.
    """
    random = np.random.default_rng(0)
    arrays = {}
    for spec in specs:
        if not spec.dtype.startswith("float"):
            raise BadInputError(f"random data is for float inputs, the model has {spec}")
        values = random.random((samples, *spec.shape[1:]), np.float32).astype(spec.dtype)
        values.reshape(samples, -1)[:, 0], values.reshape(samples, -1)[:, -1] = 0, 1
        arrays[spec.name] = values
    return Dataset(RANDOM_IMAGES, arrays)
