"""deploy.toml: every option, strict keys, the nearest name for a wrong one, searched upward, owners checked."""

import os
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import _VERBS, command_line
from deploy.errors import BadInputError
from deploy.settings import project_settings
from deploy.settings.example import template
from deploy.settings.last_build import last_build, remember_build
from deploy.settings.merging import settle
from deploy.settings.options import shared_options
from deploy.settings.project_settings import ProjectSettings, find


def kept(folder: Path, verb: str = "run-fvp") -> dict[str, Any]:
    """What the settings of a folder give a verb."""
    return settle(command_line(verb), find(folder), _VERBS)[verb]


def values(folder: Path) -> dict[str, Any]:
    """The keys at the top of all files that hold, the strongest first."""
    return {key: value for table in reversed(find(folder).tables) for key, value in table.values.items()}


def test_a_folder_without_settings_gives_empty_ones(tmp_path: Path) -> None:
    assert find(tmp_path) == ProjectSettings(tmp_path)


def test_deploy_toml_wins_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.deploy]\nnpu = "U55-64"\nio = "int8"\n')
    assert kept(tmp_path, "compile") == {"npu": "U55-64", "io": "int8"}
    (tmp_path / "deploy.toml").write_text('npu = "U55-32"\n')
    assert kept(tmp_path, "compile") == {"npu": "U55-32", "io": "int8"}


def test_a_pyproject_without_our_table_gives_empty_settings(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find(tmp_path).tables == ()


def test_an_unknown_key_is_an_error_that_names_the_nearest_known_key(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text('calibraton = "x.npz"\n')
    with pytest.raises(BadInputError, match="unknown key `calibraton`") as error:
        kept(tmp_path)
    assert error.value.hints == ("did you mean `calibration`?",)


def test_dashes_and_underscores_in_keys_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text('memory-mode = "Sram_Only"\n')
    assert kept(tmp_path, "compile") == {"memory_mode": "Sram_Only"}


@pytest.mark.parametrize(
    "line",
    [
        "count = 0",
        'count = "many"',
        "count = true",
        "count = 1.5",
        'io = "int4"',
        "tolerance = -1",
        "tolerance = nan",
        'optimise = "fast"',
        "npu = 55",
        'npu = ""',
        "set = 'size=96'",
        "timing = 1",
        "sram_limit = 1.5",
    ],
)
@pytest.mark.parametrize("verb", ["run-fvp", "compile"])
def test_a_value_of_the_wrong_kind_is_refused_and_its_key_named(tmp_path: Path, line: str, verb: str) -> None:
    (tmp_path / "deploy.toml").write_text(line + "\n")
    with pytest.raises(BadInputError, match=f"deploy.toml: `{line.split(maxsplit=1)[0]}`"):
        kept(tmp_path, verb)


def test_the_table_of_verbs_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text('verb = "run-fvp"\n')
    with pytest.raises(BadInputError, match="`verb` holds tables"):
        find(tmp_path)


@pytest.mark.parametrize("text", ["npu = = 3", "a = " + "[" * 100_000])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "deploy.toml").write_text(text)
    with pytest.raises(BadInputError, match="not valid TOML"):
        find(tmp_path)


def test_the_template_names_every_key_and_parses(tmp_path: Path) -> None:
    (tmp_path / "net.keras").touch()
    (tmp_path / "calibration.npz").touch()
    text = template(tmp_path)
    for declared in shared_options():
        assert f"\n{declared.key} = " in text or f"\n# {declared.key} = " in text
    (tmp_path / "deploy.toml").write_text(text)
    assert values(tmp_path) == {"model": "net.keras", "calibration": "calibration.npz"}


def test_every_example_of_the_template_is_a_valid_value(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") for line in template(tmp_path).splitlines()]
    keys = [declared.key for declared in shared_options()]
    chosen = [line for line in lines if line.startswith(tuple(f"{key} = " for key in keys))]
    (tmp_path / "deploy.toml").write_text("\n".join(chosen))
    assert set(values(tmp_path)) == set(keys)
    kept(tmp_path)


def test_the_last_build_is_remembered_per_project_and_moves_with_it(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    with pytest.raises(BadInputError, match="no build folder was named"):
        last_build(before)
    remember_build(before / "build/x", before)
    assert last_build(before) == before / "build/x"
    before.rename(after)
    assert last_build(after) == after / "build/x"


def test_a_build_outside_the_project_is_where_it_is_and_a_link_to_the_project_changes_nothing(
    tmp_path: Path,
) -> None:
    project, link = tmp_path / "project", tmp_path / "link"
    project.mkdir()
    link.symlink_to(project)
    remember_build(link / "build/x", project)
    project.rename(tmp_path / "renamed")
    assert last_build(tmp_path / "renamed") == tmp_path / "renamed/build/x"
    remember_build(tmp_path / "scratch/x", tmp_path / "renamed")
    assert last_build(tmp_path / "renamed") == tmp_path / "scratch/x"


def test_settings_are_searched_upward_and_their_paths_are_relative_to_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "deploy.toml").write_text('inputs = "test.npz"\nfirmware = "runner"\nfvp = "tools/FVP"\n')
    monkeypatch.chdir(below)
    assert find().folder == Path("../..")
    assert kept(Path()) == {"inputs": "../../test.npz", "firmware": "runner", "fvp": "../../tools/FVP"}
    (below.parent / "pyproject.toml").write_text("[tool.deploy]\ncount = 2\n")
    assert kept(Path()) == {"count": 2}  # the nearest folder alone


def test_a_network_by_name_or_random_data_are_no_paths(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "deploy.toml").write_text('model = "models:x"\ncalibration = "random"\n')
    assert kept(folder, "compile") == {"model": "models:x", "calibration": "random"}
    (folder / "deploy.toml").write_text('model = "net.py:build"\n')
    assert kept(folder, "compile") == {"model": str(folder / "net.py:build")}


@pytest.mark.parametrize(
    ("verb", "key", "text"),
    [
        ("search", "model", "mine.py:problem"),
        ("sweep", "data", "test.npz"),
        ("evaluate", "inputs", "photos"),
        ("evaluate", "model", "net.keras"),
        ("evaluate", "target", "tools/FVP"),
    ],
)
def test_a_text_that_names_a_file_in_the_table_of_a_verb_is_relative_to_its_folder(
    tmp_path: Path, verb: str, key: str, text: str
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "deploy.toml").write_text(f'[verb.{verb}]\n{key} = "{text}"\n')
    (kept_value,) = kept(folder, verb).values()
    assert kept_value == str(folder / text)


def test_what_a_verb_names_otherwise_than_by_a_path_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text(
        '[verb.search]\nmodel = "models:mobilenetv4"\n[verb.evaluate]\ntarget = "host"\n'
    )
    assert kept(tmp_path, "search") == {"model": "models:mobilenetv4"}
    assert kept(tmp_path, "evaluate") == {"target": "host"}


def test_a_verb_has_a_table_for_every_option_of_its_own_and_it_wins_there(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text(
        'count = 3\n[verb.run-fvp]\ncount = 5\njson = "verdict.json"\nverbose = true\n'
        "[verb.verify]\nlayers = true\n"
    )
    assert kept(tmp_path) == {"count": 5, "json": str(tmp_path / "verdict.json"), "verbose": True}
    assert kept(tmp_path, "verify") == {"count": 3, "layers": True}


def test_a_table_of_a_verb_below_a_verb_is_read(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text("[verb.models.train]\nepochs = 3\n")
    assert kept(tmp_path, "models")["train"] == {"epochs": 3}


@pytest.mark.parametrize(
    "text", ["[verb.run-fpv]\ncount = 1\n", "[verb.run-fvp]\ncuont = 1\n", "[verbs.run-fvp]\ncount = 1\n"]
)
def test_an_unknown_table_or_key_in_it_is_refused_with_the_nearest(tmp_path: Path, text: str) -> None:
    (tmp_path / "deploy.toml").write_text(text)
    with pytest.raises(BadInputError, match="unknown key") as error:
        kept(tmp_path)
    assert "did you mean" in error.value.hints[0]


def test_every_option_of_every_verb_can_be_kept(tmp_path: Path) -> None:
    from deploy.settings.declared import declared_by

    for name, command in command_line().commands.items():  # type: ignore[attr-defined]
        for verb in getattr(command, "commands", {"": command}).values():
            function = verb.callback.__wrapped__
            declared = declared_by(function)
            assert len({each.key for each in declared}) == len(declared), name


def test_settings_of_another_user_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deploy.toml").write_text('fvp = "./evil"\n')
    stranger = os.geteuid() + 1
    real = Path.stat

    def owned(path: Path, **how: Any) -> os.stat_result:
        status = real(path, **how)
        return os.stat_result((*status[:4], stranger, *status[5:])) if path.name == "deploy.toml" else status

    monkeypatch.setattr(Path, "stat", owned)
    with pytest.raises(BadInputError, match="belongs to another user"):
        find(tmp_path)
    monkeypatch.setenv(project_settings.TRUST_VARIABLE, str(tmp_path))
    assert values(tmp_path) == {"fvp": "./evil"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_does_not_read_the_settings_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deploy.toml"
    file.write_text("count = 1\n")
    os.chown(file, 12345, 12345)
    monkeypatch.delenv("SUDO_UID", raising=False)
    with pytest.raises(BadInputError, match="uid 12345"):
        find(tmp_path)
    monkeypatch.setenv("SUDO_UID", "12345")  # that user, by way of sudo
    assert values(tmp_path) == {"count": 1}
