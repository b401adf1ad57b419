"""What a finder of this package finds: a part of the network, and a cheaper way that only the user can choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deploy.advising.documents import Kind, Outputs
from deploy.rewriting.site import Site
from deploy.tflite.graph import Graph


@dataclass(frozen=True)
class Suggestion:
    """A part of a network that can be had cheaper.

    Those of one kind, title and action become one hint.

    Attributes:
        site: the part as it is. Its forms are the cheaper ways; where it has none, and no twin, the part can go
            altogether.
        twin: the cheaper way as a part of its own: operators beside the graph, on tensors in it.
        least_share: share of its cycles that must be saved for a hint.
        subject: the tensor that the hint names; None for the site's output.
    """

    kind: Kind
    title: str
    action: str
    outputs: Outputs
    site: Site
    twin: Site | None = None
    least_share: float = 0.0
    subject: int | None = None


Finder = Callable[[Graph], Iterator[Suggestion]]
