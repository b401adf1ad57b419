"""The build folder that a verb works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.build_folder import BuildFolder


def open_build(build: Path | None) -> BuildFolder:
    """Open the build folder that was named, or kept in the settings; else the one compiled last in this project.

    Raises:
        BadInputError: there is none, or it is damaged.
    """
    import click

    from deploy.build_folder import BuildFolder
    from deploy.settings.last_build import last_build
    from deploy.settings.project_settings import ProjectSettings

    if build is None:
        project = click.get_current_context().find_object(ProjectSettings) or ProjectSettings()
        build = last_build(project.folder)
    return BuildFolder.open(build)
