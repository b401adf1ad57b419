"""``deploy init``: write a commented deploy.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    force: Annotated[bool, typer.Option("--force", help="Replace an existing deploy.toml.")] = False,
) -> None:
    """Write a commented deploy.toml into the working folder: every option, kept with the project."""
    from deploy import settings
    from deploy.errors import BadInputError
    from deploy.files import write_text

    path = Path(settings.SETTINGS_FILE)
    if path.exists() and not force:
        raise BadInputError(f"{path} exists already", hints=["`deploy init --force` replaces it"])
    write_text(path, settings.template(Path()))
    print(f"wrote {path}")
