"""deploy.toml: every option, strict keys, the nearest name for a wrong one."""

from pathlib import Path

import pytest

from deploy import settings
from deploy.errors import BadInputError


def test_a_folder_without_settings_gives_empty_ones(tmp_path: Path) -> None:
    assert settings.load(tmp_path) == settings.Settings()


def test_deploy_toml_wins_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.deploy]\nnpu = "U55-64"\n')
    assert settings.load(tmp_path).npu == "U55-64"
    (tmp_path / "deploy.toml").write_text('npu = "U55-32"\n')
    assert settings.load(tmp_path).npu == "U55-32"


def test_a_pyproject_without_our_table_gives_empty_settings(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert settings.load(tmp_path) == settings.Settings()


def test_an_unknown_key_is_an_error_that_names_the_nearest_known_key(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text('calibraton = "x.npz"\n')
    with pytest.raises(BadInputError, match="unknown key `calibraton`") as error:
        settings.load(tmp_path)
    assert error.value.hints == ("did you mean `calibration`?",)


def test_dashes_and_underscores_in_keys_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text('memory-mode = "Sram_Only"\n')
    assert settings.load(tmp_path).memory_mode == "Sram_Only"


@pytest.mark.parametrize(
    "line", ["count = 0", 'count = "many"', 'io = "int4"', "tolerance = -1", 'optimise = "fast"', "npu = 55"]
)
def test_a_value_of_the_wrong_kind_is_refused_and_its_key_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "deploy.toml").write_text(line + "\n")
    with pytest.raises(BadInputError, match=f"`{line.split(maxsplit=1)[0]}`"):
        settings.load(tmp_path)


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text("npu = = 3")
    with pytest.raises(BadInputError, match="not valid TOML"):
        settings.load(tmp_path)


def test_the_template_names_every_key_and_parses(tmp_path: Path) -> None:
    (tmp_path / "net.keras").touch()
    (tmp_path / "calibration.npz").touch()
    text = settings.template(tmp_path)
    for key in settings.Settings.model_fields:
        assert f"\n{key} = " in text or f"\n# {key} = " in text
    (tmp_path / "deploy.toml").write_text(text)
    loaded = settings.load(tmp_path)
    assert (loaded.model, loaded.calibration, loaded.npu) == ("net.keras", "calibration.npz", None)


def test_every_example_of_the_template_is_a_valid_value(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") for line in settings.template(tmp_path).splitlines()]
    keys = tuple(f"{key} = " for key in settings.Settings.model_fields)
    (tmp_path / "deploy.toml").write_text("\n".join(line for line in lines if line.startswith(keys)))
    assert None not in settings.load(tmp_path).model_dump().values()


def test_the_last_build_is_remembered_per_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match="no build folder was named"):
        settings.last_build()
    settings.remember_build(Path("build/x"))
    assert settings.last_build() == tmp_path / "build/x"
