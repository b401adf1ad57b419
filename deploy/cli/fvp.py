"""``deploy fvp``: the simulators themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.settings import options
from deploy.settings.declared import Writes

if TYPE_CHECKING:
    from deploy.build_folder import Document

INSTALL_EPILOG = """Examples:

    deploy fvp install FVP_Corstone_SSE-300_11.27_42_Linux64.tgz

    deploy fvp install FVP_Corstone_SSE-300.tgz --into tools/fvp --accept-arm-licence    in CI, licence read before
"""
_ANSWER = "I accept"

app = typer.Typer(
    name="fvp", help="Simulators: Arm's FVPs, and the open machine under Arm's names.", no_args_is_help=True
)


@app.callback()
def _root() -> None:
    """Keep the verbs' names although there are few."""


@app.command("link")
def link(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder that will look like an installed FVP.", metavar="DIR"),
        Writes("folder"),
    ],
    json: options.Json,
    release: Annotated[
        str | None,
        typer.Option(
            help="Release of Arm's FVPs that --version names, for scripts that know certain ones.",
            metavar="N.N.N",
        ),
    ] = None,
) -> None:
    """Create DIR/models/Linux64_GCC-9.3/FVP_Corstone_SSE-300_Ethos-U55 and all its like, VHT_... and -310, -320.

    They start the open machine, for tools that ask for Arm's names.
    """
    from deploy.cli.call_documents import current
    from deploy.corstone.links import create_links

    paths = create_links(folder, release=release)

    def found() -> Document:
        from deploy.cli.answer_documents import FvpLinkDocument

        return FvpLinkDocument(folder=str(folder), executables=tuple(map(str, paths)))

    current().answer(found, written=[folder])
    for path in paths:
        print(path)


@app.command("install", epilog=INSTALL_EPILOG)
def install(
    archive: Annotated[Path, typer.Argument(help="Arm's .tgz, or the .sh in it.", metavar="ARCHIVE")],
    json: options.Json,
    into: Annotated[
        Path | None,
        typer.Option(help="New folder to install into; default: ~/FVP_Corstone_SSE-..., found later."),
        Writes("folder"),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept-arm-licence", help="Say that you read and accept Arm's licence for the FVP.")
    ] = False,
) -> int:
    """Install Arm's FVP from an archive that you downloaded from developer.arm.com.

    Arm's licence comes with the download; nothing is installed before you accepted it, here or by the option.
    """
    from deploy.cli.call_documents import current
    from deploy.cli.progress import progress
    from deploy.errors import ExitStatus
    from deploy.simulators import fvp_install

    installer = fvp_install.check_archive(archive)
    folder = into or fvp_install.default_folder(installer)
    if not accept and sys.stdin.isatty():
        print(f"{installer} installs Arm's FVP into {folder} under Arm's end user licence agreement.")
        print(f"Read it first: it comes with the download, and: {fvp_install.LICENCE_PLACE}")
        accept = typer.prompt(f'Type "{_ANSWER}" if you accept it', default="", show_default=False) == _ANSWER
    with progress("installing"):
        found = fvp_install.install(archive, folder, accepted=accept)
    starts = any(each.starts for each in found)
    following = f"deploy run-fvp BUILD{f' --fvp {folder}' if into else ''}" if starts else None

    def document() -> Document:
        from deploy.cli.answer_documents import FvpInstallDocument, InstalledFvp

        fvps = (
            InstalledFvp(
                board=each.fvp.board.name,
                npu_family=each.fvp.npu_family,
                executable=str(each.executable),
                starts=each.starts,
                version=each.version,
            )
            for each in found
        )
        return FvpInstallDocument(folder=str(folder), fvps=tuple(fvps), next=following)

    current().answer(document, written=[folder])
    for each in found:
        print(f"{each.fvp.board.name} with Ethos-{each.fvp.npu_family}: {each.executable}")
        print(f"  {each.version if each.starts else 'does not start here: ' + each.version}")
    if following is None:
        return ExitStatus.NOT_INSTALLED
    print(f"next: {following}")
    return ExitStatus.PASS
