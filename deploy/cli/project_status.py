"""Where a project stands, and the command that comes next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.settings import options

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.cli.answer_documents import ProjectBuild, StatusDocument
    from deploy.judging.verdict import Verdict
    from deploy.settings.project_settings import ProjectSettings


def is_project(project: ProjectSettings) -> bool:
    """Whether there is something to say: settings, or a build."""
    from deploy.settings.last_build import has_last_build

    return bool(project.tables) or has_last_build(project.folder)


def status(json: options.Json) -> None:
    """Show where a project stands: model, build, last verdict, next command. `deploy` alone does the same."""
    import click

    from deploy.cli.call_documents import current
    from deploy.errors import BadInputError
    from deploy.settings.project_settings import SETTINGS_FILE, ProjectSettings

    project = click.get_current_context().find_object(ProjectSettings) or ProjectSettings()
    if not is_project(project):
        raise BadInputError(f"there is neither a {SETTINGS_FILE} nor a build here", hints=["deploy init"])
    found = standing(project)
    current().answer(lambda: found)
    _show(found)


def show_project(project: ProjectSettings) -> None:
    """Print the model, the build, the last verdict and the next command.

    Raises:
        BadInputError: a verdict of the build is damaged.
    """
    _show(standing(project))


def standing(project: ProjectSettings) -> StatusDocument:
    """Where a project stands.

    Raises:
        BadInputError: a verdict of its build is damaged.
    """
    from deploy.cli.answer_documents import LastVerdict, ProjectBuild, StatusDocument
    from deploy.errors import BadInputError

    model = _kept_text(project, "model")
    file = _model_file(project, model)
    known = StatusDocument(
        settings=tuple(table.source for table in project.tables),
        model=model or None,
        model_found=file.exists() if file is not None else None,
        next=compile_words(project),
    )
    try:
        build = _build(project)
    except BadInputError as error:
        return known.model_copy(update={"build_problem": error.message})
    if build is None:
        gone = {"next": f"set `model` in {project.tables[0].source}"} if known.model_found is False else {}
        return known.model_copy(update=gone)
    old = file is not None and file.exists() and _changed(file) > _changed(build.path / "compile.json")
    command, verdict = _last_verdict(build)
    last = (
        LastVerdict(command=command, verdict=verdict.verdict, headline=verdict.headline, reason=verdict.reason)
        if verdict
        else None
    )
    document = build.document
    shown = ProjectBuild(
        folder=str(build.path),
        npu=document.npu,
        inference_time=document.figure("inference_time"),
        outdated=old,
    )
    following = {} if old else {"next": _after(command, verdict)}
    return known.model_copy(update={"build": shown, "verdict": last, **following})


def _show(found: StatusDocument) -> None:
    from deploy.cli.console import stdout

    console = stdout()

    def say(what: str, text: str) -> None:
        console.print(f"{f'{what}:' if what else '':10}{text}")

    if found.settings:
        say("settings", ", ".join(found.settings))
    say("model", f"{found.model} (not there)" if found.model_found is False else found.model or "not set")
    build = found.build
    if build is None:
        say("build", found.build_problem or "none yet")
    else:
        say("build", _build_words(build))
        if build.outdated:
            say("", f"{found.model} is newer than it")
        last = found.verdict
        say("verdict", f"{last.headline} - {last.reason} (deploy {last.command})" if last else "none yet")
    say("next", found.next)


def compile_words(project: ProjectSettings) -> str:
    """The command that compiles a project's model, with what the settings do not say."""
    from deploy.api import DEFAULT_NPU

    model = _kept_text(project, "model")
    words = ["deploy compile"] + ([] if model else [_only_model(project) or "MODEL"])
    named = model or words[-1]
    floating = not named.endswith(".tflite") and not named.startswith("models:")
    if floating and not any(_kept_text(project, key) for key in ("calibration", "data")):
        words += ["--data DATA"]
    return " ".join(words + ([] if _kept_text(project, "npu") else [f"--npu {DEFAULT_NPU}"]))


def _kept_text(project: ProjectSettings, key: str) -> str:
    value = os.environ.get(f"DEPLOY_{key.upper()}") or project.kept(key, "compile")
    return value if isinstance(value, str) else ""


def _only_model(project: ProjectSettings) -> str:
    from deploy.settings.project_files import project_files

    models = project_files(project.folder).models
    return os.path.relpath(project.folder / models[0]) if len(models) == 1 else ""


def _model_file(project: ProjectSettings, model: str) -> Path | None:
    """The file or folder of a model; None for one that comes along by name."""
    from deploy.user_function import is_reference, split

    if not model or model.startswith("models:"):
        return None
    return project.folder / (split(model)[0] if is_reference(model) else Path(model)).expanduser()


def _build(project: ProjectSettings) -> BuildFolder | None:
    from deploy.build_folder import BuildFolder
    from deploy.settings.last_build import has_last_build, last_build

    return BuildFolder.open(last_build(project.folder)) if has_last_build(project.folder) else None


def _build_words(build: ProjectBuild) -> str:
    from deploy.figures import format_figure

    time = build.inference_time
    return f"{build.folder}, for {build.npu}" + (f", {format_figure(time)} ({time.label})" if time else "")


def _last_verdict(build: BuildFolder) -> tuple[str, Verdict | None]:
    """The verb that judged this build last, and its verdict."""
    from deploy.reporting.data.build_documents import read_verdicts

    found = read_verdicts(build)
    last = max(found, key=lambda command: _changed(build.verdict_file(command)), default="")
    return last, found.get(last)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _after(command: str, verdict: Verdict | None) -> str:
    """What is done after a verdict, or where there is none."""
    if verdict is None or (command in ("check", "verify") and verdict.verdict == "pass"):
        return "deploy run-fvp"
    if verdict.verdict == "pass":
        return "deploy report, or deploy firmware"
    return "deploy verify --layers" if verdict.verdict == "fail" else "deploy doctor"
