"""Where a project stands, and the command that comes next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.judging.verdict import Verdict
    from deploy.settings.project_settings import ProjectSettings


def is_project(project: ProjectSettings) -> bool:
    """Whether there is something to say: settings, or a build."""
    from deploy.settings.last_build import has_last_build

    return bool(project.tables) or has_last_build(project.folder)


def show_project(project: ProjectSettings) -> None:
    """Print the model, the build, the last verdict and the next command."""
    from deploy.cli.console import stdout
    from deploy.errors import BadInputError

    console = stdout()

    def say(what: str, text: str) -> None:
        console.print(f"{f'{what}:' if what else '':10}{text}")

    model = _kept_text(project, "model")
    file = _model_file(project, model)
    if project.tables:
        say("settings", ", ".join(table.source for table in project.tables))
    gone = file is not None and not file.exists()
    say("model", f"{model} (not there)" if gone else model or "not set")
    try:
        build = _build(project)
    except BadInputError as error:
        say("build", error.message)
        say("next", compile_words(project))
        return
    if build is None:
        say("build", "none yet")
        say("next", f"set `model` in {project.tables[0].source}" if gone else compile_words(project))
        return
    say("build", _build_words(build))
    old = file is not None and file.exists() and _changed(file) > _changed(build.path / "compile.json")
    if old:
        say("", f"{model} is newer than it")
    command, verdict = _last_verdict(build)
    say("verdict", f"{verdict.headline} - {verdict.reason} (deploy {command})" if verdict else "none yet")
    say("next", compile_words(project) if old else _after(command, verdict))


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


def _build_words(build: BuildFolder) -> str:
    from deploy.figures import format_figure

    document = build.document
    time = document.figure("inference_time")
    return f"{build.path}, for {document.npu}" + (f", {format_figure(time)} ({time.label})" if time else "")


def _last_verdict(build: BuildFolder) -> tuple[str, Verdict | None]:
    """The verb that judged this build last, and its verdict."""
    from deploy.reporting.data.build_documents import read_verdicts, verdict_path

    found = read_verdicts(build)
    last = max(found, key=lambda command: _changed(verdict_path(build, command)), default="")
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
