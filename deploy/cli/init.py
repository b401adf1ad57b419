"""``deploy init``: write a commented deploy.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    force: Annotated[bool, typer.Option("--force", help="Replace an existing deploy.toml.")] = False,
) -> None:
    """Write a commented deploy.toml into the working folder: every option, kept with the project."""
    from deploy.errors import BadInputError
    from deploy.files import write_text
    from deploy.settings.example import template
    from deploy.settings.project_settings import SETTINGS_FILE

    path = Path(SETTINGS_FILE)
    if path.exists() and not force:
        raise BadInputError(f"{path} exists already", hints=["`deploy init --force` replaces it"])
    write_text(path, template(Path()))
    print(f"wrote {path}")
