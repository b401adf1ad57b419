"""The documents of verbs whose result the command line alone tells; others stand with what they are about."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from deploy.build_folder import Answer, Document, Figure
from deploy.doctor import Finding
from deploy.zoo.card_results import CardResults


class FirmwareDocument(Answer):
    """``deploy firmware``.

    Attributes:
        build: the build folder.
        folder: the project.
        network: its name in C.
        npu: that it is for.
        runtime: ``npu`` or ``tflm``.
        board: that it is for, as ``--board`` takes it.
        arena_bytes: size of the tensor arena.
        arena_memory: where that lies.
        tflm_library: archive of TFLM that it was built with.
        elf: what was built; null where nothing was.
        next: what to do with it.
    """

    build: str
    folder: str
    network: str
    npu: str
    runtime: str
    board: str
    arena_bytes: int
    arena_memory: str
    tflm_library: str | None = None
    elf: str | None = None
    next: str


class FvpLinkDocument(Answer):
    """``deploy fvp link``.

    Attributes:
        folder: that looks like an installed FVP now.
        executables: the names of Arm's in it, which start the open machine.
    """

    folder: str
    executables: tuple[str, ...]


class InstalledFvp(Document):
    """One simulator of an installation.

    Attributes:
        board: Corstone-300 and so on.
        npu_family: of the NPU on it.
        executable: its path.
        starts: whether it answers on this computer.
        version: its version line; or why it does not start.
    """

    board: str
    npu_family: str
    executable: str
    starts: bool
    version: str


class FvpInstallDocument(Answer):
    """``deploy fvp install``.

    Attributes:
        folder: where it is installed.
        fvps: what is in it.
        next: the command that uses it; null where nothing starts.
    """

    folder: str
    fvps: tuple[InstalledFvp, ...]
    next: str | None = None


class TrainedWeights(Document):
    """Weights that a network brings.

    Attributes:
        what: they were trained on.
        licence: of that data; empty where none is stated.
        options: of the network that they belong to, where these differ from the defaults.
    """

    what: str
    licence: str
    options: dict[str, Any]


class ListedModel(Document):
    """A network that comes along.

    Attributes:
        name: what users type.
        summary: one line.
        parameters: with default options, those that are stored.
        input: height x width x channels with default options; empty where not stated.
        trains: whether `deploy models train` knows how.
        weights: that it brings.
    """

    name: str
    summary: str
    parameters: int
    input: str
    trains: bool
    weights: tuple[TrainedWeights, ...] = ()


class ModelsListDocument(Answer):
    """``deploy models list``."""

    schema_version: int = 1
    models: tuple[ListedModel, ...]


class ModelsCardDocument(Answer):
    """``deploy models card``.

    Attributes:
        model: its name.
        card: in Markdown; null with ``--measure``.
        measured: Vela's estimates with ``--measure``; null without.
    """

    model: str
    card: str | None = None
    measured: CardResults | None = None


class ModelsBuildDocument(Answer):
    """``deploy models build``.

    Attributes:
        model: its name.
        file: that was written.
        parameters: how many it has.
        weights: where they come from: ``random``, a file, or what they were trained on.
    """

    model: str
    file: str
    parameters: int
    weights: str


class ModelsTrainDocument(Answer):
    """``deploy models train``.

    Attributes:
        model: its name.
        file: the weights that were written.
        log: what was said of the training, a line an epoch.
    """

    model: str
    file: str
    log: tuple[str, ...]


class ModelsDataDocument(Answer):
    """``deploy models data``.

    Attributes:
        model: its name.
        files: calibration data, test data and labels.
    """

    model: str
    files: tuple[str, ...]


class DoctorDocument(Answer):
    """``deploy doctor``.

    Attributes:
        findings: what was looked for.
        blocked: names of those without which the main job (compile, run-fvp) cannot run.
    """

    findings: tuple[Finding, ...]
    blocked: tuple[str, ...] = ()


class InitDocument(Answer):
    """``deploy init``.

    Attributes:
        file: that was written.
        kept: key -> value that was set in it.
        models: that are in the folder.
        lacking: key -> usual name of its file, for those that are not there.
        next: the command that comes next.
    """

    file: str
    kept: dict[str, str]
    models: tuple[str, ...] = ()
    lacking: dict[str, str] = Field(default_factory=dict)
    next: str


class ProjectBuild(Document):
    """The build of a project.

    Attributes:
        folder: where it is.
        npu: that it is for.
        inference_time: Vela's estimate; null where there is none.
        outdated: whether the model's file is newer.
    """

    folder: str
    npu: str
    inference_time: Figure | None = None
    outdated: bool = False


class LastVerdict(Document):
    """The verdict that a build got last.

    Attributes:
        command: that gave it.
        verdict: as its document says.
        headline: the same for people, with what is weak about it.
        reason: one sentence.
    """

    command: str
    verdict: Literal["pass", "fail", "error", "no_reference"]
    headline: str
    reason: str


class StatusDocument(Answer):
    """``deploy status``.

    Attributes:
        settings: files with settings, the strongest first.
        model: as they name it; null where they do not.
        model_found: whether it is there; null where it is no file.
        build: the last one; null where there is none, or it cannot be opened.
        build_problem: why it cannot.
        verdict: of the build.
        next: the command that comes next.
    """

    settings: tuple[str, ...] = ()
    model: str | None = None
    model_found: bool | None = None
    build: ProjectBuild | None = None
    build_problem: str | None = None
    verdict: LastVerdict | None = None
    next: str
