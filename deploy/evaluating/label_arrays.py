"""Which arrays hold labels, and whether labels and inputs belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.evaluating.heads import Head
from deploy.evaluating.labelled_data import Request

LABELS, CLASSES = "labels", "classes"
"""Names of arrays with class numbers, and with class names."""


def array_names(kind: str, head: Head, request: Request) -> tuple[str, ...]:
    """Names under which labels or class names of a head may stand, the most telling first.

    Args:
        kind: ``LABELS`` or ``CLASSES``.
        head: they are for.
        request: says whether a name without the head's is clear.
    """
    alone = request.output == head.name or (request.output is None and len(request.heads) == 1)
    return (f"{kind}_{head.name}", kind) if alone else (f"{kind}_{head.name}",)


def no_labels(request: Request, arrays: Sequence[str]) -> BadInputError:
    """The error for data without labels; ``arrays`` are what it holds."""
    wanted, hints = [LABELS], ["--labels labels.json"]
    if len(request.heads) > 1 and request.output is None:
        wanted = [f"{LABELS}_{name}" for name in request.heads]
        if LABELS in arrays:
            hints = [f"--head {next(iter(request.heads))}, if that is what {LABELS} are for"]
    return BadInputError(
        f"{request.source}: no labels in it (it holds {', '.join(arrays) or 'nothing'})",
        hints=[f"an array {' or '.join(wanted)} of class numbers", *hints],
    )


def common_count(request: Request, inputs: Mapping[str, int], labels: Mapping[str, NDArray[np.int64]]) -> int:
    """How many inputs are to be used.

    Args:
        request: may ask for a number of them.
        inputs: name of an array -> how many samples it has.
        labels: output name -> true classes.

    Raises:
        BadInputError: there are none, fewer than asked for, or not as many labels as inputs.
    """
    given = {f"labels of {name}": len(values) for name, values in labels.items()}
    if request.at_most:
        given = {name: min(count, *inputs.values()) for name, count in given.items()}
    counts = {**inputs, **given}
    if len(set(counts.values())) != 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise BadInputError(f"{request.source}: inputs and labels do not belong together: {told}")
    total = next(iter(counts.values()))
    if total == 0:
        raise BadInputError(f"{request.source}: no inputs in it")
    if request.count is not None and request.count > total and not request.at_most:
        raise BadInputError(
            f"--count {request.count}: {request.source} holds {total} inputs", hints=[f"--count {total}"]
        )
    return min(request.count or total, total)


def part_of(labels: Mapping[str, NDArray[np.int64]], first: int, count: int) -> dict[str, NDArray[np.int64]]:
    """The labels of ``count`` inputs."""
    return {name: values[first : first + count] for name, values in labels.items()}
