"""``deploy fvp``: the simulators themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="fvp", help="Simulators: the open Corstone-300 under Arm's names.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Keep the verbs' names although there is one only."""


@app.command("link")
def link(
    folder: Annotated[Path, typer.Argument(help="Folder that will look like an installed FVP.", metavar="DIR")],
) -> None:
    """Create DIR/models/Linux64_GCC-9.3/FVP_Corstone_SSE-300_Ethos-U55 and -U65.

    They start the open Corstone-300, for tools that ask for Arm's names.
    """
    from deploy.corstone.links import create_links

    for path in create_links(folder):
        print(path)
