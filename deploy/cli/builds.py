"""The build folder that a verb works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.build_folder import BuildFolder


def open_build(build: Path | None, source: Path | None = None) -> BuildFolder:
    """Open the build folder that was named, or kept in the settings; else the one compiled last in this project.

    A file that Vela compiled stands for a build folder, too; it lasts as long as the command.

    Args:
        build: folder or file.
        source: the model that such a file was compiled from.

    Raises:
        BadInputError: there is none, or it is damaged.
    """
    import click

    from deploy.build_folder import BuildFolder
    from deploy.errors import BadInputError
    from deploy.settings.last_build import last_build
    from deploy.settings.project_settings import ProjectSettings

    context = click.get_current_context()
    if build is None:
        project = context.find_object(ProjectSettings) or ProjectSettings()
        build = last_build(project.folder)
    if build.suffix == ".tflite" and not build.is_dir():
        from deploy.files import private_folder
        from deploy.verifying.compiled_file import build_of

        return build_of(build, context.with_resource(private_folder("compiled")), source)
    if source is not None:
        raise BadInputError("--source goes with a file that Vela compiled: a build folder knows its model")
    return BuildFolder.open(build)
