"""The command line wins over the environment, that over deploy.toml; switches can be switched off again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import click
import pytest
import typer

from deploy.settings import options
from deploy.settings.declared import option
from deploy.settings.merging import settle, typed
from deploy.settings.project_settings import find

Seen = dict[str, Any]
Epochs = Annotated[int, option(help="Passes.", default=3, min=1)]


@pytest.fixture
def seen() -> Seen:
    return {}


@pytest.fixture
def application(seen: Seen) -> click.Command:
    app = typer.Typer()

    @app.callback()
    def _root() -> None:
        """Keeps the verb's name."""

    @app.command("run-fvp")
    def _verb(
        model: options.Model,
        set_: options.Set,
        calibration: options.SweptCalibration,
        inputs: options.Data,
        labels: options.Labels,
        count: options.Count,
        timing: options.Timing,
        quiet: options.Quiet,
        epochs: Epochs,
    ) -> None:
        seen.update(locals(), count_typed=typed("count"))

    @app.command("compile")
    def _other(calibration: options.Calibration) -> None:
        seen.update(locals())

    return typer.main.get_command(app)


def call(application: click.Command, *words: str, verb: str = "run-fvp") -> None:
    project = find()
    kept = settle(application, project, {"run-fvp": None, "compile": None})
    application.main(args=[verb, *words], standalone_mode=False, default_map=kept, obj=project)


@pytest.mark.usefixtures("in_folder")
def test_nothing_said_leaves_the_declared_defaults(application: click.Command, seen: Seen) -> None:
    call(application)
    assert (seen["model"], seen["count"], seen["timing"], seen["epochs"]) == (None, None, False, 3)
    assert not seen["set_"]


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    application: click.Command, seen: Seen, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_folder / "pyproject.toml").write_text("[tool.deploy]\ncount = 1\n")
    call(application)
    assert (seen["count"], seen["count_typed"]) == (1, False)
    (in_folder / "deploy.toml").write_text("count = 2\n")
    call(application)
    assert seen["count"] == 2
    monkeypatch.setenv("DEPLOY_COUNT", "3")
    call(application)
    assert (seen["count"], seen["count_typed"]) == (3, True)
    monkeypatch.setenv("DEPLOY_RUN_FVP_COUNT", "4")
    call(application)
    assert seen["count"] == 4
    call(application, "--count", "5")
    assert seen["count"] == 5


def test_a_switch_that_is_kept_can_be_switched_off(
    application: click.Command, seen: Seen, in_folder: Path
) -> None:
    (in_folder / "deploy.toml").write_text("timing = true\n[verb.run-fvp]\nquiet = true\n")
    call(application)
    assert (seen["timing"], seen["quiet"]) == (True, True)
    call(application, "--no-timing", "--no-quiet")
    assert (seen["timing"], seen["quiet"]) == (False, False)


def test_what_belongs_to_the_kept_model_is_not_used_for_another(
    application: click.Command, seen: Seen, in_folder: Path
) -> None:
    (in_folder / "deploy.toml").write_text('model = "net.py:f"\nset = ["size=96"]\ncalibration = "c.npz"\n')
    call(application)
    assert (seen["model"], seen["set_"], seen["calibration"]) == ("net.py:f", ["size=96"], "c.npz")
    call(application, "other.keras")
    assert (seen["model"], seen["set_"], seen["calibration"]) == ("other.keras", None, "c.npz")
    call(application, "models:own")
    assert seen["calibration"] is None  # it brings its own
    call(application, "models:own", "--calibration", "mine.npz", "--set", "a=1")
    assert (seen["set_"], seen["calibration"]) == (["a=1"], "mine.npz")


def test_labels_belong_to_the_inputs_that_they_are_kept_with(
    application: click.Command, seen: Seen, in_folder: Path
) -> None:
    (in_folder / "deploy.toml").write_text('inputs = "test.npz"\nlabels = "labels.json"\n')
    call(application)
    assert (seen["inputs"], seen["labels"]) == ("test.npz", Path("labels.json"))
    call(application, "--inputs", "other.npz")
    assert (seen["inputs"], seen["labels"]) == ("other.npz", None)


def test_data_of_all_verbs_has_one_key_and_older_ones_go_on_working(
    application: click.Command, seen: Seen, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_folder / "deploy.toml").write_text('inputs = "old.npz"\n')
    kept = [("old.npz", None), ("photos", "photos"), ("photos", "c.npz")]
    texts = ['inputs = "old.npz"', 'data = "photos"\ninputs = "old.npz"', 'data = "photos"\ncalibration = "c.npz"']
    for text, expected in zip(texts, kept, strict=True):
        (in_folder / "deploy.toml").write_text(text + "\n")
        call(application)
        call(application, verb="compile")
        assert (seen["inputs"], seen["calibration"]) == expected
    call(application, "--calibration", "typed.npz", verb="compile")
    assert seen["calibration"] == "typed.npz"
    monkeypatch.setenv("DEPLOY_INPUTS", "env.npz")
    call(application)
    assert seen["inputs"] == "env.npz"
    call(application, "--inputs", "typed.npz")
    assert seen["inputs"] == "typed.npz"


@pytest.mark.usefixtures("in_folder")
def test_a_variable_of_the_wrong_kind_is_named(
    application: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_COUNT", "many")
    with pytest.raises(click.BadParameter, match="'many' is not a valid int") as error:
        call(application)
    assert "env var: 'DEPLOY_COUNT'" in error.value.format_message()
