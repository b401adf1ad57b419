"""Measures what the card shows; ``python -m deploy.models.featherface_v1.evaluate [TITLE ...]`` in a checkout.

Nine networks for up to eleven NPUs and sixteen forms of building blocks: about ten minutes on two cores. With
titles as in ``project.toml`` these networks only; the others and the forms stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from deploy import zoo
from deploy.errors import BadInputError
from deploy.models.featherface_v1 import forms
from deploy.models.featherface_v1.results import Results
from deploy.zoo import cards


def main(titles: Sequence[str]) -> None:
    """Measure, then write ``results.json`` and the card beside this file.

    Raises:
        BadInputError: no network has such a title, or the others were measured with other versions.
    """
    project = zoo.find("featherface-v1")
    known = [item.title for item in project.measured]
    for title in titles:
        if title not in known:
            raise BadInputError(f"no network is called {title!r}, there are: {'; '.join(known)}")
    if not titles:
        cards.write(project, Results(**dict(cards.measure(project, log=print)), forms=forms.measure()))
        return
    new = cards.measure(project, [item for item in project.measured if item.title in titles], log=print)
    old = cards.read(project)
    if new.versions != old.versions:
        raise BadInputError(f"the others were measured with {old.versions}, not {new.versions}: measure all")
    networks = {network.title: network for network in (*old.networks, *new.networks)}
    kept = tuple(networks[title] for title in known if title in networks)
    cards.write(project, old.model_copy(update={"networks": kept}))


if __name__ == "__main__":
    main(sys.argv[1:])
