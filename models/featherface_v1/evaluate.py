"""Measures what the card shows; ``python -m deploy.models.featherface_v1.evaluate`` in a checkout writes it.

Nine networks for up to six NPUs and sixteen forms of building blocks: about ten minutes on two cores.
"""

from __future__ import annotations

from deploy import zoo
from deploy.models.featherface_v1 import forms
from deploy.models.featherface_v1.results import Results
from deploy.zoo import cards


def main() -> None:
    """Measure, then write ``results.json`` and the card beside this file."""
    project = zoo.find("featherface-v1")
    cards.write(project, Results(**dict(cards.measure(project, log=print)), forms=forms.measure()))


if __name__ == "__main__":
    main()
