"""``deploy init``: write a commented deploy.toml, and say what was found, what was set and what is next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.settings import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.cli.answer_documents import InitDocument


def init(
    json: options.Json,
    model: Annotated[
        str | None, typer.Argument(help="What to keep as the model; default: the only one in this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing deploy.toml.")] = False,
) -> None:
    """Write a commented deploy.toml into the working folder: every option, kept with the project.

    The model and files with the usual names (calibration.npz, test.npz, labels.json) are set. Of several models
    one is asked for on a terminal, and none is set elsewhere.
    """
    from deploy.cli.call_documents import current
    from deploy.cli.project_status import compile_words
    from deploy.errors import BadInputError
    from deploy.files import write_text
    from deploy.printable import printable
    from deploy.settings.example import template
    from deploy.settings.project_files import project_files
    from deploy.settings.project_settings import SETTINGS_FILE, find

    path = Path(SETTINGS_FILE)
    if path.exists() and not force:
        raise BadInputError(f"{path} exists already", hints=["`deploy init --force` replaces it"])
    files = project_files(Path())
    if model is not None:
        from deploy.zoo import model_source

        model_source.parse(model)
    if model is None and len(files.models) > 1 and sys.stdin.isatty() and sys.stdout.isatty():
        model = _asked(files.models)
    write_text(path, template(Path(), model))
    kept = files.kept(model)
    if "model" not in kept and files.models:
        following = f"deploy init --force {printable(files.models[0])}, or the model that you mean"
    else:
        following = printable(compile_words(find()))

    def document() -> InitDocument:
        from deploy.cli.answer_documents import InitDocument

        return InitDocument(file=str(path), kept=kept, models=files.models, lacking=files.lacking, next=following)

    current().answer(document, written=[path])
    print(f"wrote {path}")
    for key, value in kept.items():
        print(f"  {key} = {printable(value)}")
    if "model" not in kept:
        print("  model is not set: " + (f"{len(files.models)} are here" if files.models else "none is here"))
        for name in files.models:
            print(f"    {printable(name)}")
    lacking = ", ".join(f"{key} ({name})" for key, name in files.lacking.items())
    if lacking:
        print(f"  not here, so not set: {lacking}")
    print(f"next: {following}")


def _asked(models: Sequence[str]) -> str | None:
    """The model that the user chooses; None for none."""
    from deploy.printable import printable

    print("Several models are here:")
    for number, name in enumerate(models, start=1):
        print(f"  {number}  {printable(name)}")
    answer = typer.prompt(
        "Which one is this project's? Its number, or Enter for none", default="", show_default=False
    )
    if answer.isdecimal() and 1 <= int(answer[:9]) <= len(models):
        return models[int(answer[:9]) - 1]
    return answer if answer in models else None
