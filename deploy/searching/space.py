"""What one stage of a search chooses from.

A genome is one number a gene: the index of what was chosen. A description says in JSON what network a genome
stands for, and all that its building depends on. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.errors import BadInputError

Genome = tuple[int, ...]

Description = dict[str, Any]
"""A JSON object."""


@dataclass(frozen=True)
class Space:
    """What one stage of the search chooses from.

    Attributes:
        options: how many there are, gene by gene.
        ordered: whether neighbouring options are alike (channels), so that a mutation is one step; the first
            options of all genes are then the cheapest network.
        network: describes what a genome stands for.
        known: the genome of the network that earlier stages chose; None where this space does not have it.

    Raises:
        BadInputError: there is nothing to choose from.
    """

    options: tuple[int, ...]
    ordered: bool
    network: Callable[[Genome], Mapping[str, Any]]
    known: Genome | None = None

    def __post_init__(self) -> None:
        """Refuse a space without networks."""
        if not self.options or min(self.options) < 1:
            raise BadInputError(f"a search space with {list(self.options)} options has no networks")

    @property
    def size(self) -> int:
        """How many networks there are."""
        return math.prod(self.options)

    def check(self, genome: Genome) -> None:
        """Check that a genome is one of this space.

        Raises:
            BadInputError: it is not.
        """
        inside = len(genome) == len(self.options) and all(
            0 <= gene < options for gene, options in zip(genome, self.options, strict=True)
        )
        if not inside:
            raise BadInputError(f"the genome {list(genome)} is none of this search")

    def describe(self, genome: Genome) -> Description:
        """What a genome stands for, as it is when it was written and read again.

        Raises:
            BadInputError: the description is no JSON object.
        """
        try:
            found: Description = json.loads(json.dumps(dict(self.network(genome)), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise BadInputError(f"the network of the genome {list(genome)} is no JSON object: {error}") from error
        return found


def choices(options: Mapping[str, Sequence[Any]], *, ordered: bool = True) -> Space:
    """Options of a network, each with the values to choose from; a network is described by its options.

    Args:
        options: name -> values; one value where there is nothing to choose, but the network depends on it.
        ordered: whether the values go from cheap to expensive.

    Raises:
        BadInputError: no options, or one without a value.
    """
    values = {name: tuple(several) for name, several in options.items()}

    def network(genome: Genome) -> Description:
        return {name: several[gene] for (name, several), gene in zip(values.items(), genome, strict=True)}

    return Space(tuple(map(len, values.values())), ordered, network)
