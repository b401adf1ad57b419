"""What became of a limit that a build was held to."""

from __future__ import annotations

from deploy.build_folder import Document, Label


class LimitOutcome(Document):
    """A limit applied to one figure.

    Attributes:
        limit: as it was given.
        figure: its name, in full.
        value: the figure's value, in ``unit``.
        bound: what the value must not exceed, or not fall below, in ``unit``.
        unit: the figure's; ``1`` is a share of one.
        label: how the value was obtained.
        holds: whether it is kept.
        sentence: the same in words.
    """

    limit: str
    figure: str
    value: float
    bound: float
    unit: str
    label: Label
    holds: bool
    sentence: str
